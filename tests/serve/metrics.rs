//! `/_/metrics` adds up all instances.

use chunk_store_tests::http::Protocol;

use crate::{client, server};

/// The value of this series.
fn value(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or("0").parse().expect(series)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_instances_did_is_counted_together() {
    let server = server(&["--instances", "2"]);
    let client = client(&server, Protocol::Http1);
    let puts = (0..40).map(async |number| {
        let line = format!("PUT /{number}");
        client.send(&line, &[], &[b'x'; 300_000]).await.is(201);
    });
    futures::future::join_all(puts).await;
    client.send("GET /missing", &[], b"").await.is(404);
    let answer = client.send("GET /_/metrics", &[], b"").await.is(200);
    let length: usize = answer.header("content-length").parse().unwrap();
    let text = String::from_utf8(answer.bytes).unwrap();
    assert_eq!(text.len(), length);
    for (series, count) in [
        ("chunk_store_operations_total{operation=\"put\",outcome=\"ok\"}", 40),
        ("chunk_store_operations_total{operation=\"get\",outcome=\"not-found\"}", 1),
        ("chunk_store_body_bytes_total{direction=\"in\"}", 40 * 300_000),
        ("chunk_store_http_requests_total{method=\"PUT\",status=\"201\"}", 40),
        ("chunk_store_http_requests_total{method=\"GET\",status=\"404\"}", 1),
        ("chunk_store_http_requests_under_way", 1),
        ("chunk_store_http_instances_lost_total", 0),
    ] {
        assert_eq!(value(&text, series), count, "{series} in\n{text}");
    }
    // As much as two instances have.
    assert_eq!(value(&text, "chunk_store_buffer_limit_bytes"), 128 << 20, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_logged_once_each_whichever_instance_did_them() {
    let mut server = server(&["--instances", "2", "--log-operations"]);
    let client = client(&server, Protocol::Http1);
    let puts = (0..20).map(async |number| {
        let line = format!("PUT /{number}");
        client.send(&line, &[], &[b'x'; 300_000]).await.is(201);
        client.send(&format!("GET /{number}"), &[], b"").await.is(200);
    });
    futures::future::join_all(puts).await;
    drop(client);
    server.signal("TERM");
    assert_eq!(server.ended(std::time::Duration::from_secs(10)), Some(0));
    let mut log = server.log();
    log.retain(|line| line["target"] == "chunk_store::operations");
    for number in 0..20 {
        let key = number.to_string();
        let of_key: Vec<_> = log.iter().filter(|line| line["key"] == key[..]).collect();
        let what = |operation| of_key.iter().filter(|it| it["operation"] == operation).count();
        assert_eq!((what("put"), what("get")), (1, 1), "{key}: {of_key:?}");
        assert!(of_key.iter().all(|it| it["received"] == 300_000 || it["operation"] != "put"));
    }
}
