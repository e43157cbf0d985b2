use std::collections::BTreeSet;

use super::*;

const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// A kv that takes `latency_ns` for each operation, serves so many at once, and moves
/// values one after the other.
struct Kv {
    latency_ns: u64,
    bytes_per_second: u64,
    at_once: usize,
}

/// Somebody who has more to do than any window allows.
struct Busy {
    flow: Flow,
    now_ns: u64,
    line_free_ns: u64,
    /// When each that is under way ends, when it began, and how many there were.
    going: BTreeSet<(u64, u64, u64, usize)>,
    begun: u64,
    most: usize,
}

impl Busy {
    fn new() -> Self {
        let (flow, going) = (Flow::default(), BTreeSet::new());
        Self { flow, now_ns: 0, line_free_ns: 0, going, begun: 0, most: 0 }
    }

    /// Moves so many values, and gives how many bytes a second that made.
    fn moves(&mut self, kv: &Kv, values: u64, bytes: u64) -> f64 {
        let began_ns = self.now_ns;
        self.most = 0;
        for _ in 0..values {
            while self.flow.may_begin(self.going.len(), 1000) {
                self.begin(kv, bytes);
            }
            let (ends_ns, number, begun_ns, under_way) = self.going.pop_first().unwrap();
            let _ = number;
            self.now_ns = ends_ns;
            self.flow.end();
            self.flow.moved_one();
            self.flow.sample(Sample { begun_ns, ended_ns: ends_ns, bytes, under_way });
        }
        (values * bytes) as f64 * 1e9 / (self.now_ns - began_ns) as f64
    }

    fn begin(&mut self, kv: &Kv, bytes: u64) {
        let under_way = self.flow.begin();
        self.flow.move_one();
        self.most = self.most.max(under_way);
        // Served when one of those before has ended.
        let waits = self.going.len().checked_sub(kv.at_once);
        let served_ns = waits.map_or(self.now_ns, |nth| self.going.iter().nth(nth).unwrap().0);
        let moves_ns = (bytes as u128 * 1_000_000_000 / u128::from(kv.bytes_per_second)) as u64;
        self.line_free_ns = self.line_free_ns.max(served_ns) + moves_ns;
        self.begun += 1;
        let ends_ns = self.line_free_ns + kv.latency_ns;
        self.going.insert((ends_ns, self.begun, self.now_ns, under_way));
    }
}

#[test]
fn a_fast_line_with_latency_is_filled_within_a_few_rounds() {
    // 100 ms at 400 MiB/s: forty chunks of 1 MiB are on their way.
    let kv = Kv { latency_ns: 100 * MS, bytes_per_second: 400 * MIB, at_once: 1000 };
    let mut busy = Busy::new();
    busy.moves(&kv, 200, MIB);
    let reached = busy.moves(&kv, 400, MIB);
    assert!(reached > 0.9 * (400 * MIB) as f64, "{reached}");
    assert!(busy.most <= 2 * 42, "{} under way", busy.most);
}

#[test]
fn no_work_is_piled_on_a_kv_that_does_few_at_once() {
    let kv = Kv { latency_ns: 50 * MS, bytes_per_second: 4000 * MIB, at_once: 4 };
    let mut busy = Busy::new();
    busy.moves(&kv, 200, MIB);
    let reached = busy.moves(&kv, 200, MIB);
    assert!(reached > 0.9 * 4.0 * MIB as f64 / 0.0505, "{reached}");
    assert!(busy.most <= 10, "{} under way", busy.most);
}

#[test]
fn a_line_without_latency_has_one_under_way_and_one_behind_it() {
    let kv = Kv { latency_ns: MS / 10, bytes_per_second: 100 * MIB, at_once: 1000 };
    let mut busy = Busy::new();
    busy.moves(&kv, 100, 4 * MIB);
    let reached = busy.moves(&kv, 100, 4 * MIB);
    assert!(reached > 0.95 * (100 * MIB) as f64, "{reached}");
    assert!(busy.most <= 17, "{} under way", busy.most);
}

#[test]
fn a_kv_that_becomes_slower_gets_less_and_one_that_recovers_more() {
    let fast = Kv { latency_ns: 100 * MS, bytes_per_second: 400 * MIB, at_once: 1000 };
    let slow = Kv { bytes_per_second: 20 * MIB, ..fast };
    let mut busy = Busy::new();
    busy.moves(&fast, 400, MIB);
    let before = busy.flow.window();
    busy.moves(&slow, 400, MIB);
    assert!(busy.flow.window() <= before / 2, "{} of {before}", busy.flow.window());
    busy.moves(&fast, 600, MIB);
    let reached = busy.moves(&fast, 400, MIB);
    assert!(reached > 0.9 * (400 * MIB) as f64, "{reached}");
}

#[test]
fn a_latency_that_is_longer_for_good_is_not_taken_for_a_queue() {
    let near = Kv { latency_ns: 10 * MS, bytes_per_second: 4000 * MIB, at_once: 1000 };
    let far = Kv { latency_ns: 100 * MS, ..near };
    let mut busy = Busy::new();
    busy.moves(&near, 400, MIB);
    busy.moves(&far, 1000, MIB);
    let reached = busy.moves(&far, 1000, MIB);
    assert!(reached > 8.0 * MIB as f64 / 0.1, "{reached}");
}

#[test]
fn chunks_that_grow_are_not_taken_for_a_queue() {
    let kv = Kv { latency_ns: 20 * MS, bytes_per_second: 200 * MIB, at_once: 1000 };
    let mut busy = Busy::new();
    for bytes in [MIB / 4, MIB / 2, MIB, 2 * MIB] {
        busy.moves(&kv, 4, bytes);
    }
    let reached = busy.moves(&kv, 60, 4 * MIB);
    assert!(reached > 0.85 * (200 * MIB) as f64, "{reached}");
}

#[test]
fn transfers_share_the_window_and_each_may_have_one() {
    let mut flow = Flow::default();
    flow.join();
    flow.join();
    for _ in 0..WINDOW_FIRST {
        assert!(flow.may_begin(WINDOW_FIRST - 1, 16), "the window has room");
        flow.move_one();
    }
    let fair = WINDOW_FIRST / 2;
    assert!(flow.may_begin(fair - 1, 16), "its part");
    assert!(!flow.may_begin(fair, 16), "the window is full");
    flow.moved_one();
    assert!(flow.may_begin(fair, 16), "others leave room");
    assert!(!flow.may_begin(fair, 2), "not more than is useful");
    assert!(flow.may_begin(0, 1), "one in any case");
}

/// On platforms whose clock stands still nothing can be measured.
#[test]
fn a_clock_that_stands_still_does_no_harm() {
    let mut flow = Flow::default();
    for _ in 0..1000 {
        let under_way = flow.begin();
        flow.sample(Sample { begun_ns: 7, ended_ns: 7, bytes: MIB, under_way });
        flow.end();
    }
    assert!(flow.window() >= WINDOW_FIRST);
}

/// Where the clock moves only across I/O, it stands at the last answer when one begins.
#[test]
fn a_clock_that_moves_across_io_only_will_do() {
    let kv = Kv { latency_ns: 30 * MS, bytes_per_second: 200 * MIB, at_once: 6 };
    let mut busy = Busy::new();
    busy.moves(&kv, 100, MIB);
    let reached = busy.moves(&kv, 100, MIB);
    assert!(reached > 0.9 * 6.0 * MIB as f64 / 0.035, "{reached}");
}
