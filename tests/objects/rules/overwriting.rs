//! What becomes of an object that is replaced or deleted, and of its readers.

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_tests::random::bytes;
use futures::future::join_all;

use crate::subject::{Subject, assert_error, read_to_end};

/// Contents of every kind, so that each follows each: longer, shorter, in chunks or
/// not.
fn contents() -> Vec<Vec<u8>> {
    [0, 10, 300_000, 9 << 20].into_iter().map(|size| bytes(71 + size, size)).collect()
}

pub async fn the_new_content_replaces_the_old(on: &Subject) {
    for old in contents() {
        for new in contents() {
            on.put_bytes("object", &old).await;
            let info = on.put_bytes("object", &new).await;
            assert_eq!(on.head("object", None).await.unwrap(), info);
            assert!(on.read("object").await == new, "{} after {}", new.len(), old.len());
        }
    }
    assert_eq!(on.keys().await, ["object"]);
}

pub async fn a_deleted_object_is_not_found(on: &Subject) {
    for content in contents() {
        on.put_bytes("object", &content).await;
        on.delete("object", None).await.unwrap();
        assert_error!(on.get("object", GetOptions::default()).await, StoreError::NotFound);
        assert_error!(on.head("object", None).await, StoreError::NotFound);
        assert_error!(on.verify("object").await, StoreError::NotFound);
        assert_error!(on.delete("object", None).await, StoreError::NotFound);
        assert!(on.keys().await.is_empty());
    }
}

pub async fn deleting_what_is_missing_is_not_found(on: &Subject) {
    on.put_bytes("a/b", b"content").await;
    for key in ["a", "a/", "a/b/", "a/b/c", "A/B", "b"] {
        assert_error!(on.delete(key, None).await, StoreError::NotFound);
    }
    assert_eq!(on.read("a/b").await, b"content");
}

/// Opens the object, does something to it, and reads on.
async fn read_across(on: &Subject, content: &[u8], change: impl Future<Output = ()>) {
    let mut reader = on.get("object", GetOptions::default()).await.unwrap();
    let mut read = Vec::new();
    if let Some(piece) = reader.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    change.await;
    read.extend(read_to_end(reader).await.unwrap());
    assert!(read == content, "the old content is whole");
}

pub async fn a_reader_goes_on_with_what_it_opened(on: &Subject) {
    for content in contents().into_iter().chain([bytes(70, 40 << 20)]) {
        on.put_bytes("object", &content).await;
        let change = async {
            on.put_bytes("object", b"short").await;
            on.put_bytes("object", &bytes(72, 5 << 20)).await;
        };
        read_across(on, &content, change).await;
        assert!(on.read("object").await == bytes(72, 5 << 20));
    }
}

pub async fn a_reader_goes_on_with_what_is_deleted(on: &Subject) {
    for content in contents().into_iter().chain([bytes(73, 40 << 20)]) {
        on.put_bytes("object", &content).await;
        read_across(on, &content, async { on.delete("object", None).await.unwrap() }).await;
        assert!(on.keys().await.is_empty());
    }
}

pub async fn writers_of_one_key_leave_one_of_theirs(on: &Subject) {
    let contents: Vec<Vec<u8>> = (0..8).map(|seed| bytes(seed, 500_000 + seed)).collect();
    let puts = contents.iter().map(|content| on.put_with("object", content, PutOptions::default()));
    let ended = join_all(puts).await;
    let infos: Vec<_> = ended.into_iter().map(Result::unwrap).collect();
    let there = on.head("object", None).await.unwrap();
    let last = infos.iter().position(|info| *info == there).expect("one of those put");
    assert!(on.read("object").await == contents[last]);
    assert_eq!(on.verify("object").await.unwrap().problems, [""; 0]);
}
