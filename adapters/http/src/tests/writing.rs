//! PUT, DELETE, OPTIONS, and what paths there are.

use chunk_store::body::SliceSource;
use chunk_store::kv::KvLimits;

use super::bed::{BEGIN_DATE, Bed, Broken, able, content};

#[test]
fn a_put_says_whether_it_made_or_replaced_the_object() {
    let bed = Bed::open();
    let made = bed.send("PUT /a", &[], b"1");
    assert_eq!((made.status, made.header("content-length")), (201, "0"));
    let replaced = bed.send("PUT /a", &[], b"2");
    assert_eq!(replaced.status, 204);
    for answer in [made, replaced] {
        assert!(answer.header("etag").starts_with('"'));
        assert_eq!(answer.header("last-modified"), BEGIN_DATE);
        assert!(answer.header("x-digest").starts_with("blake3:"));
    }
}

/// Where misses are remembered, a look for a key that holds nothing would hide the object
/// that is put next (ARCHITECTURE.md, invariant 10).
#[test]
fn where_misses_are_remembered_a_put_does_not_look() {
    let limits = KvLimits { staleness_ms: 60_000, conditional_write: false, ..able() };
    let bed = Bed::new(limits, &[("OPEN", "true")]);
    assert_eq!(bed.send("PUT /a", &[], b"1").status, 204);
    assert_eq!(bed.kv.gets.get(), 0);
}

#[test]
fn the_length_of_a_body_need_not_be_known() {
    let bed = Bed::open();
    let body = content(400_000);
    assert_eq!(bed.send("PUT /a", &[], &body).status, 201);
    assert!(bed.content("a").unwrap() == body);
    assert_eq!(bed.send("PUT /b", &[("content-length", "400000")], &body).status, 201);
    assert!(bed.content("b").unwrap() == body);
}

#[test]
fn a_body_that_is_not_as_long_as_it_said_is_not_stored() {
    let bed = Bed::open();
    for length in ["4", "6", "1000000"] {
        let answer = bed.send("PUT /a", &[("content-length", length)], b"hello");
        assert_eq!((answer.status, &answer.json()["error"]), (400, &"body-mismatch".into()));
    }
    assert_eq!(bed.content("a"), None);
}

#[test]
fn a_body_that_breaks_off_is_not_stored_whatever_its_length_said() {
    let bed = Bed::open();
    for headers in [&[][..], &[("content-length", "5")], &[("content-length", "9")]] {
        assert_eq!(bed.send_from("PUT /a", headers, Broken(b"hello")).status, 400);
        assert_eq!(bed.content("a"), None);
    }
}

#[test]
fn a_body_with_another_digest_is_not_stored() {
    let bed = Bed::open();
    let digest = format!("blake3:{}", blake3::hash(b"hello"));
    assert_eq!(bed.send("PUT /a", &[("x-digest", &digest)], b"hullo").status, 400);
    assert_eq!(bed.content("a"), None);
    assert_eq!(bed.send("PUT /a", &[("x-digest", &digest)], b"hello").status, 201);
    assert_eq!(bed.send("PUT /a", &[("x-digest", "sha-256=:x:")], b"hello").status, 400);
}

#[test]
fn a_part_is_not_taken_for_the_whole() {
    let bed = Bed::open();
    let answer = bed.send("PUT /a", &[("content-range", "bytes 0-4/9")], b"hello");
    assert_eq!(answer.status, 400);
    assert_eq!(bed.content("a"), None);
}

#[test]
fn what_describes_the_object_is_bounded() {
    let bed = Bed::open();
    let long = "x".repeat(9000);
    assert_eq!(bed.send("PUT /a", &[("x-meta-a", &long)], b"1").status, 400);
    assert_eq!(bed.send("PUT /a", &[("content-type", &long)], b"1").status, 400);
    assert_eq!(bed.send("PUT /a", &[("x-ttl-seconds", "0")], b"1").status, 400);
    assert_eq!(bed.send(&format!("PUT /{}", "k".repeat(600)), &[], b"1").status, 400);
    assert_eq!(bed.send(&format!("PUT /{long}"), &[], b"1").status, 414);
    assert_eq!(bed.send(&format!("PUT /a?{long}"), &[], b"1").status, 414);
}

