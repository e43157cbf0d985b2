//! `/_/list`, `/_/head`, `/_/health`, `/_/sweep`.

use chunk_store_host::kv::Backend;

use crate::server::Server;

#[tokio::test]
async fn objects_are_listed_in_pages_and_rolled_up() {
    let server = Server::open();
    for key in ["a/1", "a/2", "a/3", "b"] {
        server.put(&format!("/{key}"), key.as_bytes()).await;
    }
    let mut keys = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/_/list?prefix=a/&limit=2{cursor}"), &[]).await.is(200);
        let page = page.json();
        let objects = page["objects"].as_array().unwrap();
        assert!(objects.len() <= 2);
        keys.extend(objects.iter().map(|object| object["key"].as_str().unwrap().to_string()));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", next.replace('/', "%2F")),
            None => break,
        }
    }
    assert_eq!(keys, ["a/1", "a/2", "a/3"]);
    let rolled = server.get("/_/list?delimiter=/&details=true", &[]).await.is(200).json();
    assert_eq!(rolled["prefixes"], serde_json::json!(["a/"]));
    assert_eq!(rolled["objects"][0]["info"]["size"], 1);
    for query in ["limit=0", "limit=1001", "limit=x", "nothing=1", "prefix=%FF"] {
        server.get(&format!("/_/list?{query}"), &[]).await.is(400);
    }
}

#[tokio::test]
async fn an_object_is_described_as_json() {
    let server = Server::open();
    let etag = server.put("/a/b", b"content").await;
    let info = server.get("/_/head/a/b", &[]).await.is(200).json();
    assert_eq!((&info["size"], &info["etag"]), (&7.into(), &etag.into()));
    server.get("/_/head/none", &[]).await.is(404);
}

#[tokio::test]
async fn sweeping_gives_back_what_nobody_needs() {
    let server = Server::open();
    server.put("/a", &[7; 1_000_000]).await;
    server.send("DELETE /a", &[], b"").await.is(204);
    // Condemned since its deletion; the grace and what clocks may be apart are over.
    server.later(2 * 3600);
    let report = server.send("POST /_/sweep?dry-run=true", &[], b"").await.is(200).json();
    assert_eq!(report["segments-deleted"], 1, "{report}");
    let report = server.send("POST /_/sweep", &[], b"").await.is(200).json();
    assert_eq!((&report["segments-examined"], &report["segments-deleted"]), (&1.into(), &1.into()));
    assert!(server.kv.list_keys("", None, 10).await.unwrap().keys.is_empty());
    server.get("/_/sweep", &[]).await.is(405);
}
