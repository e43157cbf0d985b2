//! Requests that are odd, too large, or none: each is answered by 4xx or by closing the
//! connection, and the server goes on.

use chunk_store_tests::http::Protocol;
use chunk_store_tests::random::{Random, bytes};
use chunk_store_tests::serving::Server;

use crate::raw::{Raw, RawAnswer, request, status_of};
use crate::{client, server};

const TOKEN: &str = "token-of-the-requests-tests";

#[track_caller]
fn assert_serves(server: &Server) {
    let status = status_of(server, request("GET /_/health", ""));
    assert_eq!(status, Some(200), "it answers others");
}

#[test]
fn what_is_no_request_is_refused() {
    let server = server(&[]);
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    let mut random = Random::new(1);
    let mut garbage = vec![0; 100_000];
    random.fill(&mut garbage);
    for bytes in [
        &b"\r\n\r\n\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame, however long it may be ......",
        long_line.as_bytes(),
        &garbage,
    ] {
        let mut raw = Raw::connect(&server);
        raw.send(bytes);
        raw.end();
        let (_, answer) = raw.closed();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let refused = answer.starts_with("HTTP/1.1 4") || !answer.starts_with("HTTP/1.");
        assert!(refused, "{:?}: {answer}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
    }
    assert_serves(&server);
}

#[test]
fn a_head_that_means_two_things_is_refused() {
    let server = server(&[]);
    for headers in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Host: other\r\n",
        "X-Meta-A: a\r\n b\r\n",
        "X-Meta-A: a\0b\r\n",
        "X Meta: a\r\n",
        ": a\r\n",
        "no colon\r\n",
    ] {
        let status = status_of(&server, request("PUT /a", headers) + "abc");
        assert!(
            status.is_none_or(|status| (400..500).contains(&status)),
            "{headers:?}: {status:?}"
        );
        assert_eq!(status_of(&server, request("GET /a", "")), Some(404), "{headers:?}");
    }
    assert_serves(&server);
}

/// RFC 9112, section 6.1: `Transfer-Encoding` overrides, and the connection is closed, as a
/// server in front may have seen where the request ends in another way.
#[test]
fn two_lengths_hide_no_second_request() {
    let server = server(&[]);
    let mut raw = Raw::connect(&server);
    let headers = "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n";
    raw.send(request("PUT /a", headers) + "0\r\n\r\nG" + &request("GET /smuggled", ""));
    while raw.answer().is_some() {}
    drop(raw);
    let log = server.log();
    assert!(log.iter().all(|line| line["path"] != "/smuggled"), "{log:?}");
    assert_serves(&server);
}

#[test]
fn what_is_too_large_is_431_or_414() {
    let server = server(&[]);
    let status = |headers: String| status_of(&server, request("GET /a", &headers));
    assert_eq!(status(format!("X-Large: {}\r\n", "a".repeat(100_000))), Some(431));
    assert_eq!(status("X-Many: a\r\n".repeat(200)), Some(431));
    assert_eq!(status(format!("X-Fits: {}\r\n", "a".repeat(30_000))), Some(404));
    for length in [10_000, 60_000] {
        let path = "a".repeat(length);
        assert_eq!(status_of(&server, request(&format!("GET /{path}"), "")), Some(414));
    }
    assert_serves(&server);
}

#[test]
fn hosts_are_one_and_understood() {
    let server = server(&[]);
    let with =
        |line: &str, headers: &str| status_of(&server, format!("{line} HTTP/1.1\r\n{headers}\r\n"));
    assert_eq!(with("GET /a", ""), Some(400), "HTTP/1.1 has to say it");
    assert_eq!(with("GET /a", "Host: localhost\r\nHost: localhost\r\n"), Some(400));
    assert_eq!(with("GET /a", "Host: a b\r\n"), Some(400));
    assert_eq!(with("GET /a", "Host: \r\n"), Some(400));
    assert_eq!(with("GET /a", "Host: evil.example\r\n"), Some(403), "nobody else's name");
    assert_eq!(with("GET /a", "Host: 127.0.0.1:8080\r\n"), Some(404));
    // Absolute form: its own host counts (RFC 9112, section 3.2.2).
    assert_eq!(with("GET http://localhost/a", "Host: evil.example\r\n"), Some(404));
    assert_eq!(with("GET http://evil.example/a", "Host: localhost\r\n"), Some(403));
    assert_eq!(status_of(&server, "GET /a HTTP/1.0\r\n\r\n"), Some(404));
}

