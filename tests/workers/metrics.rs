//! What the Worker tells of itself: each operation once it has ended, and the sum of what its
//! isolate has counted.

use std::sync::Arc;
use std::time::Duration;

use chunk_store_tests::http::{Client, Sending};
use chunk_store_tests::random::bytes;
use chunk_store_tests::workers::Workerd;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{keys, served, workerd};

/// What was told since the last time, once there are so many events.
async fn told(workerd: &Workerd, events: usize) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    let mut all = json!({ "events": [], "log": [], "points": [] });
    loop {
        let told = workerd.take_told().await;
        for (name, list) in all.as_object_mut().unwrap() {
            let more = told[name].as_array().unwrap().clone();
            list.as_array_mut().unwrap().extend(more);
        }
        if all["events"].as_array().unwrap().len() >= events {
            return all;
        }
        assert!(Instant::now() < end, "{events} events, not {all}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The only event there is.
async fn only(workerd: &Workerd) -> Value {
    let told = told(workerd, 1).await;
    let [event] = &told["events"].as_array().unwrap()[..] else { panic!("one event: {told}") };
    event.clone()
}

/// Calls of KV since the last time.
async fn kv_calls(workerd: &Workerd) -> u64 {
    let counts = workerd.take_operations().await;
    counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// Some fields of an event.
fn fields(event: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| event[*name].clone()).collect()
}

#[tokio::test]
async fn each_operation_is_told_with_what_it_did() {
    let workerd = workerd().await;
    let client = workerd.client();
    let content = bytes(1, 3_000_000);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    workerd.take_operations().await;

    client.send("PUT /films/a", &[("traceparent", trace)], &content).await.is(204);
    let put = only(&workerd).await;
    let chunks = keys(&served(&workerd).await, "c/").await.len();
    let said = ["event", "operation", "outcome", "key", "received", "sent", "chunks_written"];
    let expected = json!(["operation", "put", "ok", "films/a", 3_000_000, 0, chunks]);
    assert_eq!(json!(fields(&put, &said)), expected);
    assert_eq!(put["kv_operations"].as_u64().unwrap(), kv_calls(&workerd).await);
    assert!(put["kv_written"].as_u64().unwrap() > 3_000_000);
    assert!(put["ms"].as_f64().unwrap() > 0.0);
    assert!(put["ended"].as_str().unwrap().ends_with('Z'));
    let of_the_trace = json!(["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", false]);
    assert_eq!(json!(fields(&put, &["trace_id", "parent_id", "sampled"])), of_the_trace);

    let got = client.send("GET /films/a", &[], b"").await.is(200);
    assert!(got.bytes == content);
    let get = only(&workerd).await;
    let said = ["operation", "outcome", "key", "received", "sent", "chunks_read", "trace_id"];
    let expected = json!(["get", "ok", "films/a", 0, 3_000_000, chunks, null]);
    assert_eq!(json!(fields(&get, &said)), expected);
    assert_eq!(get["kv_operations"].as_u64().unwrap(), kv_calls(&workerd).await);
    assert!(get["first_byte_ms"].as_f64().unwrap() <= get["ms"].as_f64().unwrap());

    client.send("GET /films/a", &[("range", "bytes=5-9")], b"").await.is(206);
    let part = only(&workerd).await;
    assert_eq!(json!(fields(&part, &["operation", "outcome", "sent"])), json!(["get", "ok", 5]));

    client.send("DELETE /films/a", &[], b"").await.is(204);
    let delete = only(&workerd).await;
    let said = ["operation", "outcome", "key"];
    assert_eq!(json!(fields(&delete, &said)), json!(["delete", "ok", "films/a"]));

    client.send("GET /films/a", &[], b"").await.fails(404, "not-found");
    let missing = only(&workerd).await;
    assert_eq!(json!(fields(&missing, &said)), json!(["get", "not-found", "films/a"]));

    workerd.run_scheduled().await;
    let sweep = only(&workerd).await;
    assert_eq!(json!(fields(&sweep, &said)), json!(["sweep", "ok", ""]));
}

#[tokio::test]
async fn an_operation_that_failed_is_told_with_why() {
    let workerd = workerd().await;
    let failing = json!({
        "operation": "put", "prefix": "c/", "after": 1, "times": 1_000_000,
        "message": "KV PUT failed: 500 Internal Server Error",
    });
    workerd.fail(json!({ "rules": [failing] })).await;
    let client = workerd.client();
    client.send("PUT /a", &[], &bytes(1, 5_000_000)).await.fails(503, "unavailable");
    let event = only(&workerd).await;
    let said = ["operation", "outcome", "key"];
    assert_eq!(json!(fields(&event, &said)), json!(["put", "unavailable", "a"]));
    assert!(event["failure"].as_str().unwrap().contains("500 Internal Server Error"), "{event}");
    assert!(event["kv_retries"].as_u64().unwrap() > 0, "{event}");
}

#[tokio::test]
async fn a_reader_that_leaves_and_a_writer_that_breaks_off_are_told() {
    let workerd = workerd().await;
    let client = workerd.client();
    client.send("PUT /a", &[], &bytes(1, 60_000_000)).await.is(204);
    only(&workerd).await;

    let mut came = 0;
    let left = client.take("/a", |piece| {
        came += piece.len();
        came < 1_000_000
    });
    assert_eq!(left.await, 200);
    let get = only(&workerd).await;
    let said = ["operation", "outcome", "key"];
    assert_eq!(json!(fields(&get, &said)), json!(["get", "abandoned", "a"]));
    let sent = get["sent"].as_u64().unwrap();
    assert!((1_000_000..60_000_000).contains(&sent), "{sent} bytes");

    let broken = Sending::broken(bytes(1, 4_000_000), Some(8_000_000));
    assert!(client.try_send("PUT /b", &[], broken).await.is_err());
    let put = only(&workerd).await;
    assert_eq!(json!(fields(&put, &said)), json!(["put", "body-mismatch", "b"]));
    assert!(put["received"].as_u64().unwrap() <= 4_000_000, "{put}");
}

/// The operations that are in the log, each with its outcome.
fn logged(told: &Value) -> Vec<(String, String)> {
    let lines = told["log"].as_array().unwrap().iter();
    let events = lines.map(|line| serde_json::from_str::<Value>(line.as_str().unwrap()).unwrap());
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_string();
    events
        .filter(|event| event["event"] == "operation")
        .map(|event| (text(&event, "operation"), text(&event, "outcome")))
        .collect()
}

#[tokio::test]
async fn the_log_has_the_operations_that_it_should() {
    let workerd = workerd().await;
    let client = workerd.client();
    let failing = json!({
        "operation": "put", "prefix": "m/bad", "after": 0, "times": 1_000_000,
        "message": "KV PUT failed: 403 Forbidden",
    });
    workerd.fail(json!({ "rules": [failing] })).await;
    let denied = ("put".to_string(), "denied".to_string());
    let right = ["ok", "not-found"].map(|outcome| ("get".to_string(), outcome.to_string()));
    let put = ("put".to_string(), "ok".to_string());
    for (setting, expected) in [
        (None, vec![denied.clone()]),
        (Some("failed"), vec![denied.clone()]),
        (Some("all"), vec![put, right[0].clone(), right[1].clone(), denied]),
        (Some("none"), vec![]),
    ] {
        workerd.set(&setting.map_or(json!({}), log_operations)).await;
        let mut all = json!({ "log": [] });
        for (line, status) in
            [("PUT /good", 204), ("GET /good", 200), ("GET /none", 404), ("PUT /bad", 403)]
        {
            let body: &[u8] = if line.starts_with("PUT") { b"content" } else { b"" };
            assert_eq!(client.send(line, &[], body).await.status, status, "{line}");
            let told = told(&workerd, 1).await;
            all["log"].as_array_mut().unwrap().extend(told["log"].as_array().unwrap().clone());
        }
        assert_eq!(logged(&all), expected, "{setting:?}");
    }
    workerd.set(&log_operations("some")).await;
    let refused = client.send("GET /good", &[], b"").await;
    assert_eq!(refused.status, 500);
    let said = told(&workerd, 0).await["log"].to_string();
    assert!(said.contains("CHUNK_STORE_LOG_OPERATIONS: it is all, failed or none"), "{said}");
}

fn log_operations(value: &str) -> Value {
    json!({ "CHUNK_STORE_LOG_OPERATIONS": value })
}

#[tokio::test]
async fn a_dataset_gets_a_point_for_each_operation() {
    let workerd = workerd().await;
    let client = workerd.client();
    client.send("PUT /a", &[], &bytes(1, 1_000_000)).await.is(204);
    let put = told(&workerd, 1).await;
    client.send("GET /none", &[], b"").await.fails(404, "not-found");
    let get = told(&workerd, 1).await;
    let (event, point) = (&put["events"][0], &put["points"][0]);
    assert_eq!(point["indexes"], json!(["put"]));
    assert_eq!(point["blobs"], json!(["put", "ok", "a", "", "", ""]));
    let doubles = [
        "ms",
        "",
        "received",
        "sent",
        "chunks_written",
        "chunks_read",
        "kv_operations",
        "kv_retries",
        "kv_written",
        "kv_read",
    ];
    let doubles = doubles.map(|name| if name.is_empty() { json!(-1) } else { event[name].clone() });
    assert_eq!(point["doubles"], json!(doubles));
    assert_eq!(event["received"], 1_000_000);
    let blobs = json!(["get", "not-found", "none", "", "no such object", ""]);
    assert_eq!(get["points"][0]["blobs"], blobs);
}

/// The values of all counters and gauges, and of histograms their sums and counts.
async fn metrics(client: &Client) -> impl Fn(&str) -> f64 + use<> {
    let text = client.send("GET /_/metrics", &[], b"").await.is(200).bytes;
    let text = String::from_utf8(text).unwrap();
    move |series| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

#[tokio::test]
async fn an_isolate_adds_up_what_its_instances_have_counted() {
    let workerd: Arc<Workerd> = workerd().await;
    let client = workerd.client();
    workerd.take_operations().await;
    let sizes = [100_000, 1_000_000, 3_000_000];
    for (number, size) in sizes.into_iter().enumerate() {
        client.send(&format!("PUT /{number}"), &[], &bytes(1, size)).await.is(204);
        client.send(&format!("GET /{number}"), &[], b"").await.is(200);
    }
    client.send("GET /none", &[], b"").await.fails(404, "not-found");
    told(&workerd, 7).await;
    let calls = workerd.take_operations().await;
    for _ in 0..2 {
        // To ask is not counted.
        let now = metrics(&client).await;
        let operations = |operation: &str, outcome: &str| {
            now(&format!(
                "chunk_store_operations_total{{operation=\"{operation}\",outcome=\"{outcome}\"}}"
            ))
        };
        assert_eq!(operations("put", "ok"), 3.0);
        assert_eq!(operations("get", "ok"), 3.0);
        assert_eq!(operations("get", "not-found"), 1.0);
        let bytes = sizes.iter().sum::<u64>() as f64;
        assert_eq!(now("chunk_store_body_bytes_total{direction=\"in\"}"), bytes);
        assert_eq!(now("chunk_store_body_bytes_total{direction=\"out\"}"), bytes);
        assert_eq!(now("chunk_store_operation_seconds_count{operation=\"put\"}"), 3.0);
        let chunks = keys(&served(&workerd).await, "c/").await.len() as f64;
        assert_eq!(now("chunk_store_chunk_bytes_count{direction=\"written\"}"), chunks);
        for (operation, name) in [("get", "get"), ("set", "put")] {
            let series = "chunk_store_kv_operations_total";
            let counted = now(&format!("{series}{{operation=\"{operation}\",outcome=\"ok\"}}"));
            assert_eq!(counted, calls[name].as_f64().unwrap(), "{operation}");
        }
        assert_eq!(now("chunk_store_operations_under_way{operation=\"put\"}"), 0.0);
        // What one instance has found out is still known when it is gone.
        assert!(now("chunk_store_kv_window_operations{direction=\"written\"}") >= 1.0);
        assert!(now("chunk_store_buffer_peak_bytes") > 0.0);
    }
    let anybody = client.with_token(None);
    anybody.send("GET /_/metrics", &[], b"").await.is(401);
}
