//! A body that is not what was announced, or whose source fails, stores nothing and
//! leaves what was there whole.

use chunk_store::error::Error as StoreError;
use chunk_store::object::PutOptions;
use chunk_store_tests::body::Body;
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use tokio::io::AsyncWriteExt;

use crate::subject::{Subject, assert_error};

/// Bodies for the manifest, for one chunk, and for several.
const SIZES: [u64; 4] = [1, 1000, 300 << 10, 6 << 20];

/// Tries a put that has to fail as a mismatch, where there is no object and where
/// there is one; gives the message.
async fn stores_nothing(on: &Subject, body: impl Fn() -> Body, options: &PutOptions) -> String {
    let text = assert_error!(
        on.put("missing", body(), options.clone()).await,
        StoreError::BodyMismatch(_)
    );
    assert!(text.contains("nothing was stored"), "{text}");
    assert_error!(on.head("missing", None).await, StoreError::NotFound);
    for old in [bytes(31, 500), bytes(32, 700_000)] {
        let before = on.put_bytes("there", &old).await;
        let again = on.put("there", body(), options.clone()).await;
        assert_eq!(assert_error!(again, StoreError::BodyMismatch(_)), text);
        assert_eq!(on.head("there", None).await.unwrap(), before);
        assert!(on.read("there").await == old, "the old object is whole");
    }
    assert_eq!(on.keys().await, ["there"]);
    text
}

pub async fn shorter_than_announced_stores_nothing(on: &Subject) {
    for size in SIZES {
        for missing in [1, size] {
            let options = PutOptions { size: Some(size), ..PutOptions::default() };
            let body = || Body::of(bytes(33, size - missing));
            let text = stores_nothing(on, body, &options).await;
            let figures = format!("after {} of the announced {size} bytes", size - missing);
            assert!(text.contains(&figures), "{text}");
        }
    }
}

pub async fn longer_than_announced_stores_nothing(on: &Subject) {
    for size in SIZES.into_iter().chain([0]) {
        for excess in [1, 5 << 20] {
            let options = PutOptions { size: Some(size), ..PutOptions::default() };
            let body = || Body::of(bytes(34, size + excess));
            let text = stores_nothing(on, body, &options).await;
            assert!(text.contains(&format!("longer than the announced {size} bytes")), "{text}");
        }
    }
}

pub async fn another_digest_than_announced_stores_nothing(on: &Subject) {
    for size in SIZES {
        let content = bytes(35, size);
        let mut changed = content.clone();
        *changed.last_mut().unwrap() ^= 1;
        for announced_size in [None, Some(size)] {
            let options = PutOptions {
                size: announced_size,
                digest: Some(digest(&changed)),
                ..PutOptions::default()
            };
            let text = stores_nothing(on, || Body::of(content.clone()), &options).await;
            assert!(text.contains(&digest(&content)), "{text}");
        }
    }
}

pub async fn the_announced_digest_is_taken_in_either_case(on: &Subject) {
    for size in SIZES {
        let content = bytes(36, size);
        let right = digest(&content);
        let upper = format!("blake3:{}", right["blake3:".len()..].to_uppercase());
        for announced in [right.clone(), upper] {
            let options = PutOptions { digest: Some(announced), ..PutOptions::default() };
            let info = on.put_with("object", &content, options).await.unwrap();
            assert_eq!(info.digest, right);
        }
    }
}

pub async fn a_failing_source_stores_nothing(on: &Subject) {
    for given in [0, 1, 1000, 256 << 10, (256 << 10) + 1, 3 << 20, 6 << 20] {
        for size in [None, Some(given + 1)] {
            let options = PutOptions { size, ..PutOptions::default() };
            let body = || Body::of(bytes(37, given)).then_failing("the line was cut");
            let text = stores_nothing(on, body, &options).await;
            assert!(text.contains("the line was cut"), "{text}");
        }
    }
}

pub async fn a_source_that_fails_behind_its_announced_size_stores_nothing(on: &Subject) {
    for size in SIZES.into_iter().chain([0]) {
        let options = PutOptions { size: Some(size), ..PutOptions::default() };
        let body = || Body::of(bytes(38, size)).then_failing("the line was cut");
        let text = stores_nothing(on, body, &options).await;
        assert!(text.contains("the line was cut"), "{text}");
    }
}

pub async fn an_abandoned_put_stores_nothing(on: &Subject) {
    let before = on.put_bytes("there", b"old").await;
    for size in [10, 3 << 20] {
        let (mut writer, body) = tokio::io::duplex(64 << 10);
        // Ends once the bytes were taken: the put is dropped in the middle.
        tokio::select! {
            ended = on.put("there", body, PutOptions::default()) => panic!("{ended:?}"),
            written = async { writer.write_all(&bytes(39, size)).await } => written.unwrap(),
        }
        assert_eq!(on.head("there", None).await.unwrap(), before);
        // What nobody waits for any more is not committed behind everybody's back, even
        // if the rest of the body comes: the store has stopped reading it.
        let _ = writer.write_all(b"rest").await;
        drop(writer);
        on.put_bytes("other", b"new").await;
        assert_eq!(on.read("there").await, b"old");
    }
}
