//! `/_/uploads`, as the tus protocol 1.0.0 says and beyond it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::bed::{Answer, Bed, Broken, content};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn metadata(pairs: &[(&str, &str)]) -> String {
    let write = |(name, value): &(&str, &str)| format!("{name} {}", BASE64_STANDARD.encode(value));
    pairs.iter().map(write).collect::<Vec<_>>().join(",")
}

/// Begins an upload for `a`; gives its path.
fn begin(bed: &Bed, headers: &[(&str, &str)]) -> String {
    let answer = create(bed, headers, b"");
    assert_eq!(answer.status, 201, "{:?}", String::from_utf8_lossy(&answer.body));
    answer.header("location").to_string()
}

fn create(bed: &Bed, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let metadata = metadata(&[("key", "a")]);
    let headers = [&[TUS, ("upload-metadata", &metadata)], headers].concat();
    bed.send("POST /_/uploads", &headers, body)
}

fn patch(bed: &Bed, path: &str, offset: usize, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    bed.send(&format!("PATCH {path}"), &[TUS, BYTES, ("upload-offset", &offset)], body)
}

fn look(bed: &Bed, path: &str) -> Answer {
    bed.ask(&format!("HEAD {path}"), &[TUS])
}

#[test]
fn options_tells_what_the_server_can_do() {
    let bed = Bed::open();
    let answer = bed.ask("OPTIONS /_/uploads", &[]);
    assert_eq!((answer.status, answer.header("tus-version")), (204, "1.0.0"));
    assert_eq!(
        answer.header("tus-extension"),
        "creation,creation-with-upload,creation-defer-length,expiration,termination"
    );
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
}

#[test]
fn an_upload_in_parts_becomes_an_object_with_its_last_byte() {
    let bed = Bed::open();
    let body = content(150_000);
    let path = begin(&bed, &[("upload-length", "150000")]);
    assert!(path.starts_with("/_/uploads/"));
    let mut offset = 0;
    for part in body.chunks(70_000) {
        assert_eq!(bed.content("a"), None);
        let answer = patch(&bed, &path, offset, part);
        offset += part.len();
        assert_eq!((answer.status, answer.header("upload-offset")), (204, &*offset.to_string()));
        assert_eq!(answer.header("upload-expires"), "Tue, 22 Sep 2026 14:13:20 GMT");
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
    }
    assert!(bed.content("a").unwrap() == body);
    let answer = look(&bed, &path);
    assert_eq!((answer.status, answer.header("upload-offset")), (200, "150000"));
}

#[test]
fn head_tells_where_to_go_on() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "10")]);
    patch(&bed, &path, 0, b"hello");
    let answer = look(&bed, &path);
    for (name, value) in [
        ("upload-offset", "5"),
        ("upload-length", "10"),
        ("cache-control", "no-store"),
        ("upload-metadata", "key YQ=="),
        ("upload-defer-length", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[test]
fn bytes_for_another_offset_are_409_with_the_right_one() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "10")]);
    patch(&bed, &path, 0, b"hello");
    let answer = patch(&bed, &path, 3, b"lo");
    assert_eq!((answer.status, &answer.json()["offset"]), (409, &5.into()));
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    assert_eq!(look(&bed, &path).header("upload-offset"), "5");
}

#[test]
fn what_came_before_the_connection_broke_is_kept() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "10")]);
    let headers = [TUS, BYTES, ("upload-offset", "0"), ("content-length", "10")];
    bed.send_from(&format!("PATCH {path}"), &headers, Broken(b"hel"));
    assert_eq!(look(&bed, &path).header("upload-offset"), "3");
    assert_eq!(patch(&bed, &path, 3, b"lo you!").status, 204);
    assert_eq!(bed.content("a").unwrap(), b"hello you!");
}

#[test]
fn more_than_was_announced_is_refused() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "4")]);
    assert_eq!(patch(&bed, &path, 0, b"hello").status, 400);
    assert_eq!(bed.content("a"), None);
}

#[test]
fn who_did_not_hear_the_end_is_told_again() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    patch(&bed, &path, 0, b"hello");
    let again = patch(&bed, &path, 5, b"");
    assert_eq!((again.status, again.header("upload-offset")), (204, "5"));
    let earlier = patch(&bed, &path, 0, b"hello");
    assert_eq!((earlier.status, &earlier.json()["offset"]), (409, &5.into()));
    bed.ask("DELETE /a", &[]);
    assert_eq!(look(&bed, &path).header("upload-offset"), "5");
    assert_eq!(bed.content("a"), None, "a look brings nothing back");
}

