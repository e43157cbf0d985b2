//! How far one reader reads ahead. Pure.

/// What a reader begins with, where no other has learnt better.
const READ_AHEAD_FIRST: usize = 4;

/// One is fetched while another is digested.
const READ_AHEAD_MIN: usize = 2;

/// A reader that has nothing to do for more than this share of the time, in percent,
/// because no chunk has come, has too few under way; below the second it has more than
/// enough. Between them it leaves things as they are.
const IDLE_PERCENT_HIGH: u64 = 20;
const IDLE_PERCENT_LOW: u64 = 5;

/// How many chunks one reader keeps under way: twice as many while it idles for them, one
/// less while it does not, as congestion windows go (RFC 5681, slow start), with idleness
/// for the signal that there is bandwidth to be had. A reader that takes its time never
/// idles here, so nothing is read far ahead for it.
#[derive(Debug, Clone)]
pub struct ReadAhead {
    depth: usize,
    depth_max: usize,
    /// Since when, by the monotonic clock, the time is watched that is judged next; not
    /// before the first chunk, which has to be waited for in any case.
    since_ns: Option<u64>,
    idle_ns: u64,
    delivered: usize,
}

impl ReadAhead {
    /// Begins with what another reader of the same store has `learnt`, if any has.
    pub fn new(depth_max: usize, learnt: Option<usize>) -> Self {
        Self {
            depth: learnt.unwrap_or(READ_AHEAD_FIRST).min(depth_max),
            depth_max,
            since_ns: None,
            idle_ns: 0,
            delivered: 0,
        }
    }

    /// At most so many from now on.
    pub fn limit(&mut self, depth_max: usize) {
        self.depth_max = depth_max.max(1);
        self.depth = self.depth.min(self.depth_max);
    }

    /// How many chunks to keep under way now.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The reader has had nothing to do for so long, waiting for a chunk.
    pub fn idled(&mut self, ns: u64) {
        self.idle_ns += ns;
    }

    /// The reader has a chunk, at this time of the monotonic clock.
    pub fn delivered(&mut self, now_ns: u64) {
        let Some(since_ns) = self.since_ns else {
            return self.watch_from(now_ns);
        };
        self.delivered += 1;
        // As many as are under way at once: what is judged is what this depth did.
        if self.delivered < self.depth {
            return;
        }
        let idle_percent = 100 * self.idle_ns / now_ns.saturating_sub(since_ns).max(1);
        if idle_percent > IDLE_PERCENT_HIGH {
            self.depth = (2 * self.depth).min(self.depth_max);
        } else if idle_percent < IDLE_PERCENT_LOW && self.depth > READ_AHEAD_MIN {
            self.depth -= 1;
        }
        self.watch_from(now_ns);
    }

    fn watch_from(&mut self, now_ns: u64) {
        self.since_ns = Some(now_ns);
        self.idle_ns = 0;
        self.delivered = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const MS: u64 = 1_000_000;

    /// The depth after so many chunks from a kv that takes `latency_ms` for one, whatever
    /// is under way, to a reader that takes `use_ms`.
    fn settled(depth_max: usize, chunks: usize, latency_ms: u64, use_ms: u64) -> usize {
        let mut ahead = ReadAhead::new(depth_max, None);
        let mut now = 0;
        let mut arrives = VecDeque::new();
        for _ in 0..chunks {
            while arrives.len() < ahead.depth() {
                arrives.push_back(now + latency_ms * MS);
            }
            let arrival = arrives.pop_front().unwrap();
            if arrival > now {
                ahead.idled(arrival - now);
                now = arrival;
            }
            now += use_ms * MS;
            ahead.delivered(now);
        }
        ahead.depth()
    }

    #[test]
    fn a_kv_that_is_faster_than_the_reader_needs_two() {
        assert_eq!(settled(16, 40, 1, 3), 2);
        assert_eq!(settled(16, 40, 0, 1), 2);
    }

    #[test]
    fn a_slow_kv_gets_all_that_it_can_use_within_a_few_chunks() {
        assert_eq!(settled(16, 16, 100, 1), 16);
        assert_eq!(settled(6, 16, 100, 1), 6, "the platform's bound");
        assert_eq!(settled(1, 16, 100, 1), 1);
    }

    #[test]
    fn between_them_as_many_as_hide_the_latency() {
        // Ten in flight hide 20 ms behind chunks of 2 ms.
        let depth = settled(16, 400, 20, 2);
        assert!((8..=12).contains(&depth), "{depth}");
    }

    #[test]
    fn nothing_is_read_far_ahead_for_a_slow_reader() {
        assert_eq!(settled(16, 60, 100, 1000), 2);
    }

    #[test]
    fn what_one_reader_has_learnt_the_next_begins_with() {
        assert_eq!(ReadAhead::new(16, Some(9)).depth(), 9);
        assert_eq!(ReadAhead::new(6, Some(9)).depth(), 6);
        assert_eq!(ReadAhead::new(16, None).depth(), READ_AHEAD_FIRST);
    }

    /// On platforms whose clock stands still between I/O, idling is all the time there is.
    #[test]
    fn a_clock_that_stands_still_does_no_harm() {
        let mut ahead = ReadAhead::new(6, None);
        for _ in 0..100 {
            ahead.delivered(7);
        }
        assert_eq!(ahead.depth(), 2);
    }
}
