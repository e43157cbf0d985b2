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
use chunk_store::range::Span;
use chunk_store::store::Store;
use chunk_store_host::kv::fault::{FaultyBackend, Plan};
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::kv::{Backend, Native};
use chunk_store_tests::random::Random;
use tokio::time::Instant;

/// When every world begins, in milliseconds since the Unix epoch.
const BEGINNING_MS: u64 = 1_790_000_000_000;

/// Clocks are apart by up to so much, in milliseconds, to either side.
const SKEW_MS_MAX: u64 = 180_000;

pub type SimulatedStore = Store<Native, SimulatedClock>;

/// tokio's time, which passes when everybody waits, seen by a clock that is off.
pub struct SimulatedClock {
    begun: Instant,
    wall_ms: u64,
    random: RefCell<Random>,
}

impl Clock for SimulatedClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms + self.begun.elapsed().as_millis() as u64
    }

    fn monotonic_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn random(&self) -> u128 {
        let mut random = self.random.borrow_mut();
        u128::from(random.draw()) << 64 | u128::from(random.draw())
    }
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

    /// A process of its own, with a clock that is off by chance.
    pub fn client(&self, random: &mut Random) -> (SimulatedStore, Arc<Watched>) {
        let wall_ms = BEGINNING_MS - SKEW_MS_MAX + random.below(2 * SKEW_MS_MAX);
        self.client_at(wall_ms, random)
    }

    /// A process whose clock is right.
    pub fn exact_client(&self, random: &mut Random) -> SimulatedStore {
        self.client_at(BEGINNING_MS, random).0
    }

    fn client_at(&self, wall_ms: u64, random: &mut Random) -> (SimulatedStore, Arc<Watched>) {
        let clock = SimulatedClock {
            begun: self.begun,
            wall_ms,
            random: RefCell::new(Random::new(random.draw())),
        };
        let watched = Arc::new(Watched::new(self.kv.clone()));
        (Store::new(Native(watched.clone()), clock), watched)
    }

    /// No faults from now on; and everything that is still on its way has arrived, and
    /// every read is current again.
    pub async fn settle(&self) {
        self.kv.set_plan(Plan::default());
        let ms = self.limits.write_lag_ms_max + self.limits.staleness_ms;
        tokio::time::sleep(Duration::from_millis(u64::from(ms) + 120_000)).await;
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
        Self { kv, operations: Gauge::default(), set_bytes: Gauge::default() }
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
        self.kv.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let _inside = self.operations.enter(1);
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
