//! Limits: what a backend says of itself, and that it keeps to it.

use bytes::Bytes;
use chunk_store::key::FIXED_KEY_BYTES_MAX;
use chunk_store::kv::{KvError, SetOptions};
use chunk_store::limits::VALUE_BYTES_MIN;

use crate::subject::Subject;

async fn assert_rejected(subject: &Subject, key: &str, value: Bytes, options: SetOptions) {
    let set = subject.set(key, value, options).await;
    let Err(KvError::Rejected(line)) = set else {
        panic!("not rejected: {set:?}");
    };
    assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
}

pub async fn limits_are_usable_and_constant(subject: &Subject) {
    let limits = subject.limits();
    assert!(limits.value_bytes_max >= VALUE_BYTES_MIN);
    assert!(limits.key_bytes_max >= FIXED_KEY_BYTES_MAX);
    assert!(limits.concurrency_max >= 1);
    assert!(limits.memory_bytes_max >= 1 << 20);
    assert!(limits.ttl_seconds_min != Some(0));
    subject.put("key", "").await;
    if limits.operations_max.is_none() {
        assert_eq!(subject.limits(), limits);
    }
}

pub async fn a_key_over_the_limit_is_rejected(subject: &Subject) {
    let bytes = subject.limits().key_bytes_max as usize;
    // One character too many, of one byte and of two.
    let long = "x".repeat(bytes + 1);
    let wide = format!("{}é", "x".repeat(bytes - 1));
    for key in ["", &long, &wide] {
        assert_rejected(subject, key, "".into(), SetOptions::default()).await;
        let got = subject.get(key, None).await;
        assert!(matches!(got, Err(KvError::Rejected(_))), "{got:?}");
        let deleted = subject.delete(key, None).await;
        assert!(matches!(deleted, Err(KvError::Rejected(_))), "{deleted:?}");
    }
    assert!(subject.keys("", 10).await.is_empty());
}

pub async fn a_value_over_the_limit_is_rejected(subject: &Subject) {
    subject.put("key", "old").await;
    let bytes = subject.limits().value_bytes_max as usize + 1;
    let value = Bytes::from(vec![0; bytes]);
    assert_rejected(subject, "key", value, SetOptions::default()).await;
    assert_eq!(subject.value("key").await, Some("old".into()));
}

pub async fn a_summary_over_the_limit_is_rejected(subject: &Subject) {
    subject.put("key", "old").await;
    let bytes = subject.limits().summary_bytes_max as usize + 1;
    let options = SetOptions { summary: Some(vec![b'x'; bytes].into()), ..SetOptions::default() };
    assert_rejected(subject, "key", "new".into(), options).await;
    assert_eq!(subject.value("key").await, Some("old".into()));
}