/// The bytes came in by other ways than PATCH, or the commit after it failed.
#[test]
fn who_is_told_the_full_offset_has_an_object() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    let name = path.rsplit('/').next().unwrap();
    let source = chunk_store::body::SliceSource::new(b"hello", 5);
    futures_executor::block_on(bed.store.append(name, 0, source)).unwrap();
    assert_eq!(bed.content("a"), None);
    assert_eq!(look(&bed, &path).header("upload-offset"), "5");
    assert_eq!(bed.content("a").unwrap(), b"hello");
}

#[test]
fn an_upload_that_may_not_be_committed_does_not_say_that_it_is_whole() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5"), ("if-none-match", "*")]);
    bed.send("PUT /a", &[], b"first");
    assert_eq!(patch(&bed, &path, 0, b"hello").status, 412);
    assert_eq!(look(&bed, &path).status, 412);
    assert_eq!(bed.content("a").unwrap(), b"first");
}

#[test]
fn the_first_bytes_may_come_with_the_creation() {
    let bed = Bed::open();
    let answer = create(&bed, &[BYTES, ("upload-length", "10")], b"hello");
    assert_eq!((answer.status, answer.header("upload-offset")), (201, "5"));
    let path = answer.header("location").to_string();
    assert_eq!(patch(&bed, &path, 5, b" you!").status, 204);
    assert_eq!(bed.content("a").unwrap(), b"hello you!");
    let whole = create(&bed, &[BYTES, ("upload-length", "2")], b"ok");
    assert_eq!((whole.status, whole.header("upload-offset")), (201, "2"));
    assert_eq!(bed.content("a").unwrap(), b"ok");
    let typed = [("content-type", "text/plain"), ("content-length", "2"), ("upload-length", "2")];
    assert_eq!(create(&bed, &typed, b"ok").status, 415);
}

#[test]
fn an_upload_nobody_hears_of_is_given_up() {
    let bed = Bed::open();
    assert_eq!(create(&bed, &[BYTES, ("upload-length", "2")], b"hello").status, 400);
    assert_eq!(bed.ask("GET /_/uploads", &[]).json()["uploads"].as_array().unwrap().len(), 0);
}

#[test]
fn an_upload_of_nothing_is_an_empty_object() {
    let bed = Bed::open();
    begin(&bed, &[("upload-length", "0")]);
    assert_eq!(bed.content("a").unwrap(), b"");
}

#[test]
fn the_length_may_come_later() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-defer-length", "1")]);
    patch(&bed, &path, 0, b"hello");
    let answer = look(&bed, &path);
    assert_eq!((answer.header("upload-defer-length"), answer.header("upload-length")), ("1", ""));
    let last = |offset, length, body: &[u8]| {
        let headers = [TUS, BYTES, ("upload-offset", offset), ("upload-length", length)];
        bed.send(&format!("PATCH {path}"), &headers, body)
    };
    assert_eq!(last("5", "4", b"").status, 400, "less than there is");
    assert_eq!(last("5", "7", b"").status, 204, "not reached");
    assert_eq!(bed.content("a"), None);
    assert_eq!(last("5", "7", b"ab").status, 204);
    assert_eq!(bed.content("a").unwrap(), b"helloab");
    assert_eq!(look(&bed, &path).header("upload-length"), "7");
    assert_eq!(last("7", "7", b"").status, 204);
    assert_eq!(last("7", "8", b"c").status, 400, "another length than it has");
}

#[test]
fn a_body_beyond_a_length_that_came_later_is_not_committed() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-defer-length", "1")]);
    let headers = [TUS, BYTES, ("upload-offset", "0"), ("upload-length", "3")];
    assert_eq!(bed.send(&format!("PATCH {path}"), &headers, b"hello").status, 400);
    assert_eq!(bed.content("a"), None);
    assert_eq!(look(&bed, &path).header("upload-offset"), "3");
}

#[test]
fn an_upload_can_be_given_up() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    assert_eq!(bed.ask(&format!("DELETE {path}"), &[TUS]).status, 204);
    assert_eq!(look(&bed, &path).status, 404);
    assert_eq!(patch(&bed, &path, 0, b"hello").status, 404);
}

#[test]
fn an_upload_ends_with_its_time() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    bed.clock.pass_seconds(24 * 3600 + 1);
    assert_eq!(look(&bed, &path).status, 404);
}

