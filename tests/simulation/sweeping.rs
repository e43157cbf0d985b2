//! Sweeps beside everybody, and what is there when all is over.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chunk_store::error::Error;
use chunk_store::kv::KvLimits;
use chunk_store::limits::CLOCK_MARGIN_SECONDS;
use chunk_store::object::{SweepOptions, SweepReport};
use chunk_store_tests::needed::keys_needed;
use chunk_store_tests::random::Random;
use tokio::time::sleep;

use crate::history::History;
use crate::source::Pace;
use crate::world::{Member, SimulatedStore, Watched, World};

/// A sweep that is cut into more calls does not come to its end.
const CALLS_MAX: usize = 2000;

/// One that sweeps from time to time.
pub struct Sweeper {
    store: SimulatedStore,
    kv: Arc<Watched>,
    random: Random,
    history: Rc<History>,
    name: usize,
    grace_seconds: u32,
}

impl Sweeper {
    pub fn new(member: Member, mut random: Random, history: Rc<History>, name: usize) -> Self {
        let grace_seconds = [0, 0, 60, 600, 3600][random.below(5) as usize];
        history.sweeps(least_grace(grace_seconds, &member.store.limits()));
        let Member { store, kv, .. } = member;
        Self { store, kv, random, history, name, grace_seconds }
    }

    /// From time to time for hours, or again and again for a while.
    pub async fn work(mut self, pace: Pace) {
        let (sweeps, longest_ms) = match (pace, self.random.below(4)) {
            (Pace::Busy, _) | (_, 0) => (60, [20_000; 3]),
            _ => (5, [3000, 600_000, 3_600_000]),
        };
        for _ in 0..sweeps {
            let longest_ms = longest_ms[self.random.below(3) as usize];
            sleep(Duration::from_millis(self.random.below(longest_ms))).await;
            self.sweep().await;
        }
    }

    /// One sweep, in as many calls as it takes.
    async fn sweep(&mut self) {
        let mut options = SweepOptions {
            grace_seconds: self.grace_seconds,
            operations_max: [None, Some(16), Some(16 + self.random.below(100) as u32)]
                [self.random.below(3) as usize],
            dry_run: self.random.below(8) == 0,
            ..SweepOptions::default()
        };
        let writes = self.kv.writes();
        let mut report = SweepReport::default();
        for call in 0.. {
            assert!(call < CALLS_MAX, "a sweep does not end: {report:?}");
            match self.store.sweep(&options).await {
                Ok(next) => report.add(next),
                Err(Error::Unavailable(why, _)) => {
                    self.history.note(|| format!("{} sweep failed: {why}", self.name));
                    break;
                }
                Err(error) => panic!("a sweep: {error:?}"),
            }
            options.cursor = report.cursor.take();
            if options.cursor.is_none() {
                break;
            }
            let pause_ms = [0, 1000, 600_000][self.random.below(3) as usize];
            sleep(Duration::from_millis(self.random.below(pause_ms + 1))).await;
        }
        self.history.note(|| format!("{} sweep {options:?}: {report:?}", self.name));
        assert!(!options.dry_run || self.kv.writes() == writes, "it was only to report");
    }
}

/// How long what was replaced is there for those reading it, whatever the clocks say that
/// it was condemned and is swept by.
fn least_grace(grace_seconds: u32, limits: &KvLimits) -> Duration {
    let margin = Duration::from_secs(CLOCK_MARGIN_SECONDS);
    let platform = Duration::from_millis((limits.staleness_ms + limits.write_lag_ms_max).into());
    let grace = Duration::from_secs(grace_seconds.into()).max(platform + margin);
    grace - margin
}

/// Sweeps when nobody works any more, until nothing is left to do. What is there then is
/// what objects need, and no more; `lossy`: but for content that a crash brought back.
pub async fn sweep_to_the_end(world: &World, random: &mut Random, lossy: bool) {
    let store = world.exact_member(random).store;
    let options = SweepOptions { grace_seconds: 0, no_writers: true, ..SweepOptions::default() };
    // Where reads can be stale what one pass finds unneeded may still be seen until then.
    let passes = if world.limits.staleness_ms > 0 { 2 } else { 1 };
    for _ in 0..passes {
        sleep(Duration::from_millis(u64::from(world.limits.staleness_ms) + 1)).await;
        let report = store.sweep(&options).await.expect("nothing fails");
        assert!(report.cursor.is_none());
    }
    let values = world.values().await;
    let needed = keys_needed(&values);
    let there: BTreeSet<String> = values.into_keys().collect();
    let missing: Vec<_> = needed.difference(&there).collect();
    assert!(missing.is_empty(), "objects need what is gone: {missing:?}");
    let content = |key: &str| key.starts_with("c/") || key.starts_with("x/");
    let left: Vec<_> = there.difference(&needed).filter(|key| !(lossy && content(key))).collect();
    assert!(left.is_empty(), "no object needs what is left: {left:?}");
}
