//! The guest's memory does not grow with the object.
//!
//! How much of its budget a guest uses depends on how far the body runs ahead of the
//! store below; so here the store below is always the slower one, and the figures are
//! those of a full budget.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::object::{GetOptions, ListOptions, PutOptions};
use chunk_store::range::Span;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::kv::{Backend, MEMORY_BYTES_MAX_DEFAULT};
use chunk_store_host::{Body, ChunkStore};
use chunk_store_tests::random::bytes;

use crate::subject::{comes_back, in_time, read_to_end};

const MIB: u64 = 1 << 20;

/// What one instance may have with the default limits of a backend.
const GUEST_BYTES_MAX: usize = 32 << 20;

/// A backend that takes its time for each value.
struct Slow(MemoryBackend);

impl Slow {
    async fn pause() {
        // Longer than it takes to digest what fits in the budget.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

#[async_trait]
impl Backend for Slow {
    fn limits(&self) -> KvLimits {
        self.0.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        Slow::pause().await;
        self.0.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        Slow::pause().await;
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

/// What the guest has had after storing and reading so many bytes, announced or not.
async fn guest_bytes(size: u64, announced: bool) -> usize {
    let store = ChunkStore::new(Arc::new(Slow(MemoryBackend::new()))).unwrap();
    let content = Bytes::from(bytes(size, size));
    comes_back(&store, &content, announced).await;
    store.verify("object").await.unwrap();
    store.guest_memory_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_many_times_as_long_takes_no_more() {
    for announced in [false, true] {
        let small = in_time(guest_bytes(48 * MIB, announced)).await;
        let large = in_time(guest_bytes(240 * MIB, announced)).await;
        assert!(large <= small + small / 10, "{large} bytes, where a short one took {small}");
        assert!(large < GUEST_BYTES_MAX, "{large} bytes");
        assert!(small as u64 > MEMORY_BYTES_MAX_DEFAULT / 2, "{small}: it was not under way");
    }
}

/// Does so much of everything.
async fn work(store: &ChunkStore, times: u32) {
    let body = || Body::from(Cursor::new("x"));
    for _ in 0..times {
        store.put("key", body(), PutOptions::default()).await.unwrap();
        let reader = store.get("key", GetOptions::default()).await.unwrap();
        assert_eq!(read_to_end(reader).await.unwrap(), b"x");
        store.head("key", None).await.unwrap();
        let options = ListOptions { limit: 10, details: true, ..ListOptions::default() };
        assert_eq!(store.list(options).await.unwrap().objects.len(), 1);
        let upload = store.begin_upload("key", PutOptions::default()).await.unwrap();
        store.append(&upload, 0, body()).await.unwrap();
        store.commit_upload(&upload).await.unwrap();
        let upload = store.begin_upload("key", PutOptions::default()).await.unwrap();
        store.abort_upload(&upload).await.unwrap();
        store.delete("key", None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_leave_nothing_in_the_guest() {
    // Little to begin with, so that little more shows.
    let backend = MemoryBackend::new().with_memory_bytes_max(MIB);
    let store = ChunkStore::new(Arc::new(backend)).unwrap();
    in_time(work(&store, 500)).await;
    let before = store.guest_memory_bytes();
    in_time(work(&store, 1500)).await;
    assert_eq!(store.guest_memory_bytes(), before);
}