#[test]
fn another_version_of_the_protocol_is_412_with_the_one_there_is() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    for line in [
        "POST /_/uploads",
        &format!("PATCH {path}"),
        &format!("HEAD {path}"),
        &format!("DELETE {path}"),
    ] {
        for headers in [&[][..], &[("tus-resumable", "0.2.2")]] {
            let answer = bed.ask(line, headers);
            assert_eq!((answer.status, answer.header("tus-version")), (412, "1.0.0"), "{line}");
        }
    }
}

#[test]
fn requests_that_say_too_little_or_too_much_are_refused() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    for (headers, status) in [
        (&[][..], 400),
        (&[("upload-length", "5"), ("upload-defer-length", "1")], 400),
        (&[("upload-defer-length", "2")], 400),
        (&[("upload-length", "-5")], 400),
        (&[("upload-length", "5"), ("x-ttl-seconds", "0")], 400),
        (&[("upload-length", "18446744073709551615")], 413),
    ] {
        assert_eq!(create(&bed, headers, b"").status, status, "{headers:?}");
    }
    for pairs in [&[("title", "a")][..], &[("key", "_/a")], &[("key", "../a")], &[("name", "a\nb")]]
    {
        let metadata = metadata(pairs);
        let headers = [TUS, ("upload-length", "5"), ("upload-metadata", &metadata)];
        assert_eq!(bed.ask("POST /_/uploads", &headers).status, 400, "{pairs:?}");
    }
    let patch = |headers: &[(&str, &str)]| bed.ask(&format!("PATCH {path}"), headers).status;
    assert_eq!(patch(&[TUS, ("upload-offset", "0")]), 415);
    assert_eq!(patch(&[TUS, ("upload-offset", "0"), ("content-type", "text/plain")]), 415);
    assert_eq!(patch(&[TUS, BYTES]), 400);
    assert_eq!(bed.ask("HEAD /_/uploads/x", &[TUS]).status, 400);
}

#[test]
fn what_describes_the_object_comes_with_the_creation() {
    let bed = Bed::open();
    let pairs = [("filename", "v/a.mp4"), ("filetype", "video/mp4"), ("title", "Ü")];
    let metadata = metadata(&pairs);
    let digest = format!("blake3:{}", blake3::hash(b"hello"));
    let headers = [
        TUS,
        BYTES,
        ("upload-length", "5"),
        ("upload-metadata", &metadata),
        ("x-meta-author", "Ann"),
        ("cache-control", "max-age=7"),
        ("x-digest", &digest),
    ];
    assert_eq!(bed.send("POST /_/uploads", &headers, b"hullo").status, 400);
    assert_eq!(bed.send("POST /_/uploads", &headers, b"hello").status, 201);
    let answer = bed.ask("GET /v/a.mp4", &[]);
    assert_eq!(answer.header("content-type"), "video/mp4");
    assert_eq!(answer.header("x-meta-author"), "Ann");
    assert_eq!(answer.header("cache-control"), "max-age=7");
    assert_eq!(answer.headers["x-meta-title"].as_bytes(), "Ü".as_bytes());
}

#[test]
fn a_method_that_does_not_come_through_may_be_sent_as_a_post() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    let instead = |method, headers: &[(&str, &str)], body: &[u8]| {
        let headers = [headers, &[TUS, ("x-http-method-override", method)]].concat();
        bed.send(&format!("POST {path}"), &headers, body)
    };
    assert_eq!(instead("PATCH", &[BYTES, ("upload-offset", "0")], b"hel").status, 204);
    assert_eq!(instead("HEAD", &[], b"").header("upload-offset"), "3");
    assert_eq!(instead("PUT", &[], b"").status, 400);
    assert_eq!(instead("DELETE", &[], b"").status, 204);
    let object = [("x-http-method-override", "DELETE")];
    assert_eq!(bed.ask("POST /a", &object).status, 405, "only uploads");
}

#[test]
fn uploads_under_way_are_listed() {
    let bed = Bed::open();
    let path = begin(&bed, &[("upload-length", "5")]);
    patch(&bed, &path, 0, b"hel");
    let page = bed.ask("GET /_/uploads?prefix=a&limit=10", &[]).json();
    let upload = &page["uploads"][0];
    assert_eq!((&upload["key"], &upload["offset"]), (&"a".into(), &3.into()));
    assert_eq!(format!("/_/uploads/{}", upload["name"].as_str().unwrap()), path);
    assert_eq!(bed.ask(&format!("GET {path}"), &[]).json()["offset"], 3);
    assert_eq!(bed.ask("GET /_/uploads?prefix=b", &[]).json()["uploads"], serde_json::json!([]));
    patch(&bed, &path, 3, b"lo");
    assert_eq!(bed.ask("GET /_/uploads", &[]).json()["uploads"], serde_json::json!([]));
}
