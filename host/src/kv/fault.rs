//! A backend that fails as real ones do: by chance, but by a seed, so that a failure
//! comes back.
//!
//! It stands before another backend and does to its operations what networks, platforms
//! and crashes do. What its limits promise it keeps: reads are stale for no longer than
//! `staleness_ms`, a write lands no later than `write_lag_ms_max` after its caller gave it
//! up. Time is tokio's, so that a test can let it pass at once (`tokio::time::pause`);
//! the same operations in the same order then meet the same faults.
//!
//! All writes have to go through it: what others change below is not noticed.

mod past;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions, checks};
use chunk_store::range::Span;
use tokio::time::{Instant, sleep};

use self::past::{Past, Value};
pub use self::plan::Plan;
use self::plan::{Chance, Fault};
use super::Backend;
use super::memory::cut;

/// A backend before which faults happen. Clones are the same one.
pub struct FaultyBackend<B> {
    shared: Arc<Shared<B>>,
}

impl<B> Clone for FaultyBackend<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

struct Shared<B> {
    inner: B,
    limits: KvLimits,
    state: Mutex<State>,
}

struct State {
    plan: Plan,
    chance: Chance,
    past: Past,
    /// How often it has crashed: what was on its way then never arrives.
    crashes: u64,
}

/// A set, or a delete where it has no value.
struct Write {
    key: String,
    value: Value,
    condition: Option<Condition>,
}

impl<B: Backend> FaultyBackend<B> {
    /// Stands before `inner` with the faults of `plan`, drawn from `seed`. `limits` is
    /// what is promised to the store: what `inner` can do, or less.
    pub fn new(inner: B, limits: KvLimits, plan: Plan, seed: u64) -> Self {
        let past = Past::new(limits.staleness_ms);
        let state = State { plan, chance: Chance::new(seed), past, crashes: 0 };
        Self { shared: Arc::new(Shared { inner, limits, state: Mutex::new(state) }) }
    }

