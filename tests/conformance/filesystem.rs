//! What holds of the adapter over `wasi:filesystem` beyond the rules: that its directory is
//! the one of the file backend, and what it says where the host gives something else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};
use chunk_store_host::kv::{self, Backend};
use chunk_store_tests::adapter::Adapter;
use chunk_store_tests::guest::Wasi;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::rules::conditions::count_up;
use crate::subject::{awkward_keys, filesystem_adapter};

async fn adapter(directory: &Path, perms: FsPerms) -> Adapter<Wasi> {
    let mut wasi = WasiCtxBuilder::new();
    filesystem_adapter(wasi.preopened_dir(directory, "/", perms).unwrap()).await
}

async fn open(directory: &Path) -> Arc<dyn Backend> {
    Arc::new(adapter(directory, FsPerms::ReadWrite).await)
}

async fn host(directory: &Path) -> Arc<dyn Backend> {
    kv::open(&format!("file:{}", directory.display())).await.unwrap()
}

fn rejected(refused: Result<Outcome, KvError>) -> String {
    match refused {
        Err(KvError::Rejected(line)) if !line.contains('\n') => line,
        other => panic!("{other:?}"),
    }
}

async fn keys(backend: &Arc<dyn Backend>) -> Vec<String> {
    let page = backend.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.cursor, None);
    page.keys.into_iter().map(|listed| listed.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_backend_wrote_is_read_and_the_other_way_round() {
    for adapter_writes in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let both = (open(directory.path()).await, host(directory.path()).await);
        let (writer, reader) = if adapter_writes { both } else { (both.1, both.0) };
        for key in awkward_keys() {
            let set = writer.set(&key, key.clone().into(), SetOptions::default()).await;
            assert_eq!(set, Ok(Outcome::Done));
        }
        assert_eq!(keys(&reader).await, awkward_keys());
        for key in awkward_keys() {
            let entry = reader.get(&key, None).await.unwrap().unwrap();
            assert_eq!(entry.value, key.as_bytes());
            // And changed, by the version that the reader sees.
            let options = SetOptions {
                condition: entry.version.map(Condition::VersionIs),
                ..SetOptions::default()
            };
            assert_eq!(reader.set(&key, "changed".into(), options).await, Ok(Outcome::Done));
            assert_eq!(writer.get(&key, None).await.unwrap().unwrap().value, "changed");
            assert_eq!(writer.delete(&key, None).await, Ok(Outcome::Done));
            assert_eq!(reader.get(&key, None).await, Ok(None));
        }
    }
}

#[tokio::test]
async fn a_file_holds_the_value_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    backend.set("m/videos/a.mp4", "bytes".into(), SetOptions::default()).await.unwrap();
    assert_eq!(fs::read(directory.path().join("data/m+/videos+/a.mp4")).unwrap(), b"bytes");
    let entry = backend.get("m/videos/a.mp4", None).await.unwrap().unwrap();
    assert_eq!(entry.version.unwrap(), blake3::hash(b"bytes").to_hex().as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instances_on_one_directory_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let mut writers = Vec::new();
    for _ in 0..4 {
        writers.push(open(directory.path()).await);
    }
    count_up(writers.clone().into_iter(), 25).await;
    let counter = writers[0].get("counter", None).await.unwrap().unwrap();
    assert_eq!(counter.value, "100");
}

#[tokio::test]
async fn a_directory_that_is_there_for_reading_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let written = open(directory.path()).await;
    written.set("a/b", "value".into(), SetOptions::default()).await.unwrap();
    let reader: Arc<dyn Backend> = Arc::new(adapter(directory.path(), FsPerms::ReadOnly).await);
    assert_eq!(reader.get("a/b", None).await.unwrap().unwrap().value, "value");
    assert_eq!(keys(&reader).await, ["a/b"]);
    for refused in [
        reader.set("a/b", "new".into(), SetOptions::default()).await,
        reader.delete("a/b", None).await,
    ] {
        let line = rejected(refused);
        assert!(line.contains("give this user the right to read and write"), "{line}");
    }
    assert_eq!(written.get("a/b", None).await.unwrap().unwrap().value, "value");
}

#[tokio::test]
async fn without_one_directory_it_says_what_is_missing() {
    let none = filesystem_adapter(&mut WasiCtxBuilder::new()).await;
    let line = rejected(none.set("a", "".into(), SetOptions::default()).await);
    assert!(line.contains("gives no directory"), "{line}");
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut wasi = WasiCtxBuilder::new();
    wasi.preopened_dir(one.path(), "/", FsPerms::ReadWrite).unwrap();
    wasi.preopened_dir(two.path(), "/other", FsPerms::ReadWrite).unwrap();
    let line = rejected(filesystem_adapter(&mut wasi).await.delete("a", None).await);
    assert!(line.contains("gives 2 directories"), "{line}");
}

#[tokio::test]
async fn a_name_that_cannot_be_read_is_told_of() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let backend = open(directory.path()).await;
    backend.set("a", "".into(), SetOptions::default()).await.unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    fs::write(directory.path().join("data").join(name), "").unwrap();
    let listed = backend.list_keys("", None, 10).await.map(|_| Outcome::Done);
    let line = rejected(listed);
    assert!(line.contains("not UTF-8: move it away"), "{line}");
}
