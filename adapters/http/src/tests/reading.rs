//! GET and HEAD: the whole, parts, and what describes them.

use super::bed::{BEGIN_DATE, Bed, MINUTE_LATER, content};
use crate::limits::RANGES_MAX;

#[test]
fn what_was_put_comes_back_with_what_describes_it() {
    let bed = Bed::open();
    let given = [
        ("content-type", "text/plain"),
        ("content-language", "en"),
        ("content-disposition", "attachment; filename=\"a.txt\""),
        ("content-encoding", "gzip"),
        ("cache-control", "max-age=5"),
        ("x-meta-author", "Ann"),
    ];
    bed.send("PUT /docs/a%20b", &given, b"hello");
    let answer = bed.ask("GET /docs/a%20b", &[]);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    for (name, value) in given {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("content-length"), "5");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("last-modified"), BEGIN_DATE);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-digest"), format!("blake3:{}", blake3::hash(b"hello")));
    assert!(answer.header("etag").starts_with('"'));
}

/// Else a page that somebody stored could do in this server's origin whatever its page can.
#[test]
fn a_stored_page_is_kept_from_the_origin() {
    let bed = Bed::open();
    bed.send("PUT /page", &[("content-type", "text/html")], b"<script>");
    bed.send("PUT /film", &[("content-type", "video/mp4")], b"film");
    for line in ["GET /page", "HEAD /page"] {
        let answer = bed.ask(line, &[]);
        assert_eq!(answer.header("content-security-policy"), "sandbox");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let part = bed.ask("GET /page", &[("range", "bytes=0-1")]);
    assert_eq!((part.status, part.header("content-security-policy")), (206, "sandbox"));
    let film = bed.ask("GET /film", &[]);
    assert!(film.headers.get("content-security-policy").is_none(), "browsers play none in it");
    assert_eq!(film.header("x-content-type-options"), "nosniff");
}

#[test]
fn head_is_get_without_the_body() {
    let bed = Bed::open();
    bed.send("PUT /a", &[("x-ttl-seconds", "60")], b"hello");
    let (get, head) = (bed.ask("GET /a", &[]), bed.ask("HEAD /a", &[]));
    assert_eq!((head.status, &head.headers), (200, &get.headers));
    assert!(head.body.is_empty());
    let missing = bed.ask("HEAD /b", &[]);
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    assert_eq!(missing.headers, bed.ask("GET /b", &[]).headers);
}

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
fn a_large_object_streams_in_pieces() {
    let bed = Bed::open();
    let body = content(300_000);
    bed.store_in_chunks("a", &body);
    let answer = bed.ask("GET /a", &[]);
    assert_eq!((answer.status, answer.length), (200, Some(300_000)));
    assert!(answer.body == body);
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

#[test]
fn one_range_is_206() {
    let bed = Bed::open();
    let body = content(300_000);
    bed.store_in_chunks("chunks", &body);
    bed.send("PUT /inline", &[], &body[..100]);
    for (key, range, start, end, size) in [
        ("chunks", "bytes=0-0", 0, 1, 300_000),
        ("chunks", "bytes=65535-65536", 65_535, 65_537, 300_000),
        ("chunks", "bytes=299999-", 299_999, 300_000, 300_000),
        ("chunks", "bytes=-70000", 230_000, 300_000, 300_000),
        ("chunks", "bytes=0-999999999", 0, 300_000, 300_000),
        ("inline", "bytes=10-19", 10, 20, 100),
        ("inline", "bytes=-1000", 0, 100, 100),
    ] {
        let answer = bed.ask(&format!("GET /{key}"), &[("range", range)]);
        assert_eq!(answer.status, 206, "{range}");
        assert!(answer.body == body[start..end], "{range}");
        let told = format!("bytes {start}-{}/{size}", end - 1);
        assert_eq!(answer.header("content-range"), told);
    }
}

#[test]
fn ranges_that_say_nothing_are_passed_over() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"hello");
    for range in ["bytes=3-1", "bytes=", "lines=0-1", "bytes=0-1,x"] {
        let answer = bed.ask("GET /a", &[("range", range)]);
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]), "{range}");
    }
    let head = bed.ask("HEAD /a", &[("range", "bytes=0-1")]);
    assert_eq!((head.status, head.header("content-length")), (200, "5"));
}

