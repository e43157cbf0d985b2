//! What operations do, counted; see [`metrics`](crate::metrics).

use std::collections::VecDeque;
use std::future::Future;

use super::Store;
use crate::body::Source;
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::Kv;
#[cfg(target_family = "wasm")]
use crate::metrics::families::GUEST_MEMORY_BYTES;
use crate::metrics::families::{
    BODY_BYTES, BUFFER_BYTES, BUFFER_BYTES_MAX, BUFFER_BYTES_PEAK, CHUNK_BYTES, FIRST_BYTE_SECONDS,
    Family, KV_BASE_SECONDS, KV_CALLS_PER_SECOND, KV_DELIVERED, KV_ESTIMATES, KV_WINDOW,
    READ_AHEAD_BYTES,
};
use crate::metrics::{Ended, Metrics, On, Sample, Scope, Snapshot, Work};

impl<K: Kv, C: Clock> Store<K, C> {
    /// Where this store counts.
    pub(super) fn measures(&self) -> &Metrics {
        self.kv().metrics()
    }

    /// What this store and its clones have done since it began.
    pub fn metrics(&self) -> Snapshot {
        let mut now = self.measures().read();
        let mut gauge = |name: &str, bytes: u64| {
            now.gauges.push(Sample {
                name: name.to_string(),
                labels: Vec::new(),
                value: bytes as f64,
            });
        };
        if let Some(budget) = self.inner.budget.get() {
            gauge(BUFFER_BYTES.name, budget.bytes_in_use());
            gauge(BUFFER_BYTES_PEAK.name, budget.bytes_peak());
            gauge(BUFFER_BYTES_MAX.name, budget.bytes_max());
        }
        #[cfg(target_family = "wasm")]
        gauge(GUEST_MEMORY_BYTES.name, (core::arch::wasm32::memory_size(0) as u64) << 16);
        self.estimates(&mut now);
        now
    }

    /// What pacing has found out, as far as it has.
    fn estimates(&self, now: &mut Snapshot) {
        let mut gauge = |family: &Family, direction: Option<&str>, value: f64| {
            let labels = direction.map(|direction| ("direction".into(), direction.into()));
            let labels = labels.into_iter().collect();
            now.gauges.push(Sample { name: family.name.to_string(), labels, value });
        };
        let pacing = self.kv().pacing().borrow();
        for (direction, flow) in [("read", &pacing.reads), ("written", &pacing.writes)] {
            let (Some(base_ns), _) = flow.latency_ns() else { continue };
            gauge(&KV_WINDOW, Some(direction), flow.window() as f64);
            gauge(&KV_DELIVERED, Some(direction), flow.bytes_per_second());
            gauge(&KV_BASE_SECONDS, Some(direction), base_ns / 1e9);
            gauge(&KV_ESTIMATES, Some(direction), 1.0);
        }
        if let Some(per_second) = pacing.rate.per_second() {
            gauge(&KV_CALLS_PER_SECOND, None, per_second);
        }
    }

    /// The operations that have ended since they were taken before; see
    /// [`Metrics::take_ended`].
    pub fn take_ended(&self) -> Ended {
        self.measures().take_ended()
    }

    /// Does what is part of a trace: the operations that begin meanwhile are noted with it.
    /// `trace` is a `traceparent` of W3C Trace Context, or whatever else says which.
    pub async fn traced<T>(&self, trace: Option<&str>, part: impl Future<Output = T>) -> T {
        self.measures().traced(trace, part).await
    }

    pub(super) fn measure_chunk(&self, direction: &'static str, bytes: usize) {
        self.measures().observe(&CHUNK_BYTES, [direction, ""], bytes as f64);
        self.measures().note(|operation| match direction {
            "read" => operation.chunks_read += 1,
            _ => operation.chunks_written += 1,
        });
    }

    /// An operation on this upload learns which object it is to become.
    pub(super) fn measure_upload(&self, upload: &str, key: &str) {
        self.measures().note(|operation| {
            if operation.upload.as_deref() == Some(upload) && operation.key.is_empty() {
                operation.key = key.to_string();
            }
        });
    }

