//! The adapter: the kv of one instance, over the file system calls of [`files`].

mod claims;
#[cfg(target_family = "wasm")]
mod component;
mod durability;
mod failure;
mod files;
mod list;
mod prepare;
mod read;
mod write;

#[cfg(test)]
mod tests;

use std::cell::Cell;

use bytes::Bytes;
use chunk_store::clock::Clock;
use chunk_store::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;

use self::durability::Pending;
use self::files::Files;
use crate::names;

/// A value is held in memory, by the adapter and by the store above it.
const VALUE_BYTES_MAX: u64 = 64 << 20;

/// As of the host's backend.
const KEY_BYTES_MAX: u32 = 1024;

const CONCURRENCY_MAX: u32 = 8;

/// A call that its caller gave up on is not stopped: this long a busy disk may keep it.
const WRITE_LAG_MS_MAX: u32 = 30_000;

/// Room for a few of the usual 4 MiB chunks in flight.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// A key-value store in files.
pub(crate) struct FileKv<F: Files, C> {
    files: F,
    clock: C,
    /// Whether the directories are there that writes need.
    prepared: Cell<bool>,
    pending: Pending<F>,
}

impl<F: Files, C: Clock> FileKv<F, C> {
    /// The one in a directory. Nothing is made there before the first write.
    pub fn new(files: F, clock: C) -> Self {
        Self { files, clock, prepared: Cell::new(false), pending: Pending::new() }
    }
}

/// What every directory can hold and do.
pub(crate) fn limits() -> KvLimits {
    KvLimits {
        value_bytes_max: VALUE_BYTES_MAX,
        key_bytes_max: KEY_BYTES_MAX,
        summary_bytes_max: 0,
        ttl_seconds_min: None,
        staleness_ms: 0,
        write_lag_ms_max: WRITE_LAG_MS_MAX,
        rewrite_interval_ms: 0,
        operations_max: None,
        concurrency_max: CONCURRENCY_MAX,
        memory_bytes_max: MEMORY_BYTES_MAX,
        ranged_get: true,
        conditional_write: true,
    }
}

/// Where a key's value is.
pub(crate) fn path(key: &str) -> String {
    format!("{}/{}", names::DATA, names::value_path(key))
}

impl<F: Files, C: Clock> Kv for FileKv<F, C> {
    fn limits(&self) -> KvLimits {
        limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.read(&path(key), part).await.map_err(|failure| failure.kv_error("read a value"))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.write(key, value.into(), &options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.remove(key, condition.as_ref()).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.list(prefix, cursor, limit as usize).await
    }
}
