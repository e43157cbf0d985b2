//! The library for Workers, and the build of it. The rules are in TypeScript
//! (`adapters/cloudflare/test`).

use std::process::Command;

use chunk_store_components::worker;
use chunk_store_tests::npm;

use crate::workerd;

#[tokio::test]
async fn the_library_keeps_its_rules() {
    let workerd = workerd().await;
    let client = workerd.client();
    let names = client.send("GET /_test/library", &[], b"").await.is(200).json();
    let names = names.as_array().unwrap();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let rule = name.as_str().unwrap().replace(' ', "%20");
        let tried = client.send(&format!("GET /_test/library?rule={rule}"), &[], b"").await;
        assert_eq!(tried.status, 204, "{name}: {}", String::from_utf8_lossy(&tried.bytes));
    }
}

#[tokio::test]
async fn code_that_the_mends_do_not_know_ends_the_build() {
    // It builds the Worker, whose code the test reads.
    let _workerd = workerd().await;
    let tested = Command::new(worker::node())
        .args(["--test", "test/mend.test.mjs"])
        .current_dir(worker::directory())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success(), "{said}");
    assert!(said.contains("pass 2"), "{said}");
}

#[tokio::test]
async fn who_waits_in_the_mended_component_is_woken_by_events() {
    // As above.
    let _workerd = workerd().await;
    let file = "test/waiting.test.mjs";
    let tested = Command::new(worker::node())
        // This Node has to be told; its runner (`--test`) does not tell its children.
        .args(["--experimental-wasm-jspi", "--test-reporter=spec", file])
        .current_dir(worker::directory())
        .output()
        .unwrap();
    npm::assert_passed(file, &tested);
}
