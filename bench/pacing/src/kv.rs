//! A kv with a latency, a bandwidth, so many operations at once, and a limit of calls.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;

use crate::time::Time;

/// What it can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ability {
    /// What each operation takes besides moving its value.
    pub latency_ns: u64,
    /// That varies by this part of it to both sides.
    pub jitter: f64,
    /// Of all operations together.
    pub bytes_per_second: f64,
    /// Beyond, they wait in line.
    pub at_once: usize,
    /// Calls per second; beyond, they are refused. As many come at once after a pause.
    pub calls_per_second: Option<f64>,
    /// What it says is useful at once.
    pub useful_max: u32,
    /// What the store may use.
    pub memory_bytes_max: u64,
}

/// What was asked of it.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls in all, and those that were refused.
    pub calls: Cell<u64>,
    /// See `calls`.
    pub refused: Cell<u64>,
    /// Calls under way, and the most there were.
    pub under_way: Cell<usize>,
    /// See `under_way`.
    pub most: Cell<usize>,
}

/// The kv. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SimulatedKv(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    time: Time,
    ability: Ability,
    values: RefCell<BTreeMap<String, (Bytes, u64)>>,
    versions: Cell<u64>,
    /// When each of those served at once is done.
    served_until_ns: RefCell<Vec<u64>>,
    line_free_ns: Cell<u64>,
    tokens: Cell<f64>,
    filled_ns: Cell<u64>,
    counts: Counts,
}

/// Counts as under way until it is dropped.
struct Call<'a>(&'a Counts);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.under_way.update(|calls| calls - 1);
    }
}

impl SimulatedKv {
    /// An empty one.
    pub fn new(time: &Time, ability: Ability) -> Self {
        Self(Rc::new(Inner {
            time: time.clone(),
            ability,
            values: RefCell::default(),
            versions: Cell::default(),
            served_until_ns: RefCell::new(vec![0; ability.at_once]),
            line_free_ns: Cell::default(),
            tokens: Cell::new(ability.calls_per_second.unwrap_or(0.0)),
            filled_ns: Cell::default(),
            counts: Counts::default(),
        }))
    }

    /// Its time.
    pub fn time(&self) -> &Time {
        &self.0.time
    }

    /// What was asked of it so far.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    fn begin(&self) -> Call<'_> {
        let Counts { calls, under_way, most, .. } = &self.0.counts;
        calls.update(|calls| calls + 1);
        under_way.update(|under_way| under_way + 1);
        most.update(|most| most.max(under_way.get()));
        Call(&self.0.counts)
    }

    /// Takes the time of an operation that moves so many bytes, or refuses it.
    async fn take_time(&self, bytes: usize) -> Result<(), KvError> {
        let Inner { time, ability, .. } = &*self.0;
        let chance = (time.draw() >> 11) as f64 / (1u64 << 53) as f64;
        let varies = 1.0 + ability.jitter * (2.0 * chance - 1.0);
        let latency_ns = (ability.latency_ns as f64 * varies) as u64;
        if let Some(wait_ms) = self.refuses() {
            self.0.counts.refused.update(|refused| refused + 1);
            time.until(time.now_ns() + latency_ns).await;
            return Err(KvError::Throttled(wait_ms));
        }
        time.until(self.ends_ns(bytes, latency_ns)).await;
        Ok(())
    }

    /// When an operation ends that comes now: served when one of those before it is done,
    /// and its value is moved behind theirs.
    fn ends_ns(&self, bytes: usize, latency_ns: u64) -> u64 {
        let Inner { time, ability, served_until_ns, line_free_ns, .. } = &*self.0;
        let mut served = served_until_ns.borrow_mut();
        let first = served.iter_mut().min().expect("it serves one at least");
        let begins_ns = time.now_ns().max(*first).max(line_free_ns.get());
        let moves_ns = (bytes as f64 * 1e9 / ability.bytes_per_second) as u64;
        line_free_ns.set(begins_ns + moves_ns);
        *first = begins_ns + moves_ns + latency_ns;
        *first
    }

    /// How long a call has to wait that comes now; `None` if it may go on.
    fn refuses(&self) -> Option<u64> {
        let per_second = self.0.ability.calls_per_second?;
        let now_ns = self.0.time.now_ns();
        let since_ns = now_ns - self.0.filled_ns.replace(now_ns);
        let filled = self.0.tokens.get() + since_ns as f64 * per_second / 1e9;
        let tokens = filled.min(per_second);
        let enough = tokens >= 1.0;
        self.0.tokens.set(if enough { tokens - 1.0 } else { tokens });
        (!enough).then(|| ((1.0 - tokens) * 1000.0 / per_second).ceil() as u64)
    }

    fn holds(&self, key: &str, condition: Option<&Condition>) -> bool {
        let version = self.0.values.borrow().get(key).map(|(_, version)| version.to_string());
        match condition {
            None => true,
            Some(Condition::Absent) => version.is_none(),
            Some(Condition::VersionIs(wanted)) => version.as_ref() == Some(wanted),
        }
    }
}

impl Kv for SimulatedKv {
    fn limits(&self) -> KvLimits {
        KvLimits {
            value_bytes_max: 64 << 20,
            key_bytes_max: 512,
            summary_bytes_max: 0,
            ttl_seconds_min: Some(1),
            staleness_ms: 0,
            write_lag_ms_max: 0,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: self.0.ability.useful_max,
            memory_bytes_max: self.0.ability.memory_bytes_max,
            ranged_get: true,
            conditional_write: true,
        }
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let _call = self.begin();
        let found = self.0.values.borrow().get(key).map(|(value, version)| {
            let end = value.len() as u64;
            let part = part.unwrap_or(Span::new(0, end)).intersect(Span::new(0, end));
            let value = value.slice(part.start as usize..part.end as usize);
            Entry { value, version: Some(version.to_string()) }
        });
        self.take_time(found.as_ref().map_or(0, |entry| entry.value.len())).await?;
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let _call = self.begin();
        self.take_time(value.len()).await?;
        if !self.holds(key, options.condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.0.versions.update(|version| version + 1);
        // A copy: the buffer goes back to the store.
        let entry = (Bytes::copy_from_slice(&value), self.0.versions.get());
        self.0.values.borrow_mut().insert(key.to_string(), entry);
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let _call = self.begin();
        self.take_time(0).await?;
        if !self.holds(key, condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.0.values.borrow_mut().remove(key);
        Ok(Outcome::Done)
    }

    async fn list_keys(&self, _: &str, _: Option<&str>, _: u32) -> Result<KeyPage, KvError> {
        Err(KvError::Rejected("nobody lists here".into()))
    }
}