#[test]
fn targets_that_are_no_paths_have_answers() {
    let server = server(&[]);
    assert_eq!(status_of(&server, request("OPTIONS *", "")), Some(204));
    assert_eq!(status_of(&server, request("GET *", "")), Some(405));
    for line in ["CONNECT localhost:80", "CONNECT example.org:443"] {
        let status = status_of(&server, request(line, ""));
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{line}: {status:?}");
    }
    for target in ["a", "//", "/../..", "/a/..\\b/..", "/\u{fc}", "/%2e%2e%2f", "/%00", "?", "/%"] {
        let status = status_of(&server, request(&format!("PUT {target}"), "Content-Length: 0\r\n"));
        assert!(status.is_none_or(|status| status < 500), "{target}: {status:?}");
    }
    assert_serves(&server);
}

/// RFC 9112, section 6.1: what `gzip` made of an object is not the object.
#[test]
fn a_body_in_a_coding_that_is_not_known_is_not_stored() {
    let server = server(&[]);
    for codings in ["gzip, chunked", "chunked, chunked", "gzip\r\nTransfer-Encoding: chunked"] {
        let mut raw = Raw::connect(&server);
        let headers = format!("Transfer-Encoding: {codings}\r\n");
        raw.send(request("PUT /a", &headers) + "3\r\nabc\r\n0\r\n\r\n");
        let answer = raw.answer().unwrap();
        assert_eq!(answer.status, 501, "{codings}");
        assert!(answer.body.windows(13).any(|part| part == b"\"unsupported\""), "{answer:?}");
        assert_eq!(status_of(&server, request("GET /a", "")), Some(404), "{codings}");
    }
    let chunked = request("PUT /a", "Transfer-Encoding: Chunked\r\n") + "1\r\na\r\n0\r\n\r\n";
    assert_eq!(status_of(&server, chunked), Some(201));
}

/// RFC 9112, section 8: without a length HTTP/1.0 takes a connection that broke for the end.
#[test]
fn http_1_0_gets_nothing_whose_end_it_could_not_tell() {
    let server = server(&[]);
    // The key is `a`.
    let tus = "Tus-Resumable: 1.0.0\r\nUpload-Defer-Length: 1\r\nUpload-Metadata: key YQ==\r\n\
               Content-Length: 0\r\n";
    assert_eq!(status_of(&server, request("POST /_/uploads", tus)), Some(201));
    assert_eq!(status_of(&server, "GET /a?follow HTTP/1.0\r\n\r\n"), Some(501));
    assert_eq!(status_of(&server, request("GET /a?follow", "")), Some(200));
    let put = request("PUT /a", "Content-Length: 1\r\n") + "a";
    assert_eq!(status_of(&server, put), Some(201));
    assert_eq!(status_of(&server, "GET /a?follow HTTP/1.0\r\n\r\n"), Some(200));
    for (line, status) in [("GET /a", 304), ("HEAD /a", 304), ("OPTIONS /a", 204)] {
        let head = format!("{line} HTTP/1.0\r\nIf-None-Match: *\r\n\r\n");
        assert_eq!(status_of(&server, head), Some(status), "{line} ends with its head");
    }
}

