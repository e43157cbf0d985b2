//! Arguments that can never work are refused in words, and change nothing.

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, ListOptions, PutOptions};
use chunk_store_host::Error;
use chunk_store_tests::body::Body;

use crate::subject::{Subject, assert_error};

/// Asserts that options are refused, without waiting for the body, and that nothing
/// was stored; gives the message.
async fn refused(on: &Subject, options: PutOptions) -> String {
    let put = on.put("object", Body::of("content").then_silent(), options).await;
    let text = assert_error!(put, StoreError::InvalidArgument(_));
    assert!(on.kv_keys("").await.is_empty(), "{text}");
    text
}

fn longest_key_bytes(on: &Subject) -> usize {
    // `m/` goes before it.
    on.backend.limits().key_bytes_max as usize - 2
}

pub async fn keys_that_cannot_be(on: &Subject) {
    let longest = longest_key_bytes(on);
    for (key, part) in [
        (String::new(), "empty"),
        ("x".repeat(longest + 1), "takes at most"),
        ("é".repeat(longest / 2 + 1), "takes at most"),
        ("x".repeat(5000), "5000 bytes"),
        ("a\nb".to_string(), "control character '\\n'"),
        ("a\tb".to_string(), "control character"),
        ("\0".to_string(), "control character"),
        ("a\u{7f}".to_string(), "control character"),
        ("a\u{85}b".to_string(), "control character"),
    ] {
        let body = Body::of("content").then_silent();
        let ended: [Result<(), Error>; 5] = [
            on.put(&key, body, PutOptions::default()).await.map(|_| ()),
            on.get(&key, GetOptions::default()).await.map(|_| ()),
            on.head(&key, None).await.map(|_| ()),
            on.delete(&key, None).await,
            on.verify(&key).await.map(|_| ()),
        ];
        for ended in ended {
            let text = assert_error!(ended, StoreError::InvalidArgument(_));
            assert!(text.contains(part) && !text.contains('\n'), "{key:?}: {text}");
        }
    }
    assert!(on.kv_keys("").await.is_empty());
}

pub async fn the_longest_key_is_taken(on: &Subject) {
    let longest = longest_key_bytes(on);
    for key in ["x".repeat(longest), "é".repeat(longest / 2), "/".repeat(longest)] {
        on.put_bytes(&key, key.as_bytes()).await;
        assert_eq!(on.read(&key).await, key.as_bytes());
        assert!(on.keys().await.iter().eq([&key]));
        on.delete(&key, None).await.unwrap();
    }
}

pub async fn texts_that_are_no_digest(on: &Subject) {
    let hex = "0".repeat(64);
    for text in [
        "",
        "blake3:",
        "blake3:00",
        &hex,
        &format!("sha256:{hex}"),
        &format!("blake3:{hex}0"),
        &format!("blake3:{}g", &hex[1..]),
    ] {
        let options = PutOptions { digest: Some(text.to_string()), ..PutOptions::default() };
        let message = refused(on, options).await;
        assert!(message.contains("64 hex digits"), "{message}");
    }
}

pub async fn content_types_that_cannot_be(on: &Subject) {
    for content_type in ["x".repeat(257), "é".repeat(129), "a\nb".into(), "a\u{1}".into()] {
        let options = PutOptions { content_type: Some(content_type), ..PutOptions::default() };
        let message = refused(on, options).await;
        assert!(message.contains("content type"), "{message}");
    }
    let longest = Some("é".repeat(128));
    let options = PutOptions { content_type: longest.clone(), ..PutOptions::default() };
    assert_eq!(on.put_with("object", b"", options).await.unwrap().content_type, longest);
}

pub async fn metadata_that_cannot_be(on: &Subject) {
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    for (metadata, part) in [
        (vec![pair("", "value")], "empty"),
        (vec![pair("a\nb", "value")], "control characters"),
        (vec![pair("name", "a\r")], "control characters"),
        (vec![pair("a", "1"), pair("b", "2"), pair("a", "3")], "twice"),
        // As JSON each pair takes 7 bytes more, and the list of one 2.
        (vec![pair("name", &"x".repeat(8180))], "8193 bytes"),
        (vec![pair(&"x".repeat(4096), ""), pair("y", &"é".repeat(2040))], "8194 bytes"),
        (vec![pair("name", &"\"".repeat(4090))], "8193 bytes"),
    ] {
        let message = refused(on, PutOptions { metadata, ..PutOptions::default() }).await;
        assert!(message.contains(part), "{message}");
    }
}

pub async fn the_most_metadata_is_taken(on: &Subject) {
    for metadata in [
        vec![("name".to_string(), "x".repeat(8179))],
        // Quotes and backslashes take twice the room where they are stored.
        vec![("\"".repeat(2045), "\\".repeat(2046))],
        (0..744).map(|n| (format!("{n:03}"), String::new())).collect(),
    ] {
        let options = PutOptions { metadata: metadata.clone(), ..PutOptions::default() };
        for content in [&b"inline"[..], &[7; 700_000]] {
            on.put_with("object", content, options.clone()).await.unwrap();
            assert_eq!(on.head("object", None).await.unwrap().metadata, metadata);
            assert!(on.read("object").await == content);
        }
    }
}

pub async fn a_time_to_live_of_nothing(on: &Subject) {
    let options = PutOptions { ttl_seconds: Some(0), ..PutOptions::default() };
    let message = refused(on, options).await;
    assert!(message.contains("0 seconds"), "{message}");
}

pub async fn chunks_that_are_too_small(on: &Subject) {
    for chunk_bytes_max in [0, 1, 65_535] {
        let options =
            PutOptions { chunk_bytes_max: Some(chunk_bytes_max), ..PutOptions::default() };
        let message = refused(on, options).await;
        assert!(message.contains("at least 65536"), "{message}");
    }
}

pub async fn pages_that_cannot_be(on: &Subject) {
    for limit in [0, 1001, u32::MAX] {
        let listed = on.list(ListOptions { limit, ..ListOptions::default() }).await;
        let text = assert_error!(listed, StoreError::InvalidArgument(_));
        assert!(text.contains("1 to 1000"), "{text}");
    }
    let options =
        ListOptions { limit: 1, delimiter: Some(String::new()), ..ListOptions::default() };
    let text = assert_error!(on.list(options).await, StoreError::InvalidArgument(_));
    assert!(text.contains("delimiter is empty"), "{text}");
}

pub async fn cursors_from_elsewhere(on: &Subject) {
    for cursor in ["", "x", "9:ab", ":"] {
        let options =
            ListOptions { limit: 1, cursor: Some(cursor.to_string()), ..ListOptions::default() };
        let text = assert_error!(on.list(options).await, StoreError::InvalidArgument(_));
        assert!(text.contains("cursor"), "{text}");
    }
}
