//! Who may do what: tokens, signed links, other origins.

use chunk_store_http::sign;

use crate::server::Server;

const TOKEN: &str = "a-token-of-a-test";
const BEARER: (&str, &str) = ("authorization", "Bearer a-token-of-a-test");
const WITH_TOKEN: (&str, &str) = ("CHUNK_STORE_HTTP_TOKEN", TOKEN);

#[tokio::test]
async fn without_a_token_setting_objects_can_be_read_and_nothing_else() {
    let server = Server::with(&[]);
    server.get("/a", &[]).await.is(404);
    for request in ["PUT /a", "DELETE /a", "GET /_/list", "POST /_/uploads", "POST /_/sweep"] {
        let answer = server.send(request, &[], b"").await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{request}: {answer:?}");
    }
    server.get("/_/health", &[]).await.is(200);
}

#[tokio::test]
async fn with_a_token_everything_needs_it() {
    let server = Server::with(&[WITH_TOKEN]);
    server.send("PUT /a", &[BEARER], b"content").await.is(201);
    for (request, wrong) in [
        ("GET /a", None),
        ("PUT /a", None),
        ("GET /_/list", None),
        ("GET /a", Some(("authorization", "Bearer a-token-of-a-tesT"))),
        ("GET /a", Some(("authorization", "Basic a-token-of-a-test"))),
        ("GET /a", Some(("authorization", "Bearer"))),
    ] {
        let answer = server.send(request, wrong.as_slice(), b"x").await.is(401);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
    assert_eq!(server.get("/a", &[BEARER]).await.is(200).bytes, b"content");
    server.get("/_/list", &[BEARER]).await.is(200);
}

#[tokio::test]
async fn public_read_is_reading_only() {
    let server = Server::with(&[WITH_TOKEN, ("CHUNK_STORE_HTTP_PUBLIC_READ", "true")]);
    server.send("PUT /a", &[BEARER], b"content").await.is(201);
    server.get("/a", &[]).await.is(200);
    server.send("DELETE /a", &[], b"").await.is(401);
    server.get("/_/list", &[]).await.is(401);
}

#[tokio::test]
async fn read_only_refuses_every_write() {
    let server = Server::with(&[WITH_TOKEN, ("CHUNK_STORE_HTTP_READ_ONLY", "true")]);
    for request in ["PUT /a", "DELETE /a", "POST /_/uploads", "POST /_/sweep"] {
        let answer = server.send(request, &[BEARER], b"").await;
        assert!([403, 405].contains(&answer.status.as_u16()), "{request}: {answer:?}");
    }
    server.get("/_/list", &[BEARER]).await.is(200);
}

#[tokio::test]
async fn a_signed_link_reads_one_object_until_it_expires() {
    let server = Server::with(&[WITH_TOKEN]);
    server.send("PUT /a%20b", &[BEARER], b"content").await.is(201);
    server.send("PUT /other", &[BEARER], b"secret").await.is(201);
    let link = sign(TOKEN, "a b", server.seconds() + 60);
    assert_eq!(server.get(&link, &[]).await.is(200).bytes, b"content");
    server.get(&link, &[("range", "bytes=0-1")]).await.is(206);
    server.send(&format!("HEAD {link}"), &[], b"").await.is(200);

    let elsewhere = link.replace("/a%20b", "/other");
    let longer = sign(TOKEN, "a b", server.seconds() + 61);
    let (_, signature) = longer.split_once("&signature=").unwrap();
    let (path, _) = link.split_once("&signature=").unwrap();
    let altered = format!("{path}&signature={signature}");
    let of_another = sign("another-token-of-a-test", "a b", server.seconds() + 60);
    for wrong in [&elsewhere, &altered, &of_another] {
        let answer = server.get(wrong, &[]).await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{wrong}: {answer:?}");
    }
    let answer = server.send(&format!("DELETE {link}"), &[], b"").await;
    assert!([401, 403].contains(&answer.status.as_u16()), "it reads only: {answer:?}");
    server.later(61);
    let answer = server.get(&link, &[]).await;
    assert!([401, 403].contains(&answer.status.as_u16()), "expired: {answer:?}");
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_where_they_are_named() {
    let origin = ("origin", "https://example.org");
    let own = Server::open();
    let answer = own.get("/none", &[origin]).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let server = Server::with(&[
        ("CHUNK_STORE_HTTP_OPEN", "true"),
        ("CHUNK_STORE_HTTP_CORS", "https://example.org"),
    ]);
    server.put("/a", b"content").await;
    let got = server.get("/a", &[origin]).await.is(200);
    assert_eq!(got.header("access-control-allow-origin"), "https://example.org");
    assert!(got.header("vary").to_lowercase().contains("origin"));
    assert!(got.header("access-control-expose-headers").to_lowercase().contains("etag"));
    let asks = [origin, ("access-control-request-method", "PUT")];
    let preflight = server.send("OPTIONS /a", &asks, b"").await.is(204);
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
    let other = server.get("/a", &[("origin", "https://example.com")]).await.is(200);
    assert!(!other.headers.contains_key("access-control-allow-origin"));
}
