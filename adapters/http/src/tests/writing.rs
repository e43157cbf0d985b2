//! PUT: bodies that are not what they should be, and when they are read at all.

use chunk_store::body::SliceSource;
use chunk_store::kv::KvLimits;

use super::bed::{Bed, Broken, able, content};

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
fn a_body_that_is_not_as_long_as_it_said_is_not_stored() {
    let bed = Bed::open();
    for length in ["4", "6", "1000000"] {
        let answer = bed.send("PUT /a", &[("content-length", length)], b"hello");
        assert_eq!((answer.status, &answer.json()["error"]), (400, &"body-mismatch".into()));
    }
    assert_eq!(bed.content("a"), None);
}

/// A host may notice late, when as many bytes are there as were announced.
#[test]
fn a_body_that_breaks_off_is_not_stored_whatever_its_length_said() {
    let bed = Bed::open();
    for headers in [&[][..], &[("content-length", "5")], &[("content-length", "9")]] {
        assert_eq!(bed.send_from("PUT /a", headers, Broken(b"hello")).status, 400);
        assert_eq!(bed.content("a"), None);
    }
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
        ("PUT /", &[], 405),
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
fn a_read_only_server_offers_no_writes() {
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
