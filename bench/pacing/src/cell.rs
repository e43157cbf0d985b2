//! One cell of the grid: an object is put and read over one kind of kv.

use chunk_store::error::Error;
use chunk_store::limits::CHUNK_BYTES_USUAL;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::store::Store;

use crate::ends::{SteadySource, take};
use crate::kv::{Ability, SimulatedKv};
use crate::time::Time;

/// No object is larger or smaller, in bytes.
const BYTES_MIN: f64 = (16 << 20) as f64;
const BYTES_MAX: f64 = (384 << 20) as f64;

/// An object takes as many round trips, and as many seconds, at the bound.
const ROUND_TRIPS: f64 = 60.0;
const SECONDS: f64 = 0.5;

/// Readers leave a quarter of the memory free: see `Budget::try_take`.
const READERS_PART: f64 = 0.75;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The kv.
    pub ability: Ability,
    /// How fast the source sends and the reader takes.
    pub bytes_per_second: f64,
}

/// What one direction came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// In bytes per second, from the first call to the last byte.
    pub bytes_per_second: f64,
    /// What is possible.
    pub bound: f64,
    /// Until the first byte, in nanoseconds; of a get.
    pub first_byte_ns: u64,
    /// The most memory that was in use.
    pub memory_bytes: u64,
    /// What was read ahead for nothing.
    pub wasted_bytes: u64,
    /// The most calls under way at once, all calls, and those that were refused.
    pub most: usize,
    /// See `most`.
    pub calls: u64,
    /// See `most`.
    pub refused: u64,
}

impl Reached {
    /// Which part of the bound it is.
    pub fn share(&self) -> f64 {
        self.bytes_per_second / self.bound
    }
}

impl Cell {
    /// The most that a writer can reach: what its source sends, what kv does at its best
    /// with chunks of the usual size, and what memory keeps on its way.
    pub fn put_bound(&self) -> f64 {
        self.bound(1.0)
    }

    /// The same for a reader.
    pub fn get_bound(&self) -> f64 {
        self.bound(READERS_PART)
    }

    fn bound(&self, memory_part: f64) -> f64 {
        let Ability { latency_ns, bytes_per_second, at_once, calls_per_second, .. } = self.ability;
        let (latency, chunk) = (latency_ns as f64 / 1e9, CHUNK_BYTES_USUAL as f64);
        let at_once = at_once.min(self.ability.useful_max as usize) as f64;
        // A value is in memory from when kv is asked until all of it has moved.
        let delay = latency + chunk / bytes_per_second;
        let served = at_once * chunk / delay;
        let memory = memory_part * self.ability.memory_bytes_max as f64 / delay;
        let called = calls_per_second.map_or(f64::INFINITY, |calls| calls * chunk);
        [bytes_per_second, served, memory, called]
            .iter()
            .fold(self.bytes_per_second, |a, b| a.min(*b))
    }

    /// Length of the object: long enough that its beginning and end do not count for much.
    fn bytes(&self) -> u64 {
        let seconds = (ROUND_TRIPS * self.ability.latency_ns as f64 / 1e9).max(SECONDS);
        (self.put_bound() * seconds).clamp(BYTES_MIN, BYTES_MAX) as u64
    }

    /// Puts an object and reads it, by a store that knows nothing.
    pub fn run(&self) -> Result<(Reached, Reached), Error> {
        let time = Time::default();
        let kv = SimulatedKv::new(&time, self.ability);
        let store = Store::new(kv.clone(), time.clone());
        let bytes = self.bytes();
        time.run(async {
            let source = SteadySource::new(&time, bytes, self.bytes_per_second);
            let options = PutOptions { size: Some(bytes), ..PutOptions::default() };
            store.put("object", source, &options).await?;
            let put = self.reached(&store, &kv, bytes, 0, 0, self.put_bound());
            let begun_ns = time.now_ns();
            let counts = kv.counts();
            let before = (counts.calls.get(), counts.refused.get());
            counts.most.set(0);
            let (_, mut reader) = store.get("object", &GetOptions::default()).await?;
            let (taken, first_ns) = take(&time, &mut reader, self.bytes_per_second).await?;
            assert_eq!(taken, bytes);
            let get = self.reached(&store, &kv, bytes, begun_ns, first_ns, self.get_bound());
            let (calls, refused) = (get.calls - before.0, get.refused - before.1);
            Ok((put, Reached { calls, refused, ..get }))
        })
    }

    fn reached(
        &self,
        store: &Store<SimulatedKv, Time>,
        kv: &SimulatedKv,
        bytes: u64,
        begun_ns: u64,
        first_ns: u64,
        bound: f64,
    ) -> Reached {
        use chunk_store::clock::Clock as _;
        let now_ns = kv.time().monotonic_ns();
        let metrics = store.metrics();
        let value = |name: &str, labels: &[(&str, &str)]| metrics.value(name, labels) as u64;
        let counts = kv.counts();
        Reached {
            bytes_per_second: bytes as f64 * 1e9 / (now_ns - begun_ns) as f64,
            bound,
            first_byte_ns: first_ns.saturating_sub(begun_ns),
            memory_bytes: value("chunk_store_buffer_peak_bytes", &[]),
            wasted_bytes: value("chunk_store_read_ahead_bytes_total", &[("outcome", "wasted")]),
            most: counts.most.get(),
            calls: counts.calls.get(),
            refused: counts.refused.get(),
        }
    }
}
