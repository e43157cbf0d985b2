//! The window of operations under way in one direction. Pure.
//!
//! Operations are judged in rounds of as many as are under way at once. Of each round the
//! mean latency is compared with the least mean that was seen of values of that size, the
//! base: what is above it is queueing. Twice as many as would do without queueing are
//! kept, so a jitter of latencies does not starve the flow, and no queue is longer than
//! what is on its way.
//!
//! A base that is out of date shows: if the window was narrowed and the latency did not
//! follow, the queue is not ours and kv has become slower. One that was taken while there
//! was a queue already does not show, so from time to time the window is narrowed to see
//! whether the latency follows.

mod bases;

use self::bases::{Bases, Class};

/// What a store begins with that knows nothing.
const WINDOW_FIRST: usize = 4;

/// One on its way while another is answered.
const WINDOW_MIN: usize = 2;

/// No flow has more under way, whatever platform and memory allow.
const WINDOW_MAX: usize = 256;

/// A round has so many operations at least: means of fewer are chance.
const ROUND_MIN: usize = 4;

/// How much longer operations take than without queueing where the window is right.
const RATIO: f64 = 2.0;

/// The latency has followed if it has become less than this part of what it was; it has
/// not settled yet if it has become more than that many times as long.
const FOLLOWED: f64 = 0.9;
const UNSETTLED: f64 = 1.25;

/// Operations that take so many times as long queue; so few times, they do not.
const QUEUES: f64 = 1.5;
const FLOWS: f64 = 1.25;

/// The base is doubted after so long, in nanoseconds (as BBR's), and so many rounds.
const DOUBT_NS: u64 = 10_000_000_000;
const DOUBT_ROUNDS: u32 = 32;

/// One operation that succeeded.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it began and ended, by the monotonic clock.
    pub begun_ns: u64,
    /// See `begun_ns`.
    pub ended_ns: u64,
    /// Length of the value.
    pub bytes: u64,
    /// How many were under way when it began, itself included.
    pub under_way: usize,
}

/// The controller of one direction.
#[derive(Debug)]
pub struct Flow {
    window: usize,
    under_way: usize,
    /// Who moves chunks in this direction now.
    transfers: usize,
    /// Chunks that they have under way.
    moving: usize,
    bases: Bases,
    round: Round,
    narrowed: Narrowed,
    trusted_ns: u64,
    trusted_rounds: u32,
    bytes_per_second: f64,
    /// So many are served at once and more only queue, as far as that has shown; and so
    /// many were under way without queueing.
    at_once: Option<f64>,
    flowed: f64,
}

/// What is known of the round under way.
#[derive(Debug, Default)]
struct Round {
    samples: usize,
    took_ns: f64,
    base_ns: f64,
    under_way: usize,
    bytes: u64,
    begun_ns: Option<u64>,
}

/// Whether the window has been narrowed, and what was seen then.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Narrowed {
    No,
    /// Operations of the wider window are still among the samples.
    Just {
        ratio: f64,
        back_to: Option<usize>,
    },
    /// The next round tells.
    Seen {
        ratio: f64,
        back_to: Option<usize>,
    },
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            window: WINDOW_FIRST,
            under_way: 0,
            transfers: 0,
            moving: 0,
            bases: Bases::default(),
            round: Round::default(),
            narrowed: Narrowed::No,
            trusted_ns: 0,
            trusted_rounds: 0,
            bytes_per_second: 0.0,
            at_once: None,
            flowed: 0.0,
        }
    }
}

impl Flow {
    /// How many operations to keep under way, all together.
    pub fn window(&self) -> usize {
        self.window
    }

    /// How many are.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Somebody begins to move chunks, or stops.
    pub fn join(&mut self) {
        self.transfers += 1;
    }

    /// See [`Flow::join`].
    pub fn leave(&mut self) {
        self.transfers -= 1;
    }

    /// Whether who has `own` operations under way may begin another, on a platform where
    /// so many are useful: as long as the window has room, and up to a fair share of it in
    /// any case; one always.
    pub fn may_begin(&self, own: usize, useful_max: u32) -> bool {
        let window = self.window.min(useful_max as usize);
        let fair = window / self.transfers.max(1);
        own < fair.max(1) || self.moving < window
    }

    /// Who moves chunks begins one.
    pub fn move_one(&mut self) {
        self.moving += 1;
    }

    /// See [`Flow::move_one`]: it has ended.
    pub fn moved_one(&mut self) {
        self.moving -= 1;
    }

