//! What lies in Workers KV is what lies in every other kv.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::kv::SetOptions;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_host::ChunkStore;
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_tests::body::Body;
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use tokio::io::AsyncReadExt as _;

use crate::{served, workerd};

/// Inline, a lone chunk, a few.
const SIZES: [u64; 4] = [0, 100_000, 300_000, 7_000_000];

/// Copies every key with its value.
async fn copy(from: &impl Backend, to: &impl Backend) {
    let page = from.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.cursor, None);
    for listed in page.keys {
        let value = from.get(&listed.key, None).await.unwrap().unwrap().value;
        let options = SetOptions { summary: listed.summary, ..SetOptions::default() };
        to.set(&listed.key, value, options).await.unwrap();
    }
}

#[tokio::test]
async fn the_wasmtime_host_reads_what_the_worker_stored() {
    let workerd = workerd().await;
    let client = workerd.client();
    for size in SIZES {
        let given = [("content-type", "video/mp4"), ("x-meta-author", "Ann")];
        let put = client.send(&format!("PUT /films/{size}"), &given, &bytes(size, size)).await;
        assert_eq!(put.is(204).header("x-digest"), digest(&bytes(size, size)));
    }
    let memory = Arc::new(MemoryBackend::new());
    copy(&served(&workerd).await, &memory).await;
    let store = ChunkStore::new(memory).unwrap();
    for size in SIZES {
        let key = format!("films/{size}");
        let mut reader = store.get(&key, GetOptions::default()).await.unwrap();
        let mut content = Vec::new();
        reader.read_to_end(&mut content).await.unwrap();
        assert!(content == bytes(size, size), "{size}");
        let info = store.head(&key, None).await.unwrap();
        assert_eq!(info.content_type.as_deref(), Some("video/mp4"));
        assert_eq!(info.metadata, [("author".to_string(), "Ann".to_string())]);
        let report = store.verify(&key).await.unwrap();
        assert_eq!((report.problems, report.bytes), (Vec::new(), size));
    }
}

#[tokio::test]
async fn the_worker_reads_what_the_wasmtime_host_stored() {
    let memory = Arc::new(MemoryBackend::new());
    let store = ChunkStore::new(memory.clone()).unwrap();
    for size in SIZES {
        let options = PutOptions {
            content_type: Some("video/mp4".into()),
            metadata: vec![("author".into(), "Ann".into())],
            ..PutOptions::default()
        };
        let body = Body::of(Bytes::from(bytes(size, size)));
        store.put(&format!("films/{size}"), body, options).await.unwrap();
    }
    let workerd = workerd().await;
    copy(&memory, &served(&workerd).await).await;
    let client = workerd.client();
    for size in SIZES {
        let got = client.send(&format!("GET /films/{size}"), &[], b"").await.is(200);
        assert!(got.bytes == bytes(size, size), "{size}");
        assert_eq!(got.header("x-digest"), digest(&bytes(size, size)));
        assert_eq!(got.header("content-type"), "video/mp4");
        assert_eq!(got.header("x-meta-author"), "Ann");
    }
}
