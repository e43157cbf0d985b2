//! Conditional requests (RFC 9110, section 13).

use crate::server::Server;

const EARLIER: &str = "Mon, 21 Sep 2020 00:00:00 GMT";
const LATER: &str = "Sun, 21 Sep 2070 00:00:00 GMT";

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    let server = Server::open();
    let etag = server.put("/a", b"content").await;
    let (weak, list) = (format!("W/{etag}"), format!("\"x\", {etag}"));
    for tags in [&*etag, &weak, &list, "*"] {
        let answer = server.get("/a", &[("if-none-match", tags)]).await.is(304);
        assert!(answer.bytes.is_empty());
        assert_eq!(answer.header("etag"), etag);
    }
    server.get("/a", &[("if-none-match", "\"x\", W/\"y\"")]).await.is(200);
}

#[tokio::test]
async fn dates_are_compared_by_the_second() {
    let server = Server::open();
    server.put("/a", b"content").await;
    let modified = server.get("/a", &[]).await.header("last-modified").to_string();
    server.get("/a", &[("if-modified-since", &modified)]).await.is(304);
    server.get("/a", &[("if-modified-since", LATER)]).await.is(304);
    server.get("/a", &[("if-modified-since", EARLIER)]).await.is(200);
    server.get("/a", &[("if-modified-since", "yesterday")]).await.is(200);
    server.get("/a", &[("if-unmodified-since", &modified)]).await.is(200);
    server.get("/a", &[("if-unmodified-since", EARLIER)]).await.is(412);
}

#[tokio::test]
async fn tags_go_before_dates() {
    let server = Server::open();
    let etag = server.put("/a", b"content").await;
    let headers = [("if-none-match", "\"x\""), ("if-modified-since", LATER)];
    server.get("/a", &headers).await.is(200);
    let headers = [("if-match", &*etag), ("if-unmodified-since", EARLIER)];
    server.get("/a", &headers).await.is(200);
}

#[tokio::test]
async fn a_write_is_refused_whose_condition_does_not_hold() {
    let server = Server::open();
    let create = [("if-none-match", "*")];
    server.send("PUT /a", &create, b"one").await.is(201);
    server.send("PUT /a", &create, b"two").await.fails(412, "");
    let etag = server.get("/a", &[]).await.header("etag").to_string();
    server.send("PUT /a", &[("if-match", "\"x\"")], b"two").await.is(412);
    server.send("PUT /a", &[("if-match", &format!("W/{etag}"))], b"two").await.is(412);
    server.send("PUT /none", &[("if-match", "*")], b"two").await.is(412);
    server.send("DELETE /a", &[("if-match", "\"x\"")], b"").await.is(412);
    assert_eq!(server.get("/a", &[]).await.bytes, b"one");
    server.send("PUT /a", &[("if-match", &etag)], b"two").await.is(204);
    assert_eq!(server.get("/a", &[]).await.bytes, b"two");
}
