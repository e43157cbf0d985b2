//! GET: what the command line stored, what expires, what a read costs.

use super::bed::{Bed, MINUTE_LATER};

#[test]
fn metadata_of_the_command_line_shows_as_headers() {
    let bed = Bed::open();
    bed.store_with("a", &[("author", "Ann"), ("cache-control", "no-store"), ("two words", "ü")]);
    let answer = bed.ask("GET /a", &[]);
    assert_eq!(answer.header("x-meta-author"), "Ann");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.headers["x-meta-two%20words"].as_bytes(), "ü".as_bytes());
}

#[test]
fn an_object_that_expires_says_when_and_is_gone_then() {
    let bed = Bed::open();
    bed.send("PUT /a", &[("x-ttl-seconds", "60"), ("cache-control", "max-age=600")], b"x");
    let answer = bed.ask("GET /a", &[]);
    assert_eq!(answer.header("x-expires"), MINUTE_LATER);
    assert_eq!(answer.header("cache-control"), "max-age=60");
    bed.clock.pass_seconds(61);
    assert_eq!(bed.ask("GET /a", &[]).status, 404);
}

#[test]
fn the_usual_read_is_one_read_of_the_manifest() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"hello");
    let etag = bed.ask("HEAD /a", &[]).header("etag").to_string();
    for headers in [
        &[][..],
        &[("range", "bytes=1-2")],
        &[("range", "bytes=1-2"), ("if-range", &etag)],
        &[("if-none-match", &etag)],
    ] {
        bed.kv.gets.set(0);
        bed.ask("GET /a", headers);
        assert_eq!(bed.kv.gets.get(), 1, "{headers:?}");
    }
}
