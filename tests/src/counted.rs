//! A backend that counts what it is asked at once, and may say that fewer are useful.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store_host::kv::Backend;

/// Before another backend.
pub struct Counted {
    inner: Arc<dyn Backend>,
    useful_max: Option<u32>,
    gets: Gauge,
    sets: Gauge,
}

#[derive(Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
}

/// One under way, until it is dropped.
struct Inside<'a>(&'a Gauge);

impl Gauge {
    fn enter(&self) -> Inside<'_> {
        self.most.fetch_max(self.now.fetch_add(1, Relaxed) + 1, Relaxed);
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Relaxed);
    }
}

impl Counted {
    /// Says that `useful_max` operations at once are useful, or what the other says.
    pub fn new(inner: Arc<dyn Backend>, useful_max: Option<u32>) -> Self {
        Self { inner, useful_max, gets: Gauge::default(), sets: Gauge::default() }
    }

    /// The most gets that were under way at once.
    pub fn gets_most(&self) -> u32 {
        self.gets.most.load(Relaxed)
    }

    /// The most sets.
    pub fn sets_most(&self) -> u32 {
        self.sets.most.load(Relaxed)
    }
}

#[async_trait]
impl Backend for Counted {
    fn limits(&self) -> KvLimits {
        let limits = self.inner.limits();
        let concurrency_max = self.useful_max.unwrap_or(limits.concurrency_max);
        KvLimits { concurrency_max, ..limits }
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let _inside = self.gets.enter();
        self.inner.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let _inside = self.sets.enter();
        self.inner.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.inner.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.inner.list_keys(prefix, cursor, limit).await
    }
}
