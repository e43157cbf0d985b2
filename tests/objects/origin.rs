//! The known failures of the software that this store replaces, each of which shall not
//! come back.
//!
//! | what failed there | is tried in |
//! |---|---|
//! | one buffer reused while queued puts still read it | here |
//! | a missing chunk read as a short success | `damage::chunks` |
//! | a flipped bit not noticed | `damage::chunks` |
//! | a chunk 1000 bytes short accepted in a range read | here |
//! | chunks left behind by a failed put | here |
//! | the time to live never passed on | here |
//! | an unsatisfiable range answered with success | `rules::ranges` |
//! | a list of one page | here |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::object::{ListOptions, PutOptions, SweepOptions};
use chunk_store::range::{ByteRange, Span};
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, Error};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;

use crate::subject::{assert_error, read_to_end};

/// A memory whose sets take their time before they look at what they are given, and
/// which remembers how each key was to be set.
#[derive(Default)]
struct Slow {
    memory: MemoryBackend,
    asked: Mutex<BTreeMap<String, SetOptions>>,
}

#[async_trait]
impl Backend for Slow {
    fn limits(&self) -> KvLimits {
        self.memory.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.memory.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.asked.lock().unwrap().insert(key.into(), options.clone());
        self.memory.set(key, Bytes::copy_from_slice(&value), options).await
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

fn slow() -> (Arc<Slow>, ChunkStore) {
    let backend = Arc::new(Slow::default());
    (backend.clone(), ChunkStore::new(backend).unwrap())
}

fn in_chunks() -> PutOptions {
    PutOptions { chunk_bytes_max: Some(64 << 10), ..PutOptions::default() }
}

async fn keys(backend: &impl Backend, prefix: &str) -> Vec<String> {
    let page = backend.list_keys(prefix, None, 1000).await.unwrap();
    assert_eq!(page.cursor, None);
    page.keys.into_iter().map(|listed| listed.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_source_over_slow_puts_stores_every_chunk_as_it_was() {
    let (backend, store) = slow();
    let content = bytes(1, 20 << 20);
    store.put("object", Body::of(content.clone()), in_chunks()).await.unwrap();
    let chunks = keys(&*backend, "c/").await;
    assert_eq!(chunks.len(), 320);
    for (key, expected) in chunks.iter().zip(content.chunks(64 << 10)) {
        let entry = backend.get(key, None).await.unwrap().unwrap();
        assert!(entry.value == expected, "{key} holds other bytes");
    }
    assert!(store.verify("object").await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_chunk_1000_bytes_short_ends_a_read_of_a_range_of_it() {
    let (backend, store) = slow();
    store.put("object", Body::of(bytes(2, 300_000)), in_chunks()).await.unwrap();
    let third = keys(&*backend, "c/").await.remove(2);
    let short = backend.get(&third, None).await.unwrap().unwrap().value.slice(..64 * 1024 - 1000);
    backend.memory.set(&third, short, SetOptions::default()).await.unwrap();
    let options = chunk_store::object::GetOptions {
        // Bytes of it that are there.
        range: Some(ByteRange::Between(131_072, 131_172)),
        ..Default::default()
    };
    let reader = store.get("object", options).await.unwrap();
    let (read, error) = read_to_end(reader).await.unwrap_err();
    assert!(read.is_empty() && matches!(error, Error::Store(StoreError::Corrupt(_))), "{error}");
}

#[tokio::test]
async fn chunks_of_a_failed_put_do_not_stay() {
    let (backend, store) = slow();
    let options = PutOptions { size: Some(4_000_000), ..in_chunks() };
    let put = store.put("object", Body::of(bytes(3, 3_000_000)), options).await;
    assert_error!(put, StoreError::BodyMismatch(_));
    assert!(!keys(&*backend, "c/").await.is_empty(), "or this tries nothing");
    // Known to be unneeded at once: a sweep need not wait for the write's deadline.
    let hurried = SweepOptions { grace_seconds: 0, no_writers: true, ..SweepOptions::default() };
    let report = store.sweep(hurried).await.unwrap();
    assert_eq!((report.segments_condemned, report.segments_deleted), (0, 1));
    assert_eq!(keys(&*backend, "").await, [""; 0]);
}

#[tokio::test]
async fn the_time_to_live_is_passed_on_with_every_value() {
    let (backend, store) = slow();
    let options = PutOptions { ttl_seconds: Some(600), deadline_seconds: Some(60), ..in_chunks() };
    store.put("object", Body::of(bytes(4, 300_000)), options).await.unwrap();
    let asked = backend.asked.lock().unwrap();
    assert_eq!(asked["m/object"].ttl_seconds, Some(600));
    for (key, options) in asked.iter().filter(|(key, _)| !key.starts_with("m/")) {
        // Until the object has expired, whenever it is committed, and its readers are done.
        let ttl = options.ttl_seconds.unwrap_or_else(|| panic!("{key} stays for ever"));
        assert!((600 + 3600..=600 + 60 + 3600).contains(&ttl), "{key}: {ttl} s");
    }
    assert!(asked.keys().any(|key| key.starts_with("c/")));
}

#[tokio::test]
async fn a_list_has_all_pages() {
    let store = ChunkStore::new(Arc::new(MemoryBackend::new())).unwrap();
    for number in 0..2500 {
        let key = format!("object-{number:04}");
        store.put(&key, Body::of(b"x".to_vec()), PutOptions::default()).await.unwrap();
    }
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let options = ListOptions { cursor, limit: 1000, ..ListOptions::default() };
        let page = store.list(options).await.unwrap();
        listed.extend(page.objects.into_iter().map(|object| object.key));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let all: Vec<String> = (0..2500).map(|number| format!("object-{number:04}")).collect();
    assert_eq!(listed, all);
}
