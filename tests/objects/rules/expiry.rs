//! An object with a time to live ends by itself.

use std::time::Duration;

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, ListOptions, Precondition, PutOptions};
use chunk_store_tests::random::bytes;

use crate::subject::{Subject, assert_error};

fn for_a_second() -> PutOptions {
    PutOptions { ttl_seconds: Some(1), ..PutOptions::default() }
}

/// Waits until an object has gone; the test's own bound ends it if it never does.
async fn until_gone(on: &Subject, key: &str) {
    while on.head(key, None).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn an_expired_object_is_nowhere(on: &Subject) {
    for content in [bytes(51, 10), bytes(51, 700_000)] {
        on.put_with("gone", &content, for_a_second()).await.unwrap();
        on.put_bytes("here", &content).await;
        until_gone(on, "gone").await;
        assert_error!(on.head("gone", None).await, StoreError::NotFound);
        assert_error!(on.get("gone", GetOptions::default()).await, StoreError::NotFound);
        assert_error!(on.verify("gone").await, StoreError::NotFound);
        let exists = on.head("gone", Some(Precondition::Exists)).await;
        let text = assert_error!(exists, StoreError::PreconditionFailed(None));
        assert!(text.contains("there is no such object"), "{text}");
        let details = ListOptions { limit: 10, details: true, ..ListOptions::default() };
        let listed = on.list_all(details).await.objects;
        assert_eq!(listed.iter().map(|object| &object.key).collect::<Vec<_>>(), ["here"]);
        assert_error!(on.delete("gone", None).await, StoreError::NotFound);
    }
}

pub async fn an_expired_object_can_be_put_again(on: &Subject) {
    for content in [bytes(52, 10), bytes(52, 700_000)] {
        on.put_with("object", b"old", for_a_second()).await.unwrap();
        until_gone(on, "object").await;
        let options = PutOptions { precondition: Some(Precondition::Absent), ..Default::default() };
        on.put_with("object", &content, options).await.unwrap();
        assert!(on.read("object").await == content);
        on.delete("object", None).await.unwrap();
    }
}

pub async fn a_put_without_ttl_ends_the_one_before(on: &Subject) {
    for content in [bytes(53, 10), bytes(53, 700_000)] {
        on.put_with("witness", &content, for_a_second()).await.unwrap();
        on.put_with("object", &content, for_a_second()).await.unwrap();
        on.put_bytes("object", &content).await;
        // The witness began first, but both were over by now.
        on.put_with("witness", &content, for_a_second()).await.unwrap();
        until_gone(on, "witness").await;
        assert!(on.read("object").await == content);
        assert_eq!(on.verify("object").await.unwrap().problems, [""; 0]);
    }
}

pub async fn expires_lies_the_ttl_behind_modified(on: &Subject) {
    for ttl in [1, 3600, u32::MAX] {
        let options = PutOptions { ttl_seconds: Some(ttl), ..PutOptions::default() };
        let info = on.put_with("object", b"content", options).await.unwrap();
        assert_eq!(info.expires, Some(info.modified + u64::from(ttl) * 1000));
    }
}