    /// Counts an operation, with its outcome.
    pub(super) async fn counted<T>(
        &self,
        operation: &'static str,
        on: On<'_>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut counted = self.measures().work(operation, on);
        let result = counted.scope().around(work).await;
        counted.end(result.as_ref().err());
        result
    }
}

/// A body on its way in, whose bytes are counted.
pub(super) struct CountedSource<S> {
    pub source: S,
    pub metrics: Metrics,
}

impl<S: Source> Source for CountedSource<S> {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let had = buffer.len();
        let (buffer, ended) = self.source.read(buffer).await;
        let bytes = (buffer.len() - had) as u64;
        self.metrics.add(&BODY_BYTES, ["in", ""], bytes);
        self.metrics.note(|operation| operation.received_bytes += bytes);
        (buffer, ended)
    }

    async fn done(&mut self) -> Result<(), String> {
        self.source.done().await
    }
}

/// A body on its way out: counted until it has ended, failed, or is dropped.
pub(super) struct Delivery {
    metrics: Metrics,
    work: Work,
    /// Up to here its bytes are counted: what is put back and read again counts once.
    counted_to: Option<u64>,
}

impl Delivery {
    /// Of an operation that begins now.
    pub fn begin<K: Kv, C: Clock>(store: &Store<K, C>, operation: &'static str, key: &str) -> Self {
        let metrics = store.measures().clone();
        let work = metrics.work(operation, On::Key(key));
        Self { metrics, work, counted_to: None }
    }

    /// Where it is at work.
    pub fn scope(&self) -> Scope {
        self.work.scope()
    }

    /// Does part of it.
    pub async fn around<T>(&self, part: impl Future<Output = T>) -> T {
        self.scope().around(part).await
    }

    /// Bytes from `start` to `end` are given out.
    pub fn delivered(&mut self, start: u64, end: u64) {
        if self.counted_to.is_none() {
            let took_ns = self.work.elapsed_ns();
            self.metrics.observe(&FIRST_BYTE_SECONDS, ["", ""], took_ns as f64 / 1e9);
            self.work.note(|operation| operation.first_byte_ns = Some(took_ns));
        }
        let counted_to = self.counted_to.unwrap_or(start);
        // What lies between belongs to another reader.
        let bytes = end.saturating_sub(counted_to.max(start));
        self.metrics.add(&BODY_BYTES, ["out", ""], bytes);
        self.work.note(|operation| operation.sent_bytes += bytes);
        self.counted_to = Some(counted_to.max(end));
    }

    /// It has ended; what comes after is not counted.
    pub fn ended(&mut self, error: Option<&Error>) {
        self.work.end(error);
    }
}

/// What a reader has asked for and not come to yet. Dropped, it was for nothing.
pub(super) struct Ahead {
    metrics: Metrics,
    /// The chunks' bytes in order; 0 of one that the reader was waiting for at once.
    bytes: VecDeque<u64>,
}

impl Ahead {
    /// Of one reader.
    pub fn new<K: Kv, C: Clock>(store: &Store<K, C>) -> Self {
        Self { metrics: store.measures().clone(), bytes: VecDeque::new() }
    }

    /// A chunk is asked for, `ahead` of the reader or because it waits for it.
    pub fn for_chunk(&mut self, bytes: u64, ahead: bool) {
        self.bytes.push_back(if ahead { bytes } else { 0 });
    }

    /// The reader has come to the first one; `used` unless there was something wrong with
    /// it.
    pub fn came(&mut self, used: bool) {
        if let Some(bytes) = self.bytes.pop_front().filter(|bytes| used && *bytes > 0) {
            self.metrics.add(&READ_AHEAD_BYTES, ["used", ""], bytes);
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let wasted: u64 = self.bytes.iter().sum();
        if wasted > 0 {
            self.metrics.add(&READ_AHEAD_BYTES, ["wasted", ""], wasted);
        }
    }
}
