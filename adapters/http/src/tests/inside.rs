//! What lies under `/_/` besides uploads.

use super::bed::{Bed, able, content};
use chunk_store::kv::KvLimits;

#[test]
fn a_manifest_tells_where_the_content_lies() {
    let bed = Bed::open();
    bed.store_in_chunks("a", &content(200_000));
    let answer = bed.ask("GET /_/manifest/a?limit=3", &[]).json();
    assert_eq!((&answer["info"]["size"], &answer["next"]), (&200_000.into(), &196_608.into()));
    assert_eq!(answer["pages"], serde_json::json!([]));
    let chunks = answer["chunks"].as_array().unwrap();
    assert_eq!(chunks.len(), 3);
    let chunk = chunks[1].as_object().unwrap();
    let names: Vec<&str> = chunk.keys().map(String::as_str).collect();
    assert_eq!(names, ["chaining-value", "index", "offset", "segment", "size", "value"]);
    assert_eq!((&chunk["index"], &chunk["offset"]), (&1.into(), &65_536.into()));
    assert!(bed.kv.keys("c/").contains(&chunk["value"].as_str().unwrap().to_string()));
    let rest = bed.ask("GET /_/manifest/a?from=196608", &[]).json();
    assert_eq!((&rest["chunks"][0]["index"], &rest["next"]), (&3.into(), &().into()));
    bed.send("PUT /small", &[], b"hello");
    assert_eq!(bed.ask("GET /_/manifest/small", &[]).json()["chunks"], serde_json::json!([]));
    assert_eq!(bed.ask("GET /_/manifest/x", &[]).status, 404);
}

#[test]
fn operations_are_noted_with_the_trace_of_their_request() {
    let bed = Bed::open();
    bed.store.take_ended();
    bed.send("PUT /a", &[("traceparent", "of the put")], &content(300_000));
    bed.ask("GET /a", &[]);
    let ended = bed.store.take_ended().operations;
    let traces: Vec<_> = ended.iter().map(|it| (it.name, it.trace.as_deref())).collect();
    let of_the_put = Some("of the put");
    assert_eq!(traces, [("head", of_the_put), ("put", of_the_put), ("get", None)]);
}

#[test]
fn metrics_go_on_from_what_others_have_counted() {
    let past = Bed::open();
    past.store_in_chunks("a", &content(200_000));
    let bed = Bed::open();
    bed.gateway.tell(past.store.metrics());
    bed.store_in_chunks("a", &content(200_000));
    let text = String::from_utf8(bed.ask("GET /_/metrics", &[]).body).unwrap();
    let line = "\nchunk_store_operations_total{operation=\"put\",outcome=\"ok\"} 2\n";
    assert!(text.contains(line), "{text}");
    let alone = bed.store.metrics();
    assert_eq!(alone.value("chunk_store_operations_total", &[("operation", "put")]), 1.0);
}

#[test]
fn a_sweep_by_request_is_bounded_unless_it_says_otherwise() {
    let bed = Bed::open();
    for i in 0..600 {
        bed.store_in_chunks(&format!("{i}"), b"x");
    }
    assert!(bed.ask("POST /_/sweep", &[]).json()["cursor"].is_string());
    assert!(bed.ask("POST /_/sweep?operations-max=100000", &[]).json()["cursor"].is_null());
}

#[test]
fn a_store_that_cannot_be_used_at_all_still_says_so() {
    let bed = Bed::new(KvLimits { value_bytes_max: 1000, ..able() }, &[("OPEN", "true")]);
    let answer = bed.send("PUT /a", &[], &content(300_000));
    assert_eq!((answer.status, &answer.json()["error"]), (413, &"limit-exceeded".into()));
}
