//! The adapter: exports `kv` over `wasi:filesystem`.
//!
//! The store's directory is the one that the host gives; what the guest calls it does not
//! matter.

mod wasi;

use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store::wasi::WasiClock;
use wasip3::filesystem::preopens;

use self::wasi::WasiFiles;
use crate::adapter::{FileKv, limits};

chunk_store_adapter::export!(Opened, Opened::new());

/// The kv in the directory that was given, or why there is none.
struct Opened(Result<FileKv<WasiFiles, WasiClock>, KvError>);

impl Opened {
    fn new() -> Self {
        let mut directories = preopens::get_directories();
        Self(match (directories.pop(), directories.len()) {
            (Some((root, _)), 0) => Ok(FileKv::new(WasiFiles::new(root), WasiClock)),
            (None, _) => Err(KvError::Rejected(
                "the host gives no directory to keep objects in: give it one (wasmtime: --dir DIR::/)"
                    .into(),
            )),
            (Some(_), others) => Err(KvError::Rejected(format!(
                "the host gives {} directories: give the one to keep objects in",
                others + 1
            ))),
        })
    }

    fn kv(&self) -> Result<&FileKv<WasiFiles, WasiClock>, KvError> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

impl Kv for Opened {
    fn limits(&self) -> KvLimits {
        limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.kv()?.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.kv()?.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.kv()?.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.kv()?.list_keys(prefix, cursor, limit).await
    }
}
