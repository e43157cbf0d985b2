//! Backends: what the component's `kv` import is served from.
//!
//! A backend implements [`Backend`], the same contract as `wit/kv.wit` with
//! futures that may move between threads, and is chosen by URL ([`open`]). The
//! suite in `tests/conformance` holds the rules that each of them keeps.

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;

/// A key-value store below the component; `wit/kv.wit` says what each function
/// has to do.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What the platform can hold and do.
    fn limits(&self) -> KvLimits;

    /// Reads a value, or part of it; `None` where there is none.
    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError>;

    /// Writes a value.
    async fn set(&self, key: &str, value: Bytes, options: SetOptions)
    -> Result<Outcome, KvError>;

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
