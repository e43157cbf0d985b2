//! A platform that fails, and clients that leave.

use std::time::Duration;

use chunk_store::kv::SetOptions;
use chunk_store_host::kv::Backend as _;
use chunk_store_tests::http::{Client, Sending};
use chunk_store_tests::random::bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{keys, served, workerd};

/// A platform whose reads are current: what is missing there is damage.
fn current() -> Value {
    json!({ "stalenessMs": 0 })
}

/// A failure of KV, told as the runtime tells it.
fn failure(operation: &str, prefix: &str, after: u32, times: u32, status: &str) -> Value {
    let name = operation.to_uppercase();
    json!({
        "operation": operation, "prefix": prefix, "after": after, "times": times,
        "message": format!("KV {name} failed: {status}"),
    })
}

#[tokio::test]
async fn a_put_that_fails_in_the_middle_stores_nothing() {
    let workerd = workerd().await;
    let failing = failure("put", "c/", 2, 1_000_000, "500 Internal Server Error");
    workerd.fail(json!({ "rules": [failing] })).await;
    let client = workerd.client();
    let put = client.send("PUT /a", &[], &bytes(1, 5_000_000)).await.fails(503, "unavailable");
    assert!(!put.header("retry-after").is_empty());
    workerd.fail(json!({})).await;
    client.send("GET /a", &[], b"").await.fails(404, "not-found");
    let namespace = served(&workerd).await;
    assert_eq!(keys(&namespace, "m/").await, [""; 0]);
    assert!(!keys(&namespace, "w/").await.is_empty(), "what sweep finds the chunks by");
}

/// Stores an object and reads it back.
async fn comes_back(client: &Client, content: &[u8]) {
    client.send("PUT /a", &[], content).await.is(204);
    assert!(client.send("GET /a", &[], b"").await.is(200).bytes == content);
}

