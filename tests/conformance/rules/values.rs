//! Values: set, replaced, deleted, read back.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::kv::{Outcome, SetOptions};

use crate::subject::Subject;

/// The rules try no larger values than this, where larger ones are allowed.
const LARGE_BYTES: u64 = 8 << 20;

pub async fn a_write_is_read(subject: &Subject) {
    subject.put("key", "value").await;
    assert_eq!(subject.value("key").await, Some("value".into()));
    assert_eq!(subject.value("key").await, Some("value".into()));
}

pub async fn a_second_write_replaces_the_first(subject: &Subject) {
    for value in ["a long first value", "short", "", "longer again"] {
        subject.put("key", value).await;
        assert_eq!(subject.value("key").await, Some(value.into()));
    }
    assert_eq!(subject.keys("", 10).await, ["key"]);
}

pub async fn every_byte_comes_back(subject: &Subject) {
    let value: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    subject.put("bytes", value.clone()).await;
    assert_eq!(subject.value("bytes").await, Some(value.into()));
}

pub async fn the_empty_value_is_a_value(subject: &Subject) {
    subject.put("empty", "").await;
    assert_eq!(subject.value("empty").await, Some(Bytes::new()));
    assert_eq!(subject.keys("", 10).await, ["empty"]);
}

pub async fn the_largest_value_comes_back(subject: &Subject) {
    let bytes = subject.limits().value_bytes_max.min(LARGE_BYTES);
    let value: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
    subject.put("large", value.clone()).await;
    // Not assert_eq, which would print them.
    assert!(subject.value("large").await == Some(value));
}

pub async fn what_was_never_set_is_not_there(subject: &Subject) {
    subject.put("there", "").await;
    for key in ["not", "there/", "ther", "there/x", "There"] {
        assert_eq!(subject.entry(key).await, None, "{key}");
    }
}

pub async fn a_deleted_value_is_gone(subject: &Subject) {
    subject.put("key", "value").await;
    subject.remove("key").await;
    assert_eq!(subject.entry("key").await, None);
    assert!(subject.keys("", 10).await.is_empty());
    subject.put("key", "again").await;
    assert_eq!(subject.value("key").await, Some("again".into()));
}

pub async fn deleting_what_is_not_there_is_done(subject: &Subject) {
    subject.remove("nothing").await;
    subject.put("some/thing", "").await;
    for key in ["some", "some/", "some/thing/else", "some/other"] {
        subject.remove(key).await;
    }
    assert_eq!(subject.keys("", 10).await, ["some/thing"]);
}

pub async fn a_durable_set_keeps_what_came_before_it(subject: &Subject) {
    let durable = || SetOptions { durable: true, ..SetOptions::default() };
    // More than any backend lets wait.
    for count in 0..150 {
        let key = format!("c/{}/{count:08}", count % 3);
        subject.put(&key, format!("chunk {count}")).await;
    }
    subject.put("c/0/00000000", "replaced").await;
    subject.put_with("m/object", "manifest", durable()).await;
    subject.put_with("m/object", "rewritten", durable()).await;

    let again = subject.open_again().await;
    let value = async |key: &str| again.get(key, None).await.unwrap().unwrap().value;
    assert_eq!(value("m/object").await, "rewritten");
    assert_eq!(value("c/0/00000000").await, "replaced");
    for count in 1..150 {
        let key = format!("c/{}/{count:08}", count % 3);
        assert_eq!(value(&key).await, format!("chunk {count}"));
    }
}

pub async fn sets_at_once_are_all_kept(subject: &Subject) {
    let sets = (0..48).map(|count| {
        let backend = Arc::clone(subject);
        tokio::spawn(async move {
            let options = SetOptions { durable: count % 3 == 0, ..SetOptions::default() };
            backend.set(&format!("k/{count:02}"), format!("{count}").into(), options).await
        })
    });
    // All are begun before the first is waited for.
    for set in sets.collect::<Vec<_>>() {
        assert_eq!(set.await.unwrap(), Ok(Outcome::Done));
    }
    subject.settle().await;
    for count in 0..48 {
        let value = subject.value(&format!("k/{count:02}")).await;
        assert_eq!(value, Some(format!("{count}").into()));
    }
}
