//! What is said of an object.

use std::time::{Duration, SystemTime};

use chunk_store::object::{GetOptions, ListOptions, PutOptions};
use chunk_store_tests::random::bytes;

use crate::subject::Subject;

fn metadata(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn described(content_type: Option<&str>, pairs: &[(&str, &str)]) -> PutOptions {
    PutOptions {
        content_type: content_type.map(str::to_string),
        metadata: metadata(pairs),
        ..PutOptions::default()
    }
}

pub async fn type_and_metadata_are_kept_in_order(on: &Subject) {
    let pairs = [("zeta", "1"), ("alpha", ""), ("Zeta", "é 😀 \""), ("with space", "a=b")];
    for content in [bytes(41, 10), bytes(41, 700_000)] {
        let options = described(Some("video/mp4; codecs=\"avc1\""), &pairs);
        on.put_with("object", &content, options).await.unwrap();
        let info = on.head("object", None).await.unwrap();
        assert_eq!(info.content_type.as_deref(), Some("video/mp4; codecs=\"avc1\""));
        assert_eq!(info.metadata, metadata(&pairs));
        let plain = on.put_bytes("object", &content).await;
        assert_eq!((plain.content_type, plain.metadata), (None, Vec::new()), "and not inherited");
    }
}

pub async fn put_get_head_and_list_describe_the_same(on: &Subject) {
    for content in [bytes(42, 10), bytes(42, 700_000)] {
        let options =
            PutOptions { ttl_seconds: Some(5000), ..described(Some("a/b"), &[("name", "value")]) };
        let put = on.put_with("object", &content, options).await.unwrap();
        assert_eq!(put.key, "object");
        assert_eq!(on.head("object", None).await.unwrap(), put);
        let reader = on.get("object", GetOptions::default()).await.unwrap();
        assert_eq!(*reader.info(), put);
        let listed =
            on.list(ListOptions { limit: 1, details: true, ..ListOptions::default() }).await;
        assert_eq!(listed.unwrap().objects[0].info, Some(put));
    }
}

pub async fn etags_are_equal_where_content_type_and_metadata_are(on: &Subject) {
    let (one, other) = (bytes(43, 700_000), bytes(44, 700_000));
    let options = [
        described(None, &[]),
        described(Some(""), &[]),
        described(Some("a"), &[]),
        described(Some("b"), &[]),
        described(None, &[("a", "")]),
        described(None, &[("a", "b")]),
        described(None, &[("ab", "")]),
        described(None, &[("a", "b"), ("c", "d")]),
        described(None, &[("c", "d"), ("a", "b")]),
        described(Some("a"), &[("a", "b")]),
    ];
    let mut etags = Vec::new();
    for content in [&one, &other] {
        for options in &options {
            let first = on.put_with("one", content, options.clone()).await.unwrap().etag;
            // Neither the key nor how it is stored has a say.
            let options = PutOptions { chunk_bytes_max: Some(1 << 16), ..options.clone() };
            let again = on.put_with("another", content, options).await.unwrap().etag;
            assert_eq!(first, again);
            assert!(first.len() > 2 && first.starts_with('"') && first.ends_with('"'), "{first}");
            etags.push(first);
        }
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 2 * options.len());
}

pub async fn every_commit_has_a_new_generation(on: &Subject) {
    let mut generations = Vec::new();
    for key in ["a", "b", "a", "a"] {
        generations.push(on.put_bytes(key, b"the same").await.generation);
    }
    on.delete("a", None).await.unwrap();
    generations.push(on.put_bytes("a", b"the same").await.generation);
    generations.sort();
    generations.dedup();
    assert_eq!(generations.len(), 5);
}

fn now_ms() -> u64 {
    let since: Duration = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

pub async fn modified_is_the_time_of_the_commit(on: &Subject) {
    let before = now_ms();
    let info = on.put_bytes("object", b"content").await;
    assert!((before..=now_ms()).contains(&info.modified), "{} is not now", info.modified);
}

pub async fn an_object_without_ttl_has_no_expiry(on: &Subject) {
    assert_eq!(on.put_bytes("object", b"content").await.expires, None);
}
