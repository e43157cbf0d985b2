//! A backend that does something, or fails, before a call.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store_host::ChunkStore;
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use futures::FutureExt;

/// A call that comes.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// Of a key, with the part of its value.
    Get(&'a str, Option<Span>),
    /// Of a key to a value.
    Set(&'a str, &'a Bytes),
    Delete,
    /// With the cursor.
    List(Option<&'a str>),
}

/// What happens before a call, which fails if this does.
type Hook = Box<dyn Fn(Call<'_>, &MemoryBackend) -> Result<(), KvError> + Send + Sync>;

pub struct Hooked {
    below: Arc<MemoryBackend>,
    pub limits: KvLimits,
    hook: Hook,
}

impl Hooked {
    pub fn over(below: &Arc<MemoryBackend>) -> Self {
        Self { below: below.clone(), limits: below.limits(), hook: Box::new(|_, _| Ok(())) }
    }

    /// A store over this, with something that happens before every call.
    pub fn store(
        mut self,
        hook: impl Fn(Call<'_>, &MemoryBackend) -> Result<(), KvError> + Send + Sync + 'static,
    ) -> ChunkStore {
        self.hook = Box::new(hook);
        ChunkStore::new(Arc::new(self)).unwrap()
    }
}

/// The result of an operation in memory, which never waits.
pub fn now<T>(operation: impl Future<Output = T>) -> T {
    operation.now_or_never().expect("memory never waits")
}

/// The object key in the kv key of a manifest.
pub fn key_of(kv_key: &str) -> &str {
    kv_key.strip_prefix("m/").unwrap_or("\u{10ffff}")
}

#[async_trait]
impl Backend for Hooked {
    fn limits(&self) -> KvLimits {
        self.limits.clone()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        (self.hook)(Call::Get(key, part), &self.below)?;
        self.below.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        (self.hook)(Call::Set(key, &value), &self.below)?;
        self.below.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        (self.hook)(Call::Delete, &self.below)?;
        self.below.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        (self.hook)(Call::List(cursor), &self.below)?;
        self.below.list_keys(prefix, cursor, limit).await
    }
}
