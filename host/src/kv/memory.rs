//! Values in this process's memory: for tests, and for what may be forgotten.
//!
//! One ordered map under a mutex, so every operation is atomic and every read
//! current. A process that ends loses everything; `durable` means nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome, SetOptions, checks,
};
use chunk_store::range::Span;
use tokio::time::Instant;

use super::{Backend, MEMORY_BYTES_MAX_DEFAULT};

const VALUE_BYTES_MAX: u64 = 512 << 20;
const KEY_BYTES_MAX: u32 = 1024;
const SUMMARY_BYTES_MAX: u32 = 1024;
const TTL_SECONDS_MIN: u32 = 1;
const CONCURRENCY_MAX: u32 = 16;

/// A key-value store in memory.
pub struct MemoryBackend {
    memory_bytes_max: u64,
    values: Mutex<Values>,
}

#[derive(Default)]
struct Values {
    by_key: BTreeMap<String, Value>,
    /// Every key of `by_key` that expires, soonest first, so that the expired
    /// go without a search.
    by_expiry: BTreeSet<(Instant, String)>,
    /// How many values were ever set; the last one's version.
    count: u64,
}

struct Value {
    value: Bytes,
    version: u64,
    expires: Option<Instant>,
    summary: Option<Bytes>,
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBackend {
    /// An empty store over which the core may hold
    /// [`MEMORY_BYTES_MAX_DEFAULT`] bytes of values.
    pub fn new() -> Self {
        Self { memory_bytes_max: MEMORY_BYTES_MAX_DEFAULT, values: Mutex::default() }
    }

    /// Lets the core hold so many bytes of values at once. What the backend
    /// itself stores has no bound but each value's.
    pub fn with_memory_bytes_max(self, memory_bytes_max: u64) -> Self {
        Self { memory_bytes_max, ..self }
    }

    /// The values, the expired ones removed.
    fn values(&self) -> MutexGuard<'_, Values> {
        // No code under the lock leaves a change half made, so what a panic left
        // behind is sound.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while let Some((expires, _)) = values.by_expiry.first()
            && *expires <= now
        {
            let (_, key) = values.by_expiry.pop_first().expect("it has a first");
            values.by_key.remove(&key);
        }
        values
    }
}

/// Part of a value, cut to its length; all of it if no part was asked for.
pub(super) fn cut(value: &Bytes, part: Option<Span>) -> Bytes {
    let size = value.len() as u64;
    let span = part.unwrap_or(Span::new(0, size));
    value.slice(span.start.min(size) as usize..span.end.min(size) as usize)
}

impl Values {
    fn holds(&self, key: &str, condition: Option<&Condition>) -> bool {
        let current = self.by_key.get(key);
        match condition {
            None => true,
            Some(Condition::Absent) => current.is_none(),
            Some(Condition::VersionIs(version)) => {
                current.is_some_and(|value| value.version.to_string() == *version)
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, value)) = self.by_key.remove_entry(key)
            && let Some(expires) = value.expires
        {
            self.by_expiry.remove(&(expires, key));
        }
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn limits(&self) -> KvLimits {
        KvLimits {
            value_bytes_max: VALUE_BYTES_MAX,
            key_bytes_max: KEY_BYTES_MAX,
            summary_bytes_max: SUMMARY_BYTES_MAX,
            ttl_seconds_min: Some(TTL_SECONDS_MIN),
            staleness_ms: 0,
            write_lag_ms_max: 0,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: CONCURRENCY_MAX,
            memory_bytes_max: self.memory_bytes_max,
            ranged_get: true,
            conditional_write: true,
        }
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        checks::key(key, &self.limits())?;
        let values = self.values();
        Ok(values.by_key.get(key).map(|found| Entry {
            value: cut(&found.value, part),
            version: Some(found.version.to_string()),
        }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        checks::value(&value, &options, &self.limits())?;
        let mut values = self.values();
        if !values.holds(key, options.condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        values.remove(key);
        values.count += 1;
        let expires = options.ttl_seconds.map(|seconds| {
            Instant::now() + Duration::from_secs(seconds.max(TTL_SECONDS_MIN).into())
        });
        if let Some(expires) = expires {
            values.by_expiry.insert((expires, key.into()));
        }
        let stored = Value {
            value,
            version: values.count,
            expires,
            summary: options.summary.filter(|summary| !summary.is_empty()),
        };
        values.by_key.insert(key.into(), stored);
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        let mut values = self.values();
        if !values.holds(key, condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        values.remove(key);
        Ok(Outcome::Done)
    }

    /// The cursor is the last key of the page.
    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let limit = checks::page(limit)?;
        let from = match cursor {
            // A cursor from elsewhere must not reach below the prefix.
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            _ => Bound::Included(prefix),
        };
        let values = self.values();
        let mut found = values
            .by_key
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        let keys: Vec<ListedKey> = found
            .by_ref()
            .take(limit)
            .map(|(key, value)| ListedKey { key: key.clone(), summary: value.summary.clone() })
            .collect();
        let cursor = match found.next() {
            Some(_) => keys.last().map(|last| last.key.clone()),
            None => None,
        };
        Ok(KeyPage { keys, cursor })
    }
}
