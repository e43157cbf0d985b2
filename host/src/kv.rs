//! Backends: what the component's `kv` import is served from.
//!
//! A backend implements [`Backend`], the same contract as `wit/kv.wit` with
//! futures that may move between threads, and is chosen by URL ([`open`]). The
//! suite in `tests/conformance` holds the rules that each of them keeps.

pub mod fault;
pub mod file;
pub mod memory;
pub mod namespace;
pub mod redis;

mod url;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;

pub use self::url::{OpenError, open, open_existing};

/// How many bytes of values the store may hold in memory over a backend that was
/// not told otherwise: room for a few of the usual 4 MiB chunks in flight.
pub const MEMORY_BYTES_MAX_DEFAULT: u64 = 16 << 20;

/// A key-value store below the component; `wit/kv.wit` says what each function
/// has to do.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What the platform can hold and do.
    fn limits(&self) -> KvLimits;

    /// What whoever runs the store should know of it, as it may lose what it was told
    /// is safe: each is one line that says what to do. None, as a rule.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads a value, or part of it; `None` where there is none.
    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError>;

    /// Writes a value.
    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError>;

    /// Deletes a value; deleting what is not there is `Done`.
    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError>;

    /// Lists keys with a prefix, at most `limit` (1 to 1000) of them.
    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError>;
}

#[async_trait]
impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn limits(&self) -> KvLimits {
        (**self).limits()
    }

    fn warnings(&self) -> Vec<String> {
        (**self).warnings()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        (**self).get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        (**self).set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        (**self).delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        (**self).list_keys(prefix, cursor, limit).await
    }
}

/// A backend as the kv that the core runs on natively, without a component
/// between them.
#[derive(Clone)]
pub struct Native(pub Arc<dyn Backend>);

impl Kv for Native {
    fn limits(&self) -> KvLimits {
        self.0.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.0.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.0.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.0.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.0.list_keys(prefix, cursor, limit).await
    }
}
