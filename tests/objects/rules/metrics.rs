//! What is done is counted.

use chunk_store::metrics::Snapshot;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;

use crate::subject::Subject;

const MIB: u64 = 1 << 20;

fn operations(now: &Snapshot, operation: &str, outcome: &str) -> f64 {
    let labels = [("operation", operation), ("outcome", outcome)];
    now.value("chunk_store_operations_total", &labels)
}

fn bytes_of(now: &Snapshot, family: &str, direction: &str) -> f64 {
    now.value(family, &[("direction", direction)])
}

pub async fn operations_count_with_their_outcome(on: &Subject) {
    on.put_bytes("object", b"content").await;
    on.read("object").await;
    on.read("object").await;
    on.get("missing", GetOptions::default()).await.err().unwrap();
    on.delete("missing", None).await.err().unwrap();
    let body = Body::of(b"content".to_vec()).then_failing("broken off");
    on.put("other", body, PutOptions::default()).await.err().unwrap();
    // Dropped before its end.
    on.put_bytes("long", &bytes(1, 20 * MIB)).await;
    let mut reader = on.get("long", GetOptions::default()).await.unwrap();
    reader.next().await.unwrap().unwrap();
    drop(reader);
    let mut now = on.metrics().await.unwrap();
    while operations(&now, "get", "abandoned") == 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        now = on.metrics().await.unwrap();
    }
    for (operation, outcome, count) in [
        ("put", "ok", 2.0),
        ("put", "body-mismatch", 1.0),
        ("get", "ok", 2.0),
        ("get", "not-found", 1.0),
        ("get", "abandoned", 1.0),
        ("delete", "not-found", 1.0),
    ] {
        assert_eq!(operations(&now, operation, outcome), count, "{operation} {outcome}");
    }
    assert_eq!(now.value("chunk_store_operations_under_way", &[]), 0.0);
}

pub async fn bytes_count_on_both_sides(on: &Subject) {
    let size = 10 * MIB;
    on.put_bytes("object", &bytes(2, size)).await;
    let before = on.metrics().await.unwrap();
    on.read("object").await;
    let now = on.metrics().await.unwrap();
    let size = size as f64;
    let (bodies, values) = ("chunk_store_body_bytes_total", "chunk_store_kv_bytes_total");
    assert_eq!(bytes_of(&now, bodies, "in"), size);
    assert_eq!(bytes_of(&now, bodies, "out"), size);
    // A record and a manifest come to some KiB.
    let written = bytes_of(&now, values, "written");
    assert!(written > size && written < size + 16384.0, "{written}");
    let read = bytes_of(&now, values, "read") - bytes_of(&before, values, "read");
    assert!(read > size && read < size + 16384.0, "{read}");
    let chunks = now
        .histograms
        .iter()
        .find(|it| it.name == "chunk_store_chunk_bytes" && it.labels[0].1 == "written");
    assert_eq!(chunks.unwrap().sum, size);
    let first = now.histograms.iter().find(|it| it.name == "chunk_store_first_byte_seconds");
    assert_eq!(first.unwrap().count, 1);
    assert!(now.value("chunk_store_kv_operations_total", &[("operation", "set")]) >= 5.0);
}
