//! kv operations with time-outs and retries: what every operation goes through.
//!
//! A failed attempt of an operation that may be repeated is tried again with
//! growing waits, within the bounds of [`Attempts`]. A conditional write is
//! different: after a time-out or a lost connection it may have landed, and the
//! same condition would then not hold against our own value. Only whoever reads
//! back can tell, so the failure goes to the caller as [`Failure::Ambiguous`].

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures::future::{Either, select};

use crate::ask::Asked;
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use crate::limits::{Attempts, HINT_ATTEMPTS, KV_ATTEMPTS, TURN_MS_MAX};
use crate::metrics::Metrics;
use crate::metrics::families::KV_RETRIES;
use crate::pacing::Pacing;
use crate::range::Span;

/// A kv and a clock, and the rules for using one by the other.
#[derive(Debug)]
pub struct Patient<K, C> {
    kv: Asked<K, C>,
}

/// Why a conditional write did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may have landed.
    Ambiguous(String),
    /// It has not.
    Definite(Error),
}

impl<K: Kv, C: Clock> Patient<K, C> {
    /// Uses `kv` by `clock`.
    pub fn new(kv: K, clock: C) -> Self
    where
        C: 'static,
    {
        Self { kv: Asked::new(kv, clock) }
    }

    /// What the platform can hold and do.
    pub fn limits(&self) -> KvLimits {
        self.kv.limits()
    }

    /// The clock.
    pub fn clock(&self) -> &C {
        self.kv.clock()
    }

    /// What it has done.
    pub fn metrics(&self) -> &Metrics {
        self.kv.metrics()
    }

    /// What its answers have told of kv.
    pub fn pacing(&self) -> &Rc<RefCell<Pacing>> {
        self.kv.pacing()
    }

    /// Waits for the turn of a call, where kv has refused some: see
    /// [`rate`](crate::pacing::rate).
    async fn turn(&self) {
        let began = self.clock().monotonic_ns();
        while self.elapsed_ms(began) < TURN_MS_MAX {
            let now_ns = self.clock().monotonic_ns();
            let wait_ns = self.pacing().borrow_mut().rate.turn(now_ns);
            if wait_ns == 0 {
                return;
            }
            self.clock().sleep_ms(wait_ns.div_ceil(1_000_000)).await;
        }
    }

    /// Reads a value, or part of it.
    pub async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, Error> {
        self.retry(&KV_ATTEMPTS, || self.kv.get(key, part)).await
    }

    /// Writes a value that nobody else writes under this key, or that may be written
    /// again whatever happened in between.
    pub async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<(), Error> {
        debug_assert!(options.condition.is_none(), "a conditional set cannot be repeated");
        self.retry(&KV_ATTEMPTS, || self.kv.set(key, value.clone(), options.clone())).await?;
        Ok(())
    }