    /// Another plan from now on; with [`Plan::default`] nothing fails any more.
    pub fn set_plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// The platform crashes: of the writes that were acknowledged since the last durable
    /// one, each key loses none, some or all, the latest first.
    pub async fn crash(&self) {
        let lost = {
            let mut state = self.state();
            let State { past, chance, crashes, .. } = &mut *state;
            *crashes += 1;
            past.crash(chance)
        };
        for (key, value) in lost {
            let restored = match value {
                Some((value, options)) => self.shared.inner.set(&key, value, options).await,
                None => self.shared.inner.delete(&key, None).await,
            };
            restored.expect("the backend below takes back what it held");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next operation, after the time that it takes to get there.
    async fn begin(&self, writes: bool) -> Result<Option<Fault>, KvError> {
        let (delay, fault) = {
            let mut state = self.state();
            let State { plan, chance, .. } = &mut *state;
            let fault = plan.fault(chance, writes, self.shared.limits.write_lag_ms_max);
            (plan.delay(chance), fault)
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match fault {
            Some(Fault::Fail) => Err(KvError::Unavailable("the connection was refused".into())),
            Some(Fault::Throttle(ms)) => Err(KvError::Throttled(ms)),
            Some(Fault::Hang) => std::future::pending().await,
            fault => Ok(fault),
        }
    }

    async fn write(&self, write: Write) -> Result<Outcome, KvError> {
        match self.begin(true).await? {
            Some(Fault::LandLate(lag)) => {
                let crashes = self.state().crashes;
                let _lands = LandsLate { backend: self.clone(), write: Some(write), lag, crashes };
                std::future::pending().await
            }
            Some(Fault::LoseAnswer) => {
                self.land(write).await?;
                Err(KvError::Unavailable("the connection was lost".into()))
            }
            _ => self.land(write).await,
        }
    }

    async fn land(&self, write: Write) -> Result<Outcome, KvError> {
        let Write { key, value, condition } = write;
        let inner = &self.shared.inner;
        // What was acknowledged by now is what a durable set makes durable.
        let mark = self.state().past.mark();
        let durable = match &value {
            Some((_, options)) => options.durable,
            None => condition.is_some(),
        };
        let outcome = match value.clone() {
            Some((value, options)) => {
                inner.set(&key, value, SetOptions { condition, ..options }).await?
            }
            None => inner.delete(&key, condition).await?,
        };
        if outcome == Outcome::Done {
            let past = &mut self.state().past;
            past.wrote(&key, value, Instant::now());
            if durable {
                past.settle(mark, &key);
            }
        }
        Ok(outcome)
    }

    /// The moment that a stale read sees, if the next read is one.
    fn moment(&self) -> Option<Instant> {
        let mut state = self.state();
        let State { plan, chance, .. } = &mut *state;
        let staleness_ms = self.shared.limits.staleness_ms;
        if staleness_ms == 0 || !chance.happens(plan.stale) {
            return None;
        }
        Instant::now().checked_sub(Duration::from_millis(chance.between(0, staleness_ms.into())))
    }

    fn check_condition(&self, condition: Option<&Condition>) -> Result<(), KvError> {
        match condition {
            Some(_) if !self.shared.limits.conditional_write => {
                Err(KvError::Rejected("this platform has no conditional writes".into()))
            }
            _ => Ok(()),
        }
    }
}

/// A write that takes effect after its caller has given it up, which is when this is
/// dropped.
struct LandsLate<B: Backend> {
    backend: FaultyBackend<B>,
    write: Option<Write>,
    lag: Duration,
    crashes: u64,
}

impl<B: Backend> Drop for LandsLate<B> {
    fn drop(&mut self) {
        let (backend, lag, crashes) = (self.backend.clone(), self.lag, self.crashes);
        // Without a runtime nothing lands any more: the platform has ended too.
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(write), Ok(runtime)) = (self.write.take(), runtime) {
            runtime.spawn(async move {
                sleep(lag).await;
                if backend.state().crashes == crashes {
                    // Nobody is left to tell.
                    let _ = backend.land(write).await;
                }
            });
        }
    }
}

#[async_trait]
impl<B: Backend> Backend for FaultyBackend<B> {
    fn limits(&self) -> KvLimits {
        self.shared.limits.clone()
    }

    fn warnings(&self) -> Vec<String> {
        self.shared.inner.warnings()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let limits = &self.shared.limits;
        checks::key(key, limits)?;
        let part = part.filter(|_| limits.ranged_get);
        self.begin(false).await?;
        if let Some(moment) = self.moment()
            && let Some(value) = self.state().past.at(key, moment)
        {
            return Ok(value.as_ref().map(|(value, _)| Entry {
                value: cut(value, part),
                // Of no value that there is now: a condition on it does not hold.
                version: limits.conditional_write.then(|| "stale".into()),
            }));
        }
        let entry = self.shared.inner.get(key, part).await?;
        Ok(entry.map(|entry| Entry {
            version: entry.version.filter(|_| limits.conditional_write),
            ..entry
        }))
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        mut options: SetOptions,
    ) -> Result<Outcome, KvError> {
        let limits = &self.shared.limits;
        checks::key(key, limits)?;
        checks::value(&value, &options, limits)?;
        let condition = options.condition.take();
        self.check_condition(condition.as_ref())?;
        if limits.ttl_seconds_min.is_none() {
            // What lies behind may know expiry all the same.
            options.ttl_seconds = None;
        }
        self.write(Write { key: key.into(), value: Some((value, options)), condition }).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        checks::key(key, &self.shared.limits)?;
        self.check_condition(condition.as_ref())?;
        self.write(Write { key: key.into(), value: None, condition }).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        checks::page(limit)?;
        self.begin(false).await?;
        let limit = {
            let mut state = self.state();
            let State { plan, chance, .. } = &mut *state;
            let short = chance.happens(plan.short_page);
            if short { chance.between(1, limit.into()) as u32 } else { limit }
        };
        let mut page = self.shared.inner.list_keys(prefix, cursor, limit).await?;
        if let Some(moment) = self.moment() {
            let state = self.state();
            // Those that were not there at that moment.
            page.keys.retain(|listed| !matches!(state.past.at(&listed.key, moment), Some(None)));
        }
        for listed in &mut page.keys {
            listed.summary.take_if(|_| self.shared.limits.summary_bytes_max == 0);
        }
        Ok(page)
    }
}
