//! What the simulated clients run on: one kv with faults, and a clock for each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::clock::Clock;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::limits::{CLOCK_MARGIN_SECONDS, LIST_LIMIT_MAX};
use chunk_store::range::Span;
use chunk_store::store::Store;
use chunk_store_host::kv::fault::{FaultyBackend, Plan};
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::kv::{Backend, Native};
use chunk_store_tests::random::Random;
use tokio::time::Instant;

/// When every world begins, in milliseconds since the Unix epoch.
const BEGINNING_MS: u64 = 1_790_000_000_000;

/// Clocks are off by up to so much, in milliseconds, to either side: the store counts on
/// two of them being no further apart than `CLOCK_MARGIN_SECONDS`.
const SKEW_MS_MAX: u64 = 1000 * CLOCK_MARGIN_SECONDS / 2;

pub type SimulatedStore = Store<Native, SimulatedClock>;

/// What somebody takes for the time.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    begun: Instant,
    beginning_ms: u64,
}

impl Wall {
    /// In milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.beginning_ms + self.begun.elapsed().as_millis() as u64
    }
}

/// tokio's time, which passes when everybody waits, seen by a clock that is off.
pub struct SimulatedClock {
    wall: Wall,
    random: RefCell<Random>,
}

impl Clock for SimulatedClock {
    fn wall_ms(&self) -> u64 {
        self.wall.now_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        self.wall.begun.elapsed().as_nanos() as u64
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn random(&self) -> u128 {
        let mut random = self.random.borrow_mut();
        u128::from(random.draw()) << 64 | u128::from(random.draw())
    }
}

/// A process of its own: its store, what that has under way, and its clock.
pub struct Member {
    pub store: SimulatedStore,
    pub kv: Arc<Watched>,
    pub wall: Wall,
}

/// One kv, and the time since its beginning.
pub struct World {
    pub kv: FaultyBackend<WriteOnce>,
    pub limits: KvLimits,
    begun: Instant,
}

impl World {
    pub fn new(limits: KvLimits, plan: Plan, seed: u64) -> Self {
        let kv = FaultyBackend::new(WriteOnce::default(), limits.clone(), plan, seed);
        Self { kv, limits, begun: Instant::now() }
    }

    /// A process with a clock that is off by chance.
    pub fn member(&self, random: &mut Random) -> Member {
        let skewed_ms = BEGINNING_MS - SKEW_MS_MAX + random.below(2 * SKEW_MS_MAX);
        self.member_at(skewed_ms, random)
    }

    /// A process whose clock is right.
    pub fn exact_member(&self, random: &mut Random) -> Member {
        self.member_at(BEGINNING_MS, random)
    }

    fn member_at(&self, beginning_ms: u64, random: &mut Random) -> Member {
        let wall = Wall { begun: self.begun, beginning_ms };
        let clock = SimulatedClock { wall, random: RefCell::new(Random::new(random.draw())) };
        let kv = Arc::new(Watched::new(self.kv.clone()));
        Member { store: Store::new(Native(kv.clone()), clock), kv, wall }
    }

    /// No faults from now on; and everything that is still on its way has arrived, and
    /// every read is current again.
    pub async fn settle(&self) {
        self.kv.set_plan(Plan::default());
        let ms = self.limits.write_lag_ms_max + self.limits.staleness_ms;
        tokio::time::sleep(Duration::from_millis(u64::from(ms) + 120_000)).await;
    }

    /// Every key that there is, and its value.
    pub async fn values(&self) -> BTreeMap<String, Bytes> {
        let mut values = BTreeMap::new();
        let page = self.kv.list_keys("", None, LIST_LIMIT_MAX).await.expect("nothing fails");
        assert!(page.cursor.is_none(), "more keys than a page holds");
        for listed in page.keys {
            let entry = self.kv.get(&listed.key, None).await.expect("nothing fails");
            values.insert(listed.key, entry.expect("nobody writes").value);
        }
        values
    }
}

/// A memory that fails the test if a chunk or a page is ever written with two contents.
#[derive(Default)]
pub struct WriteOnce {
    memory: MemoryBackend,
    written: Mutex<BTreeMap<String, blake3::Hash>>,
}

#[async_trait]
impl Backend for WriteOnce {
    fn limits(&self) -> KvLimits {
        self.memory.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.memory.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        if key.starts_with("c/") || key.starts_with("x/") {
            let digest = blake3::hash(&value);
            let before = self.written.lock().unwrap().insert(key.into(), digest);
            assert!(before.is_none_or(|before| before == digest), "{key} had another content");
        }
        self.memory.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.memory.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.memory.list_keys(prefix, cursor, limit).await
    }
}

/// Counts what one client has under way.
pub struct Watched {
    kv: FaultyBackend<WriteOnce>,
    operations: Gauge,
    set_bytes: Gauge,
    writes: AtomicU64,
}

#[derive(Default)]
struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
}

impl Gauge {
    fn enter(&self, count: u64) -> Inside<'_> {
        let now = self.now.fetch_add(count, Relaxed) + count;
        self.most.fetch_max(now, Relaxed);
        Inside { gauge: self, count }
    }
}

struct Inside<'a> {
    gauge: &'a Gauge,
    count: u64,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(self.count, Relaxed);
    }
}

impl Watched {
    fn new(kv: FaultyBackend<WriteOnce>) -> Self {
        let writes = AtomicU64::new(0);
        Self { kv, operations: Gauge::default(), set_bytes: Gauge::default(), writes }
    }

    /// How many sets and deletes were begun.
    pub fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }

    /// The most kv operations that were under way at once.
    pub fn operations_most(&self) -> u64 {
        self.operations.most.load(Relaxed)
    }

    /// The most bytes of values that were being set at once.
    pub fn set_bytes_most(&self) -> u64 {
        self.set_bytes.most.load(Relaxed)
    }
}

#[async_trait]
impl Backend for Watched {
    fn limits(&self) -> KvLimits {
        self.kv.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let _inside = self.operations.enter(1);
        self.kv.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let _inside = self.operations.enter(1);
        let _held = self.set_bytes.enter(value.len() as u64);
        self.writes.fetch_add(1, Relaxed);
        self.kv.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let _inside = self.operations.enter(1);
        self.writes.fetch_add(1, Relaxed);
        self.kv.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let _inside = self.operations.enter(1);
        self.kv.list_keys(prefix, cursor, limit).await
    }
}
