//! A guest that traps takes along what ran in it, and nothing else.

use std::pin::pin;
use std::sync::Arc;

use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, Config, Error};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;

use crate::subject::{in_time, read_to_end};

/// Enough for an instance and small objects, too little for chunks of 4 MiB.
const CRAMPED: Config = Config { guest_memory_bytes_max: 4 << 20, instances_max: 1 };

fn cramped() -> ChunkStore {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    ChunkStore::with_config(backend, &CRAMPED).unwrap()
}

async fn read(store: &ChunkStore, key: &str) -> Vec<u8> {
    read_to_end(store.get(key, GetOptions::default()).await.unwrap()).await.unwrap()
}

async fn trap(store: &ChunkStore) {
    let body = Body::of(bytes(101, 64 << 20));
    let ended = store.put("large", body, PutOptions::default()).await;
    assert!(matches!(ended, Err(Error::Trap(_))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_beyond_the_memory_cap_ends_with_a_trap() {
    let store = cramped();
    in_time(trap(&store)).await;
    assert!(store.guest_memory_bytes() <= CRAMPED.guest_memory_bytes_max);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_operation_runs_on_a_fresh_instance() {
    let store = cramped();
    store.put("before", Body::of("one"), PutOptions::default()).await.unwrap();
    for _ in 0..3 {
        in_time(trap(&store)).await;
        assert_eq!(read(&store, "before").await, b"one");
        store.put("after", Body::of("two"), PutOptions::default()).await.unwrap();
        assert_eq!(read(&store, "after").await, b"two");
        let missing = store.head("large", None).await.unwrap_err();
        assert_eq!(missing, Error::Store(chunk_store::error::Error::NotFound));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_instances_those_that_have_trapped_are_not_asked() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let store = ChunkStore::with_config(backend, &Config { instances_max: 2, ..CRAMPED }).unwrap();
    let body = Body::of("never whole").then_silent();
    let mut held = pin!(store.put("held", body, PutOptions::default()));
    assert!(futures::poll!(&mut held).is_pending());
    in_time(trap(&store)).await;
    // It was the other's.
    assert!(futures::poll!(&mut held).is_pending());
    let metrics = store.metrics().await.unwrap();
    let labels = [("operation", "put")];
    assert_eq!(metrics.value("chunk_store_operations_under_way", &labels), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_was_waiting_ends_with_the_trap() {
    let store = cramped();
    let waiting = Body::of("the beginning").then_silent();
    let (ended, ()) = in_time(async {
        tokio::join!(store.put("waiting", waiting, PutOptions::default()), trap(&store))
    })
    .await;
    assert!(matches!(ended, Err(Error::Trap(_))), "{ended:?}");
    let missing = store.head("waiting", None).await.unwrap_err();
    assert_eq!(missing, Error::Store(chunk_store::error::Error::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_was_open_ends_with_the_trap() {
    let store = cramped();
    let content = bytes(102, 8 << 20);
    let options = PutOptions { chunk_bytes_max: Some(64 << 10), ..PutOptions::default() };
    store.put("object", Body::of(content.clone()), options).await.unwrap();
    let mut reader = store.get("object", GetOptions::default()).await.unwrap();
    let first = reader.next().await.unwrap().unwrap();
    in_time(trap(&store)).await;
    let (rest, error) = in_time(read_to_end(reader)).await.unwrap_err();
    assert!(matches!(error, Error::Trap(_)), "{error:?}");
    let read: Vec<u8> = [&first[..], &rest].concat();
    assert!(content.starts_with(&read), "what came before is right");
    assert!(self::read(&store, "object").await == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_there_outlives_a_trap_while_it_is_replaced() {
    let store = cramped();
    store.put("large", Body::of("the old one"), PutOptions::default()).await.unwrap();
    in_time(trap(&store)).await;
    assert_eq!(read(&store, "large").await, b"the old one");
    assert_eq!(store.verify("large").await.unwrap().problems, [""; 0]);
}
