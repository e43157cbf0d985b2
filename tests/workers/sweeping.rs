//! What Cron starts.

use chunk_store_tests::random::bytes;
use serde_json::json;

use crate::{keys, served, workerd};

#[tokio::test]
async fn a_scheduled_sweep_keeps_what_is_needed() {
    let workerd = workerd().await;
    let client = workerd.client();
    let content = bytes(1, 1_000_000);
    client.send("PUT /a", &[], &content).await.is(204);
    client.send("PUT /a", &[], &content).await.is(204);
    let namespace = served(&workerd).await;
    let chunks = keys(&namespace, "c/").await;
    workerd.take_operations().await;
    workerd.run_scheduled().await;
    let operations = workerd.take_operations().await;
    assert!(operations["list"].as_u64().unwrap() > 0, "it has looked: {operations}");
    // The grace of an hour has only begun.
    assert_eq!(keys(&namespace, "c/").await, chunks);
    assert!(client.send("GET /a", &[], b"").await.is(200).bytes == content);
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_operations_is_gone_on_with() {
    let workerd = workerd().await;
    let client = workerd.client();
    for number in 0..20 {
        client.send(&format!("PUT /{number}"), &[], &bytes(1, 300_000)).await.is(204);
    }
    let namespace = served(&workerd).await;
    workerd.fail(json!({ "operations": 20 })).await;
    let mut runs = 0;
    loop {
        workerd.take_operations().await;
        workerd.run_scheduled().await;
        runs += 1;
        // What the Worker reads and writes of its cursor has no faults and is not counted.
        let operations = workerd.take_operations().await;
        let count: u64 = ["get", "put", "delete", "list"]
            .iter()
            .map(|name| operations[name].as_u64().unwrap())
            .sum();
        assert!((1..=18).contains(&count), "{operations}");
        if keys(&namespace, "sweep/").await.is_empty() {
            break;
        }
        assert!(runs < 20, "it comes to an end");
    }
    assert!(runs > 2, "{runs} runs");
    client.send("GET /19", &[], b"").await.is(200);
}