#[test]
fn a_range_beyond_the_end_is_416_with_the_size() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"hello");
    for range in ["bytes=5-", "bytes=5-9", "bytes=-0", "bytes=7-8,9-", "bytes=-0,-0"] {
        let answer = bed.ask("GET /a", &[("range", range)]);
        assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */5"), "{range}");
        assert_eq!(answer.json()["error"], "range-not-satisfiable");
    }
}

#[test]
fn of_an_empty_object_only_the_last_bytes_can_be_asked_for() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"");
    assert_eq!(bed.ask("GET /a", &[]).status, 200);
    assert_eq!(bed.ask("GET /a", &[("range", "bytes=-5")]).status, 200);
    assert_eq!(bed.ask("GET /a", &[("range", "bytes=-5,-6")]).status, 200);
    assert_eq!(bed.ask("GET /a", &[("range", "bytes=0-")]).status, 416);
}

#[test]
fn several_ranges_are_parts_in_the_order_of_asking() {
    let bed = Bed::open();
    let body: Vec<u8> = content(300_000).into_iter().map(|b| b'a' + b % 26).collect();
    bed.store_in_chunks("a", &body);
    let range = [("range", "bytes=200000-200002, 0-1, 290000-290001, 299999-")];
    let answer = bed.ask("GET /a", &range);
    assert_eq!(answer.status, 206);
    assert_eq!(answer.header("content-range"), "");
    let boundary =
        answer.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = text.split(&delimiter);
    assert_eq!(parts.next(), Some(""));
    for (start, end) in [(200_000, 200_003), (0, 2), (290_000, 290_002), (299_999, 300_000)] {
        let sent = std::str::from_utf8(&body[start..end]).unwrap();
        let head = format!("\r\nContent-Range: bytes {start}-{}/300000\r\n\r\n", end - 1);
        assert_eq!(parts.next(), Some(&*format!("{head}{sent}")));
    }
    assert_eq!((parts.next(), parts.next()), (Some("--\r\n"), None));
}

#[test]
fn a_part_has_the_media_type_of_the_object() {
    let bed = Bed::open();
    bed.send("PUT /a", &[("content-type", "video/mp4")], &content(1000));
    let answer = bed.ask("GET /a", &[("range", "bytes=0-0,999-")]);
    assert!(answer.header("content-type").starts_with("multipart/byteranges"));
    assert!(String::from_utf8_lossy(&answer.body).contains("\r\nContent-Type: video/mp4\r\n"));
}

#[test]
fn several_ranges_that_come_to_one_are_sent_as_one() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"0123456789");
    for (range, told) in [
        ("bytes=0-3,2-5", "bytes 0-5/10"),
        ("bytes=0-1,7-8", "bytes 0-8/10"),
        ("bytes=3-4,50-", "bytes 3-4/10"),
        ("bytes=0-,0-,0-,-10", "bytes 0-9/10"),
    ] {
        let answer = bed.ask("GET /a", &[("range", range)]);
        assert_eq!((answer.status, answer.header("content-range")), (206, told), "{range}");
    }
}

#[test]
fn more_ranges_than_anyone_needs_are_refused() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], &content(100_000));
    let range = |count: usize| {
        let specs: Vec<String> = (0..count).map(|i| format!("{0}-{0}", i * 1000)).collect();
        format!("bytes={}", specs.join(","))
    };
    assert_eq!(bed.ask("GET /a", &[("range", &range(RANGES_MAX))]).status, 206);
    let answer = bed.ask("GET /a", &[("range", &range(RANGES_MAX + 1))]);
    assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */100000"));
}