#[test]
fn requests_in_one_go_are_answered_in_order() {
    let server = server(&[]);
    let mut raw = Raw::connect(&server);
    for key in ["a", "b", "c"] {
        raw.send(request(&format!("PUT /{key}"), "Content-Length: 1\r\n") + key);
        assert_eq!(raw.answer().unwrap().status, 201);
    }
    let get = |key| request(&format!("GET /{key}"), "");
    let last = request("GET /c", "Connection: close\r\n");
    raw.send(get("a") + &get("none") + &get("b") + &request("HEAD /c", "") + &last);
    let bodies: Vec<RawAnswer> = (0..3).map(|_| raw.answer().unwrap()).collect();
    assert_eq!(bodies.iter().map(|got| got.status).collect::<Vec<_>>(), [200, 404, 200]);
    assert_eq!((&bodies[0].body[..], &bodies[2].body[..]), (&b"a"[..], &b"b"[..]));
    // The answer to HEAD has a length and no body.
    let rest = String::from_utf8(raw.closed().1).unwrap();
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 2, "{rest}");
    assert!(rest.ends_with("\r\n\r\nc"), "{rest}");
}

#[test]
fn a_body_is_asked_for_when_it_is_wanted() {
    let server = server(&["--token", TOKEN]);
    let expect = "Content-Length: 7\r\nExpect: 100-continue\r\n";
    let mut raw = Raw::connect(&server);
    raw.send(request("PUT /a", &format!("{expect}Authorization: Bearer {TOKEN}\r\n")));
    assert_eq!(raw.answer().unwrap().status, 100);
    raw.send("content");
    assert_eq!(raw.answer().unwrap().status, 201);
    // Who may not write need not send.
    let mut raw = Raw::connect(&server);
    raw.send(request("PUT /a", expect));
    assert_eq!(raw.answer().unwrap().status, 401);
    let unknown = "Content-Length: 7\r\nExpect: tea\r\n";
    let status = status_of(&server, request("PUT /a", unknown) + "content");
    assert!(status.is_some(), "an answer of some kind");
}

/// A client that is refused early and sends all the same, before it reads anything: a
/// connection that is closed meanwhile would be reset, and the answer with it.
#[test]
fn who_is_refused_early_hears_why() {
    let server = server(&["--token", TOKEN]);
    let mut raw = Raw::connect(&server);
    for size in [100_000_u64, 20_000_000] {
        raw.send(request("PUT /a", &format!("Content-Length: {size}\r\n")));
        assert!(raw.send(bytes(1, size)), "the connection is open until the end of the body");
        assert_eq!(raw.answer().unwrap().status, 401, "{size}");
    }
    raw.send(request("GET /_/health", ""));
    assert_eq!(raw.answer().unwrap().status, 200, "and after it");
    // There are bounds to that.
    let mut raw = Raw::connect(&server);
    raw.send(request("PUT /a", "Content-Length: 1000000000\r\n"));
    let mut sent = 0;
    let piece = bytes(2, 1_000_000);
    while raw.send(&piece) {
        sent += piece.len();
        assert!(sent < 500_000_000, "an endless body is taken in");
    }
    assert_serves(&server);
}

/// A body that nobody read is not taken for the next request.
#[test]
fn an_unread_body_is_no_request() {
    let server = server(&["--token", TOKEN]);
    let hidden = request("GET /hidden", "");
    let mut raw = Raw::connect(&server);
    raw.send(request("PUT /a", &format!("Content-Length: {}\r\n", hidden.len())) + &hidden);
    assert_eq!(raw.answer().unwrap().status, 401);
    raw.send(request("GET /_/health", ""));
    if let Some(next) = raw.answer() {
        assert_eq!(next.status, 200, "kept alive, and in step: {next:?}");
    }
    drop(raw);
    let log = server.log();
    assert!(log.iter().all(|line| line["path"] != "/hidden"), "{log:?}");
    assert_serves(&server);
}

#[tokio::test]
async fn what_is_too_large_is_431_over_http2_too() {
    let server = server(&[]);
    let client = client(&server, Protocol::Http2);
    let large = "a".repeat(70_000);
    client.send("GET /a", &[("x-large", &large)], b"").await.is(431);
    client.send("GET /a", &[], b"").await.is(404);
}