#[test]
fn a_body_that_the_platform_cannot_hold_is_refused_before_it_is_read() {
    let bed = Bed::open();
    let length = u64::MAX.to_string();
    let answer = bed.send_from("PUT /a", &[("content-length", &length)], Unread);
    assert_eq!((answer.status, &answer.json()["error"]), (413, &"limit-exceeded".into()));
}

/// A body that must not be read.
struct Unread;

impl chunk_store::body::Source for Unread {
    async fn read(&mut self, _: Vec<u8>) -> (Vec<u8>, bool) {
        panic!("the body of a request that was to be refused is read")
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn what_can_be_refused_is_refused_before_the_body_is_read() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"1");
    for (line, headers, status) in [
        ("PUT /_/list", &[][..], 405),
        ("PUT /", &[], 400),
        ("PUT /a", &[("if-none-match", "*")], 412),
        ("PUT /a", &[("content-range", "bytes 0-4/9")], 400),
        ("PUT /a", &[("x-digest", "md5")], 400),
    ] {
        assert_eq!(bed.send_from(line, headers, Unread).status, status, "{line} {headers:?}");
    }
    let closed = Bed::set(&[]);
    assert_eq!(closed.send_from("PUT /a", &[], Unread).status, 403);
}

#[test]
fn a_deleted_object_is_gone() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"1");
    assert_eq!(bed.ask("DELETE /a", &[]).status, 204);
    assert_eq!(bed.ask("GET /a", &[]).status, 404);
    let again = bed.ask("DELETE /a", &[]);
    assert_eq!((again.status, &again.json()["error"]), (404, &"not-found".into()));
}

#[test]
fn keys_are_what_paths_decode_to() {
    let bed = Bed::open();
    bed.send("PUT /a%2Fb%20%C3%BC", &[], b"1");
    assert_eq!(bed.ask("GET /a/b%20%c3%bc", &[]).body, b"1");
    for path in ["/", "/%00", "/a%0a", "/%ff", "/a/../b", "/%2e%2e/a", "/%5f/a", "/a%"] {
        assert_eq!(bed.send(&format!("PUT {path}"), &[], b"1").status, 400, "{path}");
        assert_eq!(bed.ask(&format!("GET {path}"), &[]).status, 400, "{path}");
    }
    assert_eq!(bed.send("PUT http://localhost/abs?x=y", &[], b"2").status, 201);
    assert_eq!(bed.content("abs").unwrap(), b"2");
}

#[test]
fn a_method_that_is_not_known_there_is_405_with_those_that_are() {
    let bed = Bed::open();
    let answer = bed.ask("POST /a", &[]);
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, PUT, DELETE, OPTIONS"));
    assert_eq!(bed.ask("TRACE /a", &[]).status, 405);
    assert_eq!(bed.ask("BREW /_/health", &[]).header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(bed.ask("GET /_/sweep", &[]).header("allow"), "POST, OPTIONS");
    assert_eq!(bed.ask("GET *", &[]).status, 405);
}

#[test]
fn options_tells_what_can_be_done() {
    let bed = Bed::open();
    let answer = bed.ask("OPTIONS /a", &[]);
    assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD, PUT, DELETE, OPTIONS"));
    assert_eq!(bed.ask("OPTIONS *", &[]).status, 204);
    let read_only = Bed::set(&[("OPEN", "1"), ("READ_ONLY", "1")]);
    assert_eq!(read_only.ask("OPTIONS /a", &[]).header("allow"), "GET, HEAD, OPTIONS");
}

#[test]
fn pieces_of_any_size_make_the_same_object() {
    let bed = Bed::open();
    let body = content(70_000);
    for piece_bytes in [1, 37, 65_537] {
        bed.send_from("PUT /a", &[], SliceSource::new(&body, piece_bytes));
        assert!(bed.content("a").unwrap() == body, "{piece_bytes}");
    }
}