    /// An operation begins; how many are under way now.
    pub fn begin(&mut self) -> usize {
        self.under_way += 1;
        self.under_way
    }

    /// An operation has ended, however.
    pub fn end(&mut self) {
        self.under_way -= 1;
    }

    /// How long a small value takes without queueing, and the usual chunk, in nanoseconds;
    /// as far as that was seen.
    pub fn latency_ns(&self) -> (Option<f64>, Option<f64>) {
        (self.bases.smallest(), self.bases.usual())
    }

    /// How many operations it is worth to have under way: as many as are served at once,
    /// where more have been seen to queue; else twice as many as have been seen not to.
    pub fn worth(&self) -> u32 {
        self.at_once.unwrap_or(2.0 * self.flowed).ceil() as u32
    }

    /// What the last round delivered, in bytes per second; 0 where none was.
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes_per_second
    }

    /// An operation has succeeded.
    pub fn sample(&mut self, sample: Sample) {
        let class = Class::of(sample.bytes);
        let took_ns = sample.ended_ns.saturating_sub(sample.begun_ns) as f64;
        self.bases.sample(class, took_ns);
        let round = &mut self.round;
        round.begun_ns.get_or_insert(sample.begun_ns);
        round.samples += 1;
        round.took_ns += took_ns;
        round.base_ns += self.bases.of(class);
        round.under_way += sample.under_way;
        round.bytes += sample.bytes;
        if round.samples >= ROUND_MIN.max(round.under_way / round.samples) {
            self.judge(sample.ended_ns);
        }
    }

    /// A round has ended.
    fn judge(&mut self, now_ns: u64) {
        let round = std::mem::take(&mut self.round);
        let begun_ns = round.begun_ns.unwrap_or(now_ns);
        if now_ns > begun_ns {
            self.bytes_per_second = round.bytes as f64 * 1e9 / (now_ns - begun_ns) as f64;
        }
        self.bases.end_round();
        // A clock that stands still says nothing against more.
        let ratio =
            if round.base_ns > 0.0 { (round.took_ns / round.base_ns).max(1.0) } else { 1.0 };
        let under_way = round.under_way as f64 / round.samples as f64;
        if ratio > QUEUES {
            self.at_once = Some(under_way / ratio);
        } else if ratio < FLOWS {
            self.flowed = self.flowed.max(under_way);
            self.at_once = self.at_once.filter(|most| under_way <= most * QUEUES);
        }
        match self.narrowed {
            Narrowed::Just { ratio, back_to } => {
                self.narrowed = Narrowed::Seen { ratio, back_to };
                return;
            }
            Narrowed::Seen { ratio: before, back_to } => {
                self.narrowed = Narrowed::No;
                self.window = back_to.unwrap_or(self.window);
                let stays = ratio > FOLLOWED * before && ratio < UNSETTLED * before;
                if stays && before > RATIO {
                    // Not our queue: this is how long it takes now.
                    self.bases.renew();
                    self.trust(now_ns);
                    return;
                }
            }
            Narrowed::No => {}
        }
        self.trusted_rounds += 1;
        self.adjust(ratio, under_way);
        if ratio < FLOWS && self.narrowed == Narrowed::No && under_way as usize <= WINDOW_MIN {
            self.trust(now_ns);
        }
        let doubted =
            now_ns.saturating_sub(self.trusted_ns) > DOUBT_NS && self.trusted_rounds > DOUBT_ROUNDS;
        if doubted && self.narrowed == Narrowed::No && self.window >= 2 * WINDOW_MIN {
            self.trust(now_ns);
            self.narrowed = Narrowed::Just { ratio, back_to: Some(self.window) };
            self.window = (under_way as usize / 2).max(WINDOW_MIN);
        }
    }

    /// Twice what would do without queueing. A window that is not used, for want of
    /// anything to do, is not narrowed as long as there is no queue.
    fn adjust(&mut self, ratio: f64, under_way: f64) {
        let target = (RATIO * under_way / ratio).ceil() as usize;
        if ratio <= RATIO {
            let most = (2 * self.window).min(WINDOW_MAX);
            self.window = self.window.max(target.min(most));
            return;
        }
        let narrower = target.max(under_way as usize / 2).max(WINDOW_MIN);
        if narrower < self.window {
            self.window = narrower;
            self.narrowed = Narrowed::Just { ratio, back_to: None };
        }
    }

    fn trust(&mut self, now_ns: u64) {
        self.trusted_ns = now_ns;
        self.trusted_rounds = 0;
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