#[tokio::test]
async fn a_failure_that_passes_is_outlasted() {
    let workerd = workerd().await;
    let content = bytes(1, 5_000_000);
    for operation in ["put", "get"] {
        let failing = failure(operation, "c/", 1, 2, "503 Service Unavailable");
        workerd.fail(json!({ "rules": [failing] })).await;
        comes_back(&workerd.client(), &content).await;
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_made_again() {
    let workerd = workerd().await;
    let mut failing = failure("put", "", 0, 3, "500 Internal Server Error");
    failing["landed"] = true.into();
    workerd.fail(json!({ "rules": [failing] })).await;
    comes_back(&workerd.client(), &bytes(1, 1_000_000)).await;
}

#[tokio::test]
async fn who_is_throttled_waits() {
    let workerd = workerd().await;
    let failing = failure("put", "m/", 0, 2, "429 Too Many Requests");
    workerd.fail(json!({ "rules": [failing] })).await;
    let begun = Instant::now();
    workerd.client().send("PUT /a", &[], b"content").await.is(204);
    assert!(begun.elapsed() >= Duration::from_secs(2), "a second each");
}

#[tokio::test]
async fn what_kv_refuses_is_not_tried_again() {
    let workerd = workerd().await;
    let failing = failure("put", "m/", 0, 1_000_000, "403 Forbidden");
    workerd.fail(json!({ "rules": [failing] })).await;
    workerd.take_operations().await;
    workerd.client().send("PUT /a", &[], b"content").await.fails(403, "denied");
    assert_eq!(workerd.take_operations().await["put"], 1);
}

#[tokio::test]
async fn an_operation_that_stalls_is_given_up_and_made_again() {
    let workerd = workerd().await;
    let mut failing = failure("put", "c/", 1, 1, "500 Internal Server Error");
    failing["stalled"] = true.into();
    workerd.fail(json!({ "rules": [failing] })).await;
    let content = bytes(1, 1_000_000);
    let begun = Instant::now();
    let client = workerd.client();
    client.send("PUT /a", &[], &content).await.is(204);
    assert!(begun.elapsed() >= Duration::from_secs(30), "an operation may take half a minute");
    assert!(client.send("GET /a", &[], b"").await.is(200).bytes == content);
}

#[tokio::test]
async fn a_missing_chunk_is_told_before_the_body_or_breaks_it() {
    let workerd = workerd().await;
    let client = workerd.client();
    let content = bytes(1, 3_000_000);
    client.send("PUT /a", &[], &content).await.is(204);
    let namespace = served(&workerd).await;
    let chunks = keys(&namespace, "c/").await;

    namespace.delete(&chunks[2], None).await.unwrap();
    let got = client.send("GET /a", &[], b"").await;
    assert_eq!((got.status, got.header("content-length")), (200, "3000000"));
    assert!(got.broken.is_some(), "it does not look whole");
    assert!(content.starts_with(&got.bytes), "and what came was right");

    namespace.delete(&chunks[0], None).await.unwrap();
    // So young an object may not be visible yet.
    client.send("GET /a", &[], b"").await.fails(503, "unavailable");
    workerd.fail(current()).await;
    client.send("GET /a", &[], b"").await.fails(500, "corrupt");
    // What can be read still is.
    let range = [("range", "bytes=262144-262153")];
    let part = client.send("GET /a", &range, b"").await.is(206);
    assert_eq!(part.bytes, content[262_144..262_154]);
}

#[tokio::test]
async fn no_byte_of_a_corrupt_chunk_leaves() {
    let workerd = workerd().await;
    let client = workerd.client();
    let content = bytes(1, 3_000_000);
    client.send("PUT /a", &[], &content).await.is(204);
    let namespace = served(&workerd).await;
    let chunks = keys(&namespace, "c/").await;
    let mut chunk = namespace.get(&chunks[1], None).await.unwrap().unwrap().value.to_vec();
    chunk[70_000] ^= 1;
    namespace.set(&chunks[1], chunk.into(), SetOptions::default()).await.unwrap();

    workerd.fail(current()).await;
    let got = client.send("GET /a", &[], b"").await;
    assert!(got.status == 200 && got.broken.is_some());
    assert!(got.bytes.len() <= 262_144 && content.starts_with(&got.bytes), "{}", got.bytes.len());
    client.send("GET /a", &[("range", "bytes=300000-300001")], b"").await.fails(500, "corrupt");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_put_stores_nothing() {
    let workerd = workerd().await;
    let client = workerd.client();
    let content = bytes(1, 4_000_000);
    for announced in [None, Some(8_000_000)] {
        let put = client.try_send("PUT /a", &[], Sending::broken(content.clone(), announced)).await;
        assert!(put.is_err_and(|why| !why.is_empty()));
    }
    sleep(Duration::from_secs(1)).await;
    client.send("GET /a", &[], b"").await.fails(404, "not-found");
    assert_eq!(keys(&served(&workerd).await, "m/").await, [""; 0]);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_get_has_nothing_more_read_for_it() {
    let workerd = workerd().await;
    let client = workerd.client();
    client.send("PUT /a", &[], &bytes(1, 60_000_000)).await.is(204);
    workerd.take_operations().await;
    let mut came = 0;
    let left = client.take("/a", |piece| {
        came += piece.len();
        came < 1_000_000
    });
    assert_eq!(left.await, 200);
    sleep(Duration::from_secs(1)).await;
    let read = workerd.take_operations().await["get"].as_u64().unwrap();
    assert!((1..25).contains(&read), "{read} of some 30 chunks");
    // And nothing is the matter with the next one.
    assert_eq!(client.send("GET /a", &[], b"").await.is(200).bytes.len(), 60_000_000);
}

#[tokio::test]
async fn what_is_not_visible_yet_is_never_taken_for_damage() {
    let workerd = workerd().await;
    let client = workerd.client();
    workerd.fail(json!({ "hiddenMs": 1500, "missesMs": 1000 })).await;
    let (first, second) = (bytes(1, 2_000_000), bytes(2, 1_500_000));
    client.send("PUT /a", &[], &first).await.is(204);
    // Both become visible in their time.
    let end = Instant::now() + Duration::from_secs(60);
    let mut replaced = false;
    loop {
        let got = client.send("GET /a", &[], b"").await;
        match got.status {
            200 if got.broken.is_none() => assert!(got.bytes == first || got.bytes == second),
            200 => assert!(first.starts_with(&got.bytes) || second.starts_with(&got.bytes)),
            404 | 409 | 503 => {}
            _ => panic!("{} {}", got.status, String::from_utf8_lossy(&got.bytes)),
        }
        if !replaced && got.bytes == first {
            client.send("PUT /a", &[], &second).await.is(204);
            replaced = true;
        }
        if replaced && got.bytes == second {
            break;
        }
        assert!(Instant::now() < end, "it is seen in time");
        sleep(Duration::from_millis(50)).await;
    }
}
