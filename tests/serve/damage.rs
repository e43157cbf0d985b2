//! A store that is damaged behind the server's back: the client sees that it failed.

use chunk_store_host::kv::Backend;
use chunk_store_tests::http::{Client, Protocol};
use chunk_store_tests::random::bytes;

use crate::{client, server, store_of};

/// Deletes the values whose kv keys have this prefix and end.
async fn lose(kv: &dyn Backend, prefix: &str, end: &str) {
    let page = kv.list_keys(prefix, None, 1000).await.unwrap();
    let lost: Vec<_> = page.keys.iter().filter(|listed| listed.key.ends_with(end)).collect();
    assert!(!lost.is_empty(), "nothing begins with {prefix} and ends with {end}");
    for listed in lost {
        kv.delete(&listed.key, None).await.unwrap();
    }
}

/// A GET breaks somewhere behind its beginning; what came is the beginning of the content.
async fn assert_breaks(client: &Client, path: &str, content: &[u8], with_length: bool) {
    let answer = client.send(&format!("GET {path}"), &[], b"").await;
    assert_eq!(answer.status, 200, "the head has gone out");
    assert_eq!(answer.headers.contains_key("content-length"), with_length);
    assert!(answer.broken.is_some(), "it must not look whole");
    assert!(!answer.bytes.is_empty() && answer.bytes.len() < content.len());
    assert!(content.starts_with(&answer.bytes));
}

#[tokio::test]
async fn a_chunk_that_is_missing_in_the_middle_breaks_the_transfer() {
    let server = server(&[]);
    let content = bytes(3, 6_000_000);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = client(&server, protocol);
        client.send("PUT /a", &[], &content).await;
        lose(&*store_of(&server).await, "c/", "/00000003").await;
        assert_breaks(&client, "/a", &content, true).await;
        // What can be read is read, and what begins with the gap is an error with a status.
        let part = client.send("GET /a", &[("range", "bytes=0-99")], b"").await.is(206);
        assert!(part.bytes == content[..100]);
        let gap = client.send("GET /a", &[("range", "bytes=1048576-1048577")], b"").await;
        gap.fails(500, "corrupt");
        let parts = client.send("GET /a", &[("range", "bytes=0-9,1048576-1048577")], b"").await;
        assert!(parts.status == 206 && parts.broken.is_some(), "{:?}", parts.broken);
        client.send("DELETE /a", &[], b"").await.is(204);
    }
    let failed = server.accesses("GET", "/a", 8);
    let failed: Vec<_> = failed.iter().filter(|line| line["ended"] == "failed").collect();
    assert_eq!(failed.len(), 4, "the log tells of each");
    assert!(failed.iter().all(|line| line["failure"].is_string()));
}

/// Who follows an upload is not told how long it will be.
#[tokio::test]
async fn a_chunk_that_is_missing_breaks_a_transfer_without_a_length() {
    let server = server(&[]);
    let content = bytes(4, 6_000_000);
    for (protocol, key) in [(Protocol::Http1, "a"), (Protocol::Http2, "b")] {
        let client = client(&server, protocol);
        // `key YQ==` is the key `a`.
        let metadata = if key == "a" { "key YQ==" } else { "key Yg==" };
        let headers = [
            ("tus-resumable", "1.0.0"),
            ("content-type", "application/offset+octet-stream"),
            ("upload-length", "9000000"),
            ("upload-metadata", metadata),
        ];
        client.send("POST /_/uploads", &headers, &content).await.is(201);
        lose(&*store_of(&server).await, "c/", "/00000003").await;
        assert_breaks(&client, &format!("/{key}?follow"), &content, false).await;
    }
}

#[tokio::test]
async fn what_was_damaged_is_no_content() {
    let server = server(&[]);
    let client = client(&server, Protocol::Http1);
    client.send("PUT /a", &[], &bytes(5, 1000)).await.is(201);
    let kv = store_of(&server).await;
    let mut manifest = kv.get("m/a", None).await.unwrap().unwrap().value.to_vec();
    *manifest.last_mut().unwrap() ^= 1;
    kv.set("m/a", manifest.into(), Default::default()).await.unwrap();
    client.send("GET /a", &[], b"").await.fails(500, "corrupt");
    client.send("HEAD /a", &[], b"").await;
    // It can be replaced.
    client.send("PUT /a", &[], b"new").await.is(204);
    assert_eq!(client.send("GET /a", &[], b"").await.is(200).bytes, b"new");
}

/// A sweep by request gives back what was deleted, and nothing else.
#[tokio::test]
async fn a_sweep_leaves_what_objects_need() {
    let server = server(&[]);
    let client = client(&server, Protocol::Http1);
    for key in ["a", "b", "c"] {
        client.send(&format!("PUT /{key}"), &[], &bytes(6, 2_000_000)).await.is(201);
    }
    client.send("DELETE /a", &[], b"").await.is(204);
    client.send("PUT /b", &[], &bytes(7, 1_000_000)).await.is(204);
    let sweep = async |query: &str| {
        let line = format!("POST /_/sweep?grace-seconds=0&no-writers{query}");
        client.send(&line, &[], b"").await.is(200).json()
    };
    let kv = store_of(&server).await;
    let before = chunk_store_tests::needed::keys_there(&*kv).await;
    assert_eq!(sweep("&dry-run").await["segments-deleted"], 2);
    assert_eq!(chunk_store_tests::needed::keys_there(&*kv).await, before);
    assert_eq!(sweep("").await["segments-deleted"], 2);
    chunk_store_tests::needed::assert_exact(&*kv).await;
    assert!(client.send("GET /c", &[], b"").await.is(200).bytes == bytes(6, 2_000_000));
}
