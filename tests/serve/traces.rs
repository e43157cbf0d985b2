//! Requests and their operations as spans, at a collector of OpenTelemetry.

use std::time::Duration;

use chunk_store_tests::collector::{Collector, attribute, number};
use chunk_store_tests::http::Protocol;

use crate::{client, server, store_of};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_ID: &str = "b7ad6b7169203331";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of SpanKind and Status in OTLP.
const SERVER: i32 = 2;
const ERROR: i32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_part_of_their_request_and_it_of_its_client() {
    let collector = Collector::start();
    let mut server = server(&["--otlp", &collector.url()]);
    let client = client(&server, Protocol::Http1);
    let traceparent = format!("00-{TRACE_ID}-{CLIENT_ID}-01");
    let headers = [("traceparent", &traceparent[..])];
    client.send("PUT /film", &headers, &[b'x'; 300_000]).await.is(201);
    client.send("GET /film", &[], b"").await.is(200);
    drop(client);
    server.signal("TERM");
    assert_eq!(server.ended(Duration::from_secs(10)), Some(0));
    // What came before the end has been sent: a head for the status, the put, the get, and
    // both requests.
    let spans = collector.spans(5);
    let named = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {spans:?}");
        found[0]
    };
    let (request, put) = (named("PUT"), named("put"));
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE_ID.into(), CLIENT_ID.into())
    );
    assert_eq!((request.kind, number(request, "http.response.status_code")), (SERVER, Some(201)));
    for (name, value) in [
        ("url.path", "/film"),
        ("url.scheme", "http"),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("chunk_store.ended", "whole"),
    ] {
        assert_eq!(attribute(request, name).as_deref(), Some(value), "{name}");
    }
    for operation in [named("head"), put] {
        // A request's end is when its event comes, some microseconds late.
        assert!(operation.start_time_unix_nano + 1_000_000 > request.start_time_unix_nano);
        assert!(operation.end_time_unix_nano < request.end_time_unix_nano);
        assert_eq!(hex(&operation.trace_id), TRACE_ID);
        assert_eq!(operation.parent_span_id, request.span_id);
    }
    assert_eq!(attribute(put, "chunk_store.key").as_deref(), Some("film"));
    assert_eq!(number(put, "chunk_store.received"), Some(300_000));
    assert!(put.end_time_unix_nano > put.start_time_unix_nano);
    let (request, get) = (named("GET"), named("get"));
    assert_eq!((&get.trace_id, &get.parent_span_id), (&request.trace_id, &request.span_id));
    assert!(hex(&request.trace_id) != TRACE_ID && request.parent_span_id.is_empty());
    assert!(collector.services().iter().all(|name| name == "chunk-store"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_is_to_blame_for_is_an_error_and_what_was_asked_for_wrongly_is_not() {
    let collector = Collector::start();
    let server = server(&["--otlp", &collector.url()]);
    let client = client(&server, Protocol::Http1);
    client.send("PUT /a", &[], &[b'x'; 300_000]).await.is(201);
    client.send("GET /missing", &[], b"").await.is(404);
    let kv = store_of(&server).await;
    for chunk in kv.list_keys("c/", None, 10).await.unwrap().keys {
        kv.delete(&chunk.key, None).await.unwrap();
    }
    client.send("GET /a", &[], b"").await.is(500);
    let spans = collector.spans(7);
    let mut failed: Vec<_> = spans
        .iter()
        .filter(|span| span.status.as_ref().is_some_and(|status| status.code == ERROR))
        .map(|span| &span.name[..])
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["GET", "get"], "{spans:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_does_not_want_kept_is_not_sent() {
    let collector = Collector::start();
    let server = server(&["--otlp", &collector.url()]);
    let client = client(&server, Protocol::Http1);
    let traceparent = format!("00-{TRACE_ID}-{CLIENT_ID}-00");
    client.send("GET /unwanted", &[("traceparent", &traceparent)], b"").await.is(404);
    client.send("GET /wanted", &[], b"").await.is(404);
    let spans = collector.spans(2);
    assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE_ID), "{spans:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_is_told_of_and_holds_nothing_up() {
    let server = server(&["--otlp", "http://127.0.0.1:9"]);
    let client = client(&server, Protocol::Http1);
    for _ in 0..3 {
        client.send("GET /missing", &[], b"").await.is(404);
    }
    let begun = std::time::Instant::now();
    while !server.log().iter().any(|line| line["message"] == "spans were dropped") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = "cannot send spans to http://127.0.0.1:9: ";
    assert!(
        server
            .log()
            .iter()
            .any(|line| line["message"].as_str().is_some_and(|it| it.starts_with(said)))
    );
    client.send("GET /missing", &[], b"").await.is(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_which_operations_belong_to_a_request() {
    let mut server = server(&["--log-operations"]);
    let client = client(&server, Protocol::Http1);
    let traceparent = format!("00-{TRACE_ID}-{CLIENT_ID}-01");
    client.send("GET /missing", &[("traceparent", &traceparent)], b"").await.is(404);
    drop(client);
    server.signal("TERM");
    server.ended(Duration::from_secs(10));
    let log = server.log();
    let of = |target: &str| log.iter().find(|line| line["target"] == target).unwrap();
    let (access, operation) = (of("chunk_store::access"), of("chunk_store::operations"));
    assert_eq!((&access["trace_id"], &access["parent_id"]), (&TRACE_ID.into(), &CLIENT_ID.into()));
    assert_eq!(
        (&operation["trace_id"], &operation["parent_id"]),
        (&TRACE_ID.into(), &access["span_id"])
    );
}
