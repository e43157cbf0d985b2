//! What kv is asked, counted, and timed for [`pacing`](crate::pacing): between the store's
//! patience and the kv itself.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;

use crate::clock::Clock;
use crate::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use crate::metrics::Metrics;
use crate::metrics::families::{KV_BYTES, KV_OPERATIONS, KV_SECONDS, KV_UNDER_WAY};
use crate::pacing::flow::Sample;
use crate::pacing::{Direction, Pacing};
use crate::range::Span;

/// A kv whose operations are counted and timed.
#[derive(Debug)]
pub struct Asked<K, C> {
    kv: K,
    clock: Rc<C>,
    metrics: Metrics,
    pacing: Rc<RefCell<Pacing>>,
}

/// A get or a set under way, until this is dropped.
struct Flight {
    pacing: Rc<RefCell<Pacing>>,
    direction: Direction,
    begun_ns: u64,
    under_way: usize,
}

impl Flight {
    /// It has succeeded, with a value of so many bytes.
    fn landed(self, ended_ns: u64, bytes: u64) {
        let Self { begun_ns, under_way, direction, .. } = self;
        let sample = Sample { begun_ns, ended_ns, bytes, under_way };
        self.pacing.borrow_mut().flow(direction).sample(sample);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.pacing.borrow_mut().flow(self.direction).end();
    }
}

impl<K: Kv, C: Clock> Asked<K, C> {
    /// Counts what `kv` is asked, timed by `clock`.
    pub fn new(kv: K, clock: C) -> Self
    where
        C: 'static,
    {
        let clock = Rc::new(clock);
        let metrics = Metrics::timed_by(clock.clone());
        Self { kv, metrics, clock, pacing: Rc::default() }
    }

    /// The clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// Where it is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What its answers tell of it.
    pub fn pacing(&self) -> &Rc<RefCell<Pacing>> {
        &self.pacing
    }

    fn begin(&self, direction: Direction) -> Flight {
        let under_way = self.pacing.borrow_mut().flow(direction).begin();
        let begun_ns = self.clock.monotonic_ns();
        Flight { pacing: self.pacing.clone(), direction, begun_ns, under_way }
    }

    async fn ask<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, KvError>>,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, KvError> {
        let begun_ns = self.clock.monotonic_ns();
        self.metrics.note(|it| it.kv_operations += 1);
        // Its caller may lose interest.
        let under_way = self.metrics.begin(&KV_OPERATIONS, &KV_UNDER_WAY, operation, "abandoned");
        let result = answer.await;
        let ended_ns = self.clock.monotonic_ns();
        let took_ns = ended_ns.saturating_sub(begun_ns);
        match &result {
            Err(KvError::Throttled(ms)) => {
                self.pacing.borrow_mut().rate.refused(begun_ns, ended_ns, *ms);
            }
            Err(KvError::Unavailable(_)) => {}
            Ok(_) | Err(KvError::Rejected(_)) => self.pacing.borrow_mut().rate.accepted(ended_ns),
        }
        self.metrics.observe(&KV_SECONDS, [operation, ""], took_ns as f64 / 1e9);
        under_way.end(match &result {
            Ok(value) => outcome(value),
            Err(KvError::Unavailable(_)) => "unavailable",
            Err(KvError::Throttled(_)) => "throttled",
            Err(KvError::Rejected(_)) => "rejected",
        });
        result
    }
}

fn of_write(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "ok",
        Outcome::Stale => "stale",
    }
}

impl<K: Kv, C: Clock> Kv for Asked<K, C> {
    fn limits(&self) -> KvLimits {
        self.kv.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let flight = self.begin(Direction::Read);
        let entry = self.ask("get", self.kv.get(key, part), |_| "ok").await?;
        let bytes = entry.as_ref().map_or(0, |entry| entry.value.len()) as u64;
        self.metrics.add(&KV_BYTES, ["read", ""], bytes);
        self.metrics.note(|it| it.kv_read_bytes += bytes);
        flight.landed(self.clock.monotonic_ns(), bytes);
        Ok(entry)
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let bytes = value.len() as u64;
        self.metrics.add(&KV_BYTES, ["written", ""], bytes);
        self.metrics.note(|it| it.kv_written_bytes += bytes);
        let flight = self.begin(Direction::Write);
        let outcome = self.ask("set", self.kv.set(key, value, options), of_write).await?;
        flight.landed(self.clock.monotonic_ns(), bytes);
        Ok(outcome)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.ask("delete", self.kv.delete(key, condition), of_write).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.ask("list-keys", self.kv.list_keys(prefix, cursor, limit), |_| "ok").await
    }
}
