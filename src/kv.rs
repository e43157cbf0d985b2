//! The key-value interface the store stands on, as a Rust trait.
//!
//! It mirrors `wit/kv.wit`, where the full contract is written: a flat map of
//! string keys to byte values, each write of one key atomic. The component binds
//! it to the WIT import, a host's backends and the simulation implement it
//! natively.

pub mod checks;

use std::future::Future;

use bytes::Bytes;

use crate::range::Span;

/// Why a kv operation failed, by what the store does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// Try again: time-outs, lost connections, overload. A write may have landed.
    #[error("{0}")]
    Unavailable(String),
    /// Try again, no sooner than so many milliseconds.
    #[error("throttled for {0} ms")]
    Throttled(u64),
    /// Never try again: access denied, over a limit, unsupported.
    #[error("{0}")]
    Rejected(String),
}

/// What the platform can hold and do; see `limits` in `wit/kv.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvLimits {
    /// Largest value, in bytes.
    pub value_bytes_max: u64,
    /// Longest key, in bytes of UTF-8.
    pub key_bytes_max: u32,
    /// Largest summary, in bytes; 0 where there are none.
    pub summary_bytes_max: u32,
    /// Shortest time to live, in seconds; `None` without expiry.
    pub ttl_seconds_min: Option<u32>,
    /// How old a read may be, in milliseconds; 0 where reads are current.
    pub staleness_ms: u32,
    /// How long after its caller gave up a write may still land, in milliseconds.
    pub write_lag_ms_max: u32,
    /// Least time between two writes of one key, in milliseconds.
    pub rewrite_interval_ms: u32,
    /// How many operations this invocation may still make.
    pub operations_max: Option<u32>,
    /// How many operations are useful at once.
    pub concurrency_max: u32,
    /// Bytes of values that the store may hold in memory, over all operations.
    pub memory_bytes_max: u64,
    /// Whether `get` honours a span.
    pub ranged_get: bool,
    /// Whether `set` and `delete` honour a condition.
    pub conditional_write: bool,
}

/// A value, or the part of it that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes: of the span where `ranged_get`, else the whole value.
    pub value: Bytes,
    /// Opaque, for equality only; `None` without `conditional_write`.
    pub version: Option<String>,
}

/// What must hold of a key for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The key holds no value.
    Absent,
    /// The key's value has this version.
    VersionIs(String),
}

/// How a value is to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// Seconds until the platform may drop the value; `None` keeps it.
    pub ttl_seconds: Option<u32>,
    /// Write only if this holds.
    pub condition: Option<Condition>,
    /// A few bytes that `list_keys` returns with the key.
    pub summary: Option<Bytes>,
    /// Whether this value, and all sets acknowledged before it, must be durable
    /// when it is acknowledged.
    pub durable: bool,
}

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Written, or deleted.
    Done,
    /// The condition did not hold; nothing was changed.
    Stale,
}

/// One key of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub key: String,
    /// What was set with it, where the platform keeps summaries.
    pub summary: Option<Bytes>,
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// Keys in ascending byte order, each once; may be short, even empty.
    pub keys: Vec<ListedKey>,
    /// Passes to the next call; `None` on the last page.
    pub cursor: Option<String>,
}

/// A key-value store. Futures need not be `Send`: a component has one thread.
pub trait Kv {
    /// What the platform can hold and do.
    fn limits(&self) -> KvLimits;

    /// Reads a value, or part of it; `None` where there is none.
    fn get(
        &self,
        key: &str,
        part: Option<Span>,
    ) -> impl Future<Output = Result<Option<Entry>, KvError>>;

    /// Writes a value.
    fn set(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
    ) -> impl Future<Output = Result<Outcome, KvError>>;

    /// Deletes a value; deleting what is not there is `Done`. Durable with a condition.
    fn delete(
        &self,
        key: &str,
        condition: Option<Condition>,
    ) -> impl Future<Output = Result<Outcome, KvError>>;

    /// Lists keys with a prefix, at most `limit` (1 to 1000) of them.
    fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<KeyPage, KvError>>;
}
