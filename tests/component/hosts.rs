//! The composed stores on their hosts: objects go in and out, and what was stored through one
//! is an object for every other.

use std::path::Path;

use bytes::Bytes;
use chunk_store::kv::SetOptions;
use chunk_store::object::GetOptions;
use chunk_store_host::kv::Backend as _;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, kv};
use chunk_store_tests::guest::{Hosted, Wasi};
use chunk_store_tests::spin::{self, App, GUARANTEED};
use chunk_store_tests::wasi_keyvalue::{self, Keyvalue, Listing};
use chunk_store_tests::{digest, random};
use tokio::io::AsyncReadExt as _;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::objects::Running;

/// What a host of Spin holds is enough for this much.
const LARGE_BYTES: u64 = 300_000_000;

async fn on_files(directory: &Path) -> Running<Wasi> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.preopened_dir(directory, "/", FsPerms::ReadWrite).unwrap();
    let link = wasmtime_wasi::p3::add_to_linker;
    Running::start("store-filesystem.wasm", Wasi::new(wasi.build()), link).await
}

async fn on_spin(app: &App) -> Running<Hosted<spin::Instance>> {
    let state = Hosted::new(WasiCtx::default(), app.instance());
    Running::start("store-spin.wasm", state, |linker| {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        spin::add_to_linker(linker, |host| &mut host.kv)
    })
    .await
}

async fn on_wasi_keyvalue(keyvalue: &Keyvalue) -> Running<Hosted<Keyvalue>> {
    let state = Hosted::new(WasiCtx::default(), keyvalue.clone());
    Running::start("store-wasi-keyvalue.wasm", state, |linker| {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        wasi_keyvalue::add_to_linker(linker, |host| &mut host.kv)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_put_on_files_are_objects_for_the_host_library() {
    let directory = tempfile::tempdir().unwrap();
    let store = on_files(directory.path()).await;
    let url = format!("file:{}", directory.path().display());
    let host = ChunkStore::new(kv::open(&url).await.unwrap()).unwrap();
    for (key, size) in [("small", 1000), ("films/large.mp4", 9 << 20)] {
        let body = Bytes::from(random::bytes(1, size));
        assert_eq!(store.put(key, body.clone()).await, digest(&body));
        assert_eq!(store.get(key).await, (size, digest(&body)), "{key}");
        let mut read = Vec::new();
        let mut object = host.get(key, GetOptions::default()).await.unwrap();
        object.read_to_end(&mut read).await.unwrap();
        assert!(read == body, "{key} through the host's own");
    }
    let body = Bytes::from("by the host");
    host.put("back", std::io::Cursor::new(body.clone()), Default::default()).await.unwrap();
    assert_eq!(store.get("back").await, (body.len() as u64, digest(&body)));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_megabytes_go_in_and_out_within_what_spin_guarantees() {
    let app = App::new(GUARANTEED);
    let store = on_spin(&app).await;
    let body = Bytes::from(random::bytes(7, LARGE_BYTES));
    let wanted = digest(&body);
    assert_eq!(store.put("films/large.mp4", body).await, wanted);
    {
        let values = app.values();
        let sizes = values.values().map(Vec::len);
        let (count, most, all) = sizes
            .fold((0, 0, 0), |(count, most, all), size| (count + 1, most.max(size), all + size));
        assert!(count <= GUARANTEED.keys_max && most <= GUARANTEED.value_bytes_max);
        assert!(all as u64 >= LARGE_BYTES, "{all} bytes in {count} values");
    }
    // By another instance, as the next request may be.
    let other = on_spin(&app).await;
    assert_eq!(other.get("films/large.mp4").await, (LARGE_BYTES, wanted));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_adapter_stored_is_read_through_another_when_it_was_copied_key_by_key() {
    let app = App::new(GUARANTEED);
    let store = on_spin(&app).await;
    let bodies = [("small", 1000), ("films/large.mp4", 9 << 20)]
        .map(|(key, size)| (key, Bytes::from(random::bytes(3, size))));
    for &(key, ref body) in &bodies {
        store.put(key, body.clone()).await;
    }

    let keyvalue = Keyvalue::new(Listing::Paged);
    let directory = tempfile::tempdir().unwrap();
    let files = kv::open(&format!("file:{}", directory.path().display())).await.unwrap();
    let memory = MemoryBackend::new();
    let values = app.values().clone();
    for (key, value) in values {
        keyvalue.insert(key.clone(), value.clone());
        files.set(&key, value.clone().into(), SetOptions::default()).await.unwrap();
        memory.set(&key, value.into(), SetOptions::default()).await.unwrap();
    }

    let (over_keyvalue, over_files) =
        (on_wasi_keyvalue(&keyvalue).await, on_files(directory.path()).await);
    let host = ChunkStore::new(std::sync::Arc::new(memory)).unwrap();
    for &(key, ref body) in &bodies {
        let wanted = (body.len() as u64, digest(body));
        assert_eq!(over_keyvalue.get(key).await, wanted, "{key} over wasi:keyvalue");
        assert_eq!(over_files.get(key).await, wanted, "{key} over wasi:filesystem");
        let mut read = Vec::new();
        let mut object = host.get(key, GetOptions::default()).await.unwrap();
        object.read_to_end(&mut read).await.unwrap();
        assert!(read == *body, "{key} by the host library");
    }
}
