//! One file for each value, below a directory.
//!
//! What is in the directory, [`chunk_store_filesystem`] says: the adapter over
//! `wasi:filesystem` keeps the same one. Every write of a key holds the lock of one of the
//! 256 empty files in `locks/`.
//!
//! A set writes a new file and renames it into place, so readers, who take no lock,
//! see the old value or the new one, and go on reading the one they have open.
//! Threads, instances and processes may share a directory. The version is in an
//! extended attribute (`attribute`). Nothing expires by itself: the store's sweep deletes
//! what has. What a crash may take away, `durability` says; after a power failure a value
//! that was not durable may also stand there cut off or filled with zeroes.
//!
//! On failure: what only the owner of the directory can mend is rejected with a line
//! that says how, the rest is unavailable. A write whose caller has given up goes on
//! in its thread and may land later.
//!
//! Keys that differ in case only need a file system that tells case apart.

mod attribute;
mod durability;
mod errors;
mod list;
mod prepare;
mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions, checks};
use chunk_store::range::Span;
use chunk_store_filesystem::names;

use self::durability::Pending;
use self::list::Listings;
use super::{Backend, MEMORY_BYTES_MAX_DEFAULT, OpenError};

const VALUE_BYTES_MAX: u64 = 512 << 20;
const KEY_BYTES_MAX: u32 = 1024;
const CONCURRENCY_MAX: u32 = 8;

/// A thread that a caller gave up on is not stopped: this long a busy disk may keep
/// it.
const WRITE_LAG_MS_MAX: u32 = 30_000;

/// What is brought to disk before it is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// What is to be durable, and all that was acknowledged before it.
    #[default]
    Full,
    /// Nothing: values survive the process, and a crash of the system only if it
    /// comes late enough.
    None,
}

/// How to open a directory.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// Whether to make the directory if it is missing; true by default. If false, one that
    /// may only be read is opened too, and refuses each write.
    pub create: bool,
    /// What is brought to disk; [`Durability::Full`] by default.
    pub durability: Durability,
    /// Whether to use extended attributes where the file system takes them; true by
    /// default. Without, a version costs reading the whole value, and values set with
    /// attributes seem to have other versions.
    pub attributes: bool,
    /// How many bytes of values the core may hold in memory at once;
    /// [`MEMORY_BYTES_MAX_DEFAULT`] by default.
    pub memory_bytes_max: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            create: true,
            durability: Durability::Full,
            attributes: true,
            memory_bytes_max: MEMORY_BYTES_MAX_DEFAULT,
        }
    }
}

/// A key-value store in files.
pub struct FileBackend {
    store: Arc<Store>,
}

impl FileBackend {
    /// Opens the store in `directory`, which is made if it is missing. A relative
    /// one is resolved now, so that changing the current directory later does no
    /// harm.
    pub async fn open(
        directory: impl AsRef<Path>,
        options: FileOptions,
    ) -> Result<Self, OpenError> {
        let directory = directory.as_ref().to_path_buf();
        let named = directory.clone();
        match tokio::task::spawn_blocking(move || prepare::open(&directory, &options)).await {
            Ok(opened) => Ok(Self { store: Arc::new(opened?) }),
            Err(error) => Err(OpenError::Directory { directory: named, reason: error.to_string() }),
        }
    }

    /// Runs work on files in a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, KvError> + Send + 'static,
    ) -> Result<T, KvError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(KvError::Unavailable("the runtime is shutting down".into())),
            },
        }
    }
}

/// An open directory; its functions block.
struct Store {
    data: PathBuf,
    tmp: PathBuf,
    locks: PathBuf,
    /// Whether versions are in extended attributes.
    attributes: bool,
    memory_bytes_max: u64,
    /// What waits to be brought to disk; `None` where nothing ever is.
    pending: Option<Arc<Pending>>,
    listings: Listings,
}

impl Store {
    fn value_path(&self, key: &str) -> PathBuf {
        self.data.join(names::value_path(key))
    }
}

#[async_trait]
impl Backend for FileBackend {
    fn limits(&self) -> KvLimits {
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
            memory_bytes_max: self.store.memory_bytes_max,
            ranged_get: true,
            conditional_write: true,
        }
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        checks::key(key, &self.limits())?;
        let key = key.to_string();
        self.run(move |store| store.get(&key, part)).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        checks::value(&value, &options, &self.limits())?;
        let key = key.to_string();
        self.run(move |store| store.set(&key, &value, &options)).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        let key = key.to_string();
        self.run(move |store| store.delete(&key, condition.as_ref())).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let limit = checks::page(limit)?;
        if prefix.len() as u64 > u64::from(KEY_BYTES_MAX) {
            return Ok(KeyPage::default());
        }
        let (prefix, cursor) = (prefix.to_string(), cursor.map(str::to_string));
        self.run(move |store| store.listings.page(&store.data, &prefix, cursor.as_deref(), limit))
            .await
    }
}