    /// As [`Patient::set`]; says whether an attempt was given up before the one that
    /// succeeded, and may yet land.
    pub async fn set_and_tell(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> Result<bool, Error> {
        let (set, landed_max) = self.set_and_count(key, value, options).await;
        set.map(|()| landed_max > 1)
    }

    /// As [`Patient::set`], for a value that makes something appear: after an attempt that may
    /// have landed, whatever else went wrong, so may the whole have.
    pub async fn set_or_tell(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> Result<(), Failure> {
        let (set, landed_max) = self.set_and_count(key, value, options).await;
        set.map_err(|error| match landed_max {
            0 => Failure::Definite(error),
            _ => Failure::Ambiguous(error.to_string()),
        })
    }

    /// Sets until it succeeds, and counts the attempts that may have landed, or may yet.
    async fn set_and_count(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> (Result<(), Error>, u32) {
        let landed_max = Cell::new(0);
        let set = async || {
            // Before it answers: it may be given up.
            landed_max.update(|count| count + 1);
            let result = self.kv.set(key, value.clone(), options.clone()).await;
            if matches!(result, Err(KvError::Throttled(_) | KvError::Rejected(_))) {
                // That did nothing.
                landed_max.update(|count| count - 1);
            }
            result
        };
        let set = self.retry(&KV_ATTEMPTS, set).await;
        (set.map(drop), landed_max.get())
    }

    /// Writes a value once, for what can be done without.
    pub async fn set_as_hint(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> Result<Outcome, Error> {
        self.retry(&HINT_ATTEMPTS, || self.kv.set(key, value.clone(), options.clone())).await
    }

    /// Writes a value under a condition, once: repeated only where the platform said
    /// that it did nothing.
    pub async fn set_if(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> Result<Outcome, Failure> {
        self.once(|| self.kv.set(key, value.clone(), options.clone())).await
    }

    /// Deletes a value that nobody writes again.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.retry(&KV_ATTEMPTS, || self.kv.delete(key, None)).await?;
        Ok(())
    }

    /// Deletes a value under a condition, once.
    pub async fn delete_if(
        &self,
        key: &str,
        condition: Option<Condition>,
    ) -> Result<Outcome, Failure> {
        self.once(|| self.kv.delete(key, condition.clone())).await
    }

    /// Lists keys.
    pub async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, Error> {
        self.retry(&KV_ATTEMPTS, || self.kv.list_keys(prefix, cursor, limit)).await
    }

    /// Waits as after failure number `failures`.
    pub async fn back_off(&self, failures: u32) {
        self.clock().sleep_ms(KV_ATTEMPTS.backoff_ms(failures, self.clock().random())).await;
    }

    async fn retry<T, F>(&self, bounds: &Attempts, operation: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, KvError>>,
    {
        let began = self.clock().monotonic_ns();
        let mut failures = 0;
        loop {
            self.turn().await;
            let error = match self.in_time(bounds, operation()).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let wait_ms = match error {
                KvError::Rejected(_) => return Err(error.into()),
                KvError::Throttled(ms) => ms,
                KvError::Unavailable(_) => {
                    failures += 1;
                    if failures >= bounds.attempts_max {
                        return Err(error.into());
                    }
                    bounds.backoff_ms(failures, self.clock().random())
                }
            };
            if self.elapsed_ms(began).saturating_add(wait_ms) >= bounds.total_ms {
                return Err(error.into());
            }
            self.clock().sleep_ms(wait_ms).await;
            self.count_retry(&error);
        }
    }

    async fn once<T, F>(&self, operation: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, KvError>>,
    {
        let began = self.clock().monotonic_ns();
        loop {
            self.turn().await;
            match self.in_time(&KV_ATTEMPTS, operation()).await {
                Ok(value) => return Ok(value),
                Err(KvError::Unavailable(why)) => return Err(Failure::Ambiguous(why)),
                Err(error @ KvError::Throttled(ms))
                    if self.elapsed_ms(began).saturating_add(ms) < KV_ATTEMPTS.total_ms =>
                {
                    self.clock().sleep_ms(ms).await;
                    self.count_retry(&error);
                }
                Err(error) => return Err(Failure::Definite(error.into())),
            }
        }
    }

    fn count_retry(&self, after: &KvError) {
        let reason = match after {
            KvError::Throttled(_) => "throttled",
            KvError::Unavailable(_) | KvError::Rejected(_) => "unavailable",
        };
        self.metrics().add(&KV_RETRIES, [reason, ""], 1);
        self.metrics().note(|it| it.kv_retries += 1);
    }

    async fn in_time<T>(
        &self,
        bounds: &Attempts,
        operation: impl Future<Output = Result<T, KvError>>,
    ) -> Result<T, KvError> {
        let mut operation = pin!(Some(operation));
        let answer = poll_fn(|cx| match operation.as_mut().as_pin_mut() {
            Some(operation) => operation.poll(cx),
            None => unreachable!("it is dropped after this"),
        });
        // The operation is polled first: one that is done at once costs no timer.
        match select(answer, pin!(self.clock().sleep_ms(bounds.timeout_ms))).await {
            Either::Left((result, _)) => return result,
            Either::Right(_) => {}
        }
        self.metrics().dropping_as("timeout", || operation.set(None));
        Err(KvError::Unavailable(format!(
            "the store below did not answer within {} s",
            bounds.timeout_ms / 1000
        )))
    }

    fn elapsed_ms(&self, began: u64) -> u64 {
        self.clock().monotonic_ns().saturating_sub(began) / 1_000_000
    }
}
