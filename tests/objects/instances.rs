//! Several instances that share the work: operations at once, and large objects.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::range::{ByteRange, Span};
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, Config, Error};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;
use futures::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::sync::Barrier;

use crate::subject::{in_time, read_to_end};

const MIB: usize = 1 << 20;

fn together(backend: Arc<dyn Backend>, instances_max: usize) -> ChunkStore {
    let config = Config { instances_max, ..Config::default() };
    ChunkStore::with_config(backend, &config).unwrap()
}

async fn put(store: &ChunkStore, content: &[u8]) {
    store.put("object", Body::of(content.to_vec()), PutOptions::default()).await.unwrap();
}

async fn read(store: &ChunkStore, range: Option<ByteRange>) -> Vec<u8> {
    let options = GetOptions { range, ..GetOptions::default() };
    let reader = store.get("object", options).await.unwrap();
    let length = reader.part().len();
    let read = read_to_end(reader).await.unwrap();
    assert_eq!(read.len() as u64, length);
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn every_size_and_part_is_the_one_that_was_stored() {
    let store = together(Arc::new(MemoryBackend::new()), 3);
    for size in [0, 1, 300_000, 4 * MIB, 4 * MIB + 1, 8 * MIB, 33 * MIB + 7] {
        let content = bytes(size as u64, size as u64);
        put(&store, &content).await;
        assert!(in_time(read(&store, None)).await == content, "{size} bytes");
        let from = size / 3;
        let end = size - size / 4;
        let part = Some(ByteRange::Between(from as u64, end as u64));
        assert!(in_time(read(&store, part)).await == content[from..end], "part of {size} bytes");
        let last = (size / 2 + 1).min(size);
        let part = Some(ByteRange::Last(last as u64));
        assert!(in_time(read(&store, part)).await == content[size - last..], "end of {size} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_an_asynchronous_reader_it_gives_the_same() {
    let store = together(Arc::new(MemoryBackend::new()), 2);
    let content = bytes(3, 21 * MIB as u64);
    put(&store, &content).await;
    let mut reader = store.get("object", GetOptions::default()).await.unwrap();
    let mut read = Vec::new();
    in_time(reader.read_to_end(&mut read)).await.unwrap();
    assert!(read == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_those_of_all_of_them() {
    let store = together(Arc::new(MemoryBackend::new()), 2);
    let content = bytes(4, 40 * MIB as u64);
    put(&store, &content).await;
    in_time(read(&store, None)).await;
    let metrics = store.metrics().await.unwrap();
    let out = metrics.value("chunk_store_body_bytes_total", &[("direction", "out")]);
    assert_eq!(out as usize, content.len());
    let labels = [("operation", "get"), ("outcome", "ok")];
    assert_eq!(metrics.value("chunk_store_operations_total", &labels), 2.0, "one of each instance");
}

/// Something that happens before each read.
#[async_trait]
trait BeforeReads: Send + Sync + 'static {
    async fn before_read(&self, key: &str);
}

/// A memory in which it does.
struct Watched<T> {
    memory: Arc<MemoryBackend>,
    watcher: T,
}

#[async_trait]
impl<T: BeforeReads> Backend for Watched<T> {
    fn limits(&self) -> KvLimits {
        self.memory.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.watcher.before_read(key).await;
        self.memory.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.memory.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.memory.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.memory.list_keys(prefix, cursor, limit).await
    }
}

/// The object is replaced when its manifest is read for the second time,
/// so many times.
struct Replacing {
    manifests_read: AtomicUsize,
    replaced: AtomicUsize,
    replacements: usize,
    other: ChunkStore,
}

impl Replacing {
    fn content(number: usize) -> Vec<u8> {
        bytes(100 + number as u64, 10 * MIB as u64)
    }
}

#[async_trait]
impl BeforeReads for Replacing {
    async fn before_read(&self, key: &str) {
        let is_second = key.starts_with("m/") && self.manifests_read.fetch_add(1, SeqCst) % 2 == 1;
        if is_second && self.replaced.load(SeqCst) < self.replacements {
            let number = self.replaced.fetch_add(1, SeqCst) + 1;
            put(&self.other, &Self::content(number)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_while_they_open_it_is_one_or_the_other() {
    for replacements in [1, 2, 50] {
        let memory = Arc::new(MemoryBackend::new());
        let other = ChunkStore::new(memory.clone()).unwrap();
        put(&other, &Replacing::content(0)).await;
        let watcher = Replacing {
            manifests_read: AtomicUsize::new(0),
            replaced: AtomicUsize::new(0),
            replacements,
            other,
        };
        let replacing = Arc::new(Watched { memory, watcher });
        let store = together(replacing.clone(), 2);
        let read = in_time(read(&store, None)).await;
        let replaced = replacing.watcher.replaced.load(SeqCst);
        assert_eq!(replaced, replacements.min(3), "it is opened again, and at last by one alone");
        assert!(read == Replacing::content(replaced), "the newest of {replaced}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_part_of_any_ends_the_read_where_it_lies() {
    let memory = Arc::new(MemoryBackend::new());
    let store = together(memory.clone(), 2);
    let content = bytes(5, 30 * MIB as u64);
    put(&store, &content).await;
    let chunks = memory.list_keys("c/", None, 1000).await.unwrap().keys;
    let mut offset = 0;
    for chunk in chunks {
        let value = memory.get(&chunk.key, None).await.unwrap().unwrap().value;
        let mut damaged = value.to_vec();
        damaged[7] ^= 1;
        memory.set(&chunk.key, damaged.into(), SetOptions::default()).await.unwrap();
        let reader = store.get("object", GetOptions::default()).await.unwrap();
        let (read, error) = in_time(read_to_end(reader)).await.unwrap_err();
        assert!(matches!(error, Error::Store(StoreError::Corrupt(_))), "{error}");
        assert_eq!(read.len(), offset, "what lies before {}", chunk.key);
        assert!(read == content[..offset]);
        offset += value.len();
        memory.set(&chunk.key, value, SetOptions::default()).await.unwrap();
    }
    assert_eq!(offset, content.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dropped_in_the_middle_leaves_the_others_free() {
    let store = together(Arc::new(MemoryBackend::new()), 2);
    let content = bytes(6, 60 * MIB as u64);
    put(&store, &content).await;
    for pieces in 0..12 {
        let mut reader = store.get("object", GetOptions::default()).await.unwrap();
        for _ in 0..pieces {
            reader.next().await.unwrap().unwrap();
        }
    }
    assert!(in_time(read(&store, None)).await == content);
    assert!(store.guest_memory_bytes() < 32 * MIB, "{}", store.guest_memory_bytes());
}

/// Reads wait for each other, so many at a time, and it is noted which threads read, each of
/// which is one instance's.
struct Meeting {
    together: Barrier,
    threads: Mutex<HashSet<ThreadId>>,
}

impl Meeting {
    fn of(at_once: usize) -> Arc<Watched<Self>> {
        let watcher = Self { together: Barrier::new(at_once), threads: Mutex::default() };
        Arc::new(Watched { memory: Arc::new(MemoryBackend::new()), watcher })
    }

    fn take_threads(&self) -> usize {
        std::mem::take(&mut *self.threads.lock().unwrap()).len()
    }
}

#[async_trait]
impl BeforeReads for Meeting {
    async fn before_read(&self, _key: &str) {
        self.threads.lock().unwrap().insert(thread::current().id());
        self.together.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_goes_to_the_one_with_the_least_to_do() {
    for (at_once, used) in [(1, 1), (2, 2), (6, 3)] {
        let meeting = Meeting::of(at_once);
        let store = together(meeting.clone(), 3);
        for _ in 0..3 {
            let heads = (0..at_once).map(|_| store.head("missing", None));
            for head in in_time(join_all(heads)).await {
                assert!(matches!(head, Err(Error::Store(StoreError::NotFound))), "{head:?}");
            }
        }
        assert_eq!(meeting.watcher.take_threads(), used, "{at_once} at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_its_part_whichever_begins() {
    let meeting = Meeting::of(1);
    let content = bytes(7, 30 * MIB as u64);
    put(&ChunkStore::new(meeting.memory.clone()).unwrap(), &content).await;
    let store = together(meeting.clone(), 3);
    let mut held = Vec::new();
    for begun in 0..3 {
        meeting.watcher.take_threads();
        assert!(in_time(read(&store, None)).await == content, "{begun} have something to do");
        assert_eq!(meeting.watcher.take_threads(), 3, "{begun} have something to do");
        // It takes the one that would have begun.
        let body = Body::of("never whole").then_silent();
        let mut put = Box::pin(store.put("held", body, PutOptions::default()));
        assert!(futures::poll!(&mut put).is_pending());
        held.push(put);
    }
}
