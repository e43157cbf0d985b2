//! PUT, GET, HEAD, DELETE, OPTIONS (RFC 9110, section 9.3), and what is kept with an object.

use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;

use crate::server::Server;

#[tokio::test]
async fn what_was_put_comes_back_with_what_describes_it() {
    let server = Server::open();
    for size in [0, 1, 1000, 3_000_000] {
        let content = bytes(size, size);
        let headers = [("content-type", "video/mp4"), ("content-length", &*size.to_string())];
        let put = server.send("PUT /a/film.mp4", &headers, &content).await;
        assert!([201, 204].contains(&put.status.as_u16()), "{put:?}");
        let got = server.get("/a/film.mp4", &[]).await.is(200);
        assert!(got.bytes == content, "{size}");
        assert_eq!(got.header("content-type"), "video/mp4");
        assert_eq!(got.header("content-length"), size.to_string());
        assert_eq!(got.header("accept-ranges"), "bytes");
        assert_eq!(got.header("x-digest"), digest(&content));
        assert_eq!(got.header("etag"), put.header("etag"));
        assert_eq!(got.header("last-modified"), put.header("last-modified"));
    }
}

#[tokio::test]
async fn a_new_object_is_created_and_an_old_one_replaced() {
    let server = Server::open();
    server.send("PUT /a", &[], b"one").await.is(201);
    server.send("PUT /a", &[], b"two").await.is(204);
    assert_eq!(server.get("/a", &[]).await.is(200).bytes, b"two");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::open();
    server.put("/a", &bytes(1, 500_000)).await;
    let (get, head) = (server.get("/a", &[]).await, server.send("HEAD /a", &[], b"").await.is(200));
    assert_eq!(head.headers, get.headers);
    assert!(head.bytes.is_empty());
    let none = server.send("HEAD /none", &[], b"").await.is(404);
    assert!(none.bytes.is_empty());
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let server = Server::open();
    server.put("/a", b"content").await;
    server.send("DELETE /a", &[], b"").await.is(204);
    server.get("/a", &[]).await.fails(404, "no such object");
    server.send("DELETE /a", &[], b"").await.fails(404, "no such object");
}

#[tokio::test]
async fn headers_are_kept_with_the_object() {
    let server = Server::open();
    let kept = [
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-disposition", "attachment; filename=\"a.txt\""),
        ("cache-control", "public, max-age=60"),
        ("x-meta-author", "Ann"),
    ];
    server.send("PUT /a", &kept, b"content").await.is(201);
    let got = server.get("/a", &[]).await.is(200);
    for (name, value) in kept {
        assert_eq!(got.header(name), value);
    }
    server.send("PUT /a", &[], b"content").await.is(204);
    let got = server.get("/a", &[]).await.is(200);
    assert!(!got.headers.contains_key("x-meta-author"), "the new object has its own");
}

#[tokio::test]
async fn an_object_lives_for_as_long_as_was_asked() {
    let server = Server::open();
    server.send("PUT /a", &[("x-ttl-seconds", "60")], b"content").await.is(201);
    assert!(server.get("/a", &[]).await.is(200).headers.contains_key("x-expires"));
    server.later(61);
    server.get("/a", &[]).await.fails(404, "no such object");
    server.send("PUT /a", &[("x-ttl-seconds", "soon")], b"content").await.is(400);
}

#[tokio::test]
async fn keys_are_paths_decoded_and_nothing_leads_out() {
    let server = Server::open();
    let put = async |path: &str| server.send(&format!("PUT {path}"), &[], path.as_bytes()).await;
    for path in ["/a%20b", "/%C3%BC", "/a/b/c", "/a//b", "/...", "/a%2Fz"] {
        put(path).await.is(201);
    }
    for path in ["/a%20b", "/%C3%BC", "/a/b/c", "/a//b", "/...", "/a/z"] {
        server.get(path, &[]).await.is(200);
    }
    for path in ["/", "/%00", "/a%0Ab", "/%FF", "/_/x", "/%5F/x", "/..", "/a/../b", "/%2e%2e/x"] {
        let answer = put(path).await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_told_with_what_is() {
    let server = Server::open();
    let answer = server.send("POST /a", &[], b"").await.fails(405, "this takes");
    assert!(answer.header("allow").contains("PUT"), "{answer:?}");
    let options = server.send("OPTIONS /a", &[], b"").await.is(204);
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        assert!(options.header("allow").contains(method), "{options:?}");
    }
}

#[tokio::test]
async fn a_part_cannot_be_put_as_the_whole() {
    let server = Server::open();
    let headers = [("content-range", "bytes 0-2/10")];
    server.send("PUT /a", &headers, b"abc").await.fails(400, "/_/uploads");
    server.get("/a", &[]).await.is(404);
}
