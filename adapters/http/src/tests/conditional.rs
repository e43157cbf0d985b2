//! Conditions of reads and writes (RFC 9110, section 13).

use super::bed::{BEGIN_DATE, Bed, SECOND_EARLIER, able};
use chunk_store::kv::KvLimits;

fn etag(bed: &Bed, key: &str) -> String {
    bed.ask(&format!("HEAD /{key}"), &[]).header("etag").to_string()
}

fn with_object() -> (Bed, String) {
    let bed = Bed::open();
    bed.send("PUT /a", &[("cache-control", "max-age=5")], b"hello");
    let etag = etag(&bed, "a");
    (bed, etag)
}

#[test]
fn a_reader_that_has_it_gets_304_with_what_it_needs_to_keep_it() {
    let (bed, etag) = with_object();
    let weak = format!("W/{etag}");
    for method in ["GET", "HEAD"] {
        for headers in [
            ("if-none-match", &etag[..]),
            ("if-none-match", &weak),
            ("if-none-match", "*"),
            ("if-modified-since", BEGIN_DATE),
        ] {
            let answer = bed.ask(&format!("{method} /a"), &[headers]);
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{headers:?}");
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(answer.header("cache-control"), "max-age=5");
            assert_eq!(answer.header("content-type"), "");
        }
    }
}

#[test]
fn a_reader_that_has_another_gets_it() {
    let (bed, _) = with_object();
    for headers in [
        &[("if-none-match", "\"x\"")][..],
        &[("if-modified-since", SECOND_EARLIER)],
        &[("if-none-match", "\"x\""), ("if-modified-since", BEGIN_DATE)],
    ] {
        assert_eq!(bed.ask("GET /a", headers).status, 200, "{headers:?}");
    }
}

#[test]
fn a_read_of_another_object_than_was_meant_is_412() {
    let (bed, etag) = with_object();
    let weak = format!("W/{etag}");
    for headers in [
        &[("if-match", "\"x\"")][..],
        &[("if-match", &weak)],
        &[("if-unmodified-since", SECOND_EARLIER)],
        &[("if-match", "\"x\""), ("if-none-match", &etag)],
    ] {
        let answer = bed.ask("GET /a", headers);
        assert_eq!((answer.status, answer.header("etag")), (412, &etag[..]), "{headers:?}");
        assert_eq!(answer.json()["error"], "precondition-failed");
    }
    assert_eq!(bed.ask("GET /a", &[("if-match", &etag)]).status, 200);
}

#[test]
fn of_what_is_not_there_no_condition_is_looked_at() {
    let bed = Bed::open();
    for header in [("if-match", "*"), ("if-none-match", "*"), ("if-modified-since", BEGIN_DATE)] {
        assert_eq!(bed.ask("GET /a", &[header]).status, 404, "{header:?}");
    }
}

#[test]
fn conditions_go_before_ranges() {
    let (bed, etag) = with_object();
    for range in ["bytes=0-1", "bytes=90-", "bytes=0-0,4-4", "bytes=90-,91-"] {
        let headers = [("range", range), ("if-none-match", &etag[..])];
        assert_eq!(bed.ask("GET /a", &headers).status, 304, "{range}");
        let headers = [("range", range), ("if-match", "\"x\"")];
        assert_eq!(bed.ask("GET /a", &headers).status, 412, "{range}");
    }
}

#[test]
fn a_range_of_an_object_that_was_replaced_is_the_whole_new_one() {
    let (bed, etag) = with_object();
    for (if_range, status) in [
        (&etag[..], 206),
        (BEGIN_DATE, 206),
        ("\"x\"", 200),
        (SECOND_EARLIER, 200),
        (&format!("W/{etag}"), 200),
    ] {
        for range in ["bytes=1-2", "bytes=0-1,1-2"] {
            let answer = bed.ask("GET /a", &[("range", range), ("if-range", if_range)]);
            assert_eq!(answer.status, status, "{if_range} {range}");
        }
        let beyond = bed.ask("GET /a", &[("range", "bytes=90-"), ("if-range", if_range)]);
        assert_eq!(beyond.status, if status == 206 { 416 } else { 200 });
    }
}

#[test]
fn create_only() {
    let bed = Bed::open();
    assert_eq!(bed.send("PUT /a", &[("if-none-match", "*")], b"1").status, 201);
    assert_eq!(bed.send("PUT /a", &[("if-none-match", "*")], b"2").status, 412);
    assert_eq!(bed.content("a").unwrap(), b"1");
}

#[test]
fn replace_only_what_was_seen() {
    let (bed, etag) = with_object();
    assert_eq!(bed.send("PUT /a", &[("if-match", "\"x\"")], b"2").status, 412);
    assert_eq!(bed.send("PUT /b", &[("if-match", "*")], b"2").status, 412);
    assert_eq!(bed.send("PUT /a", &[("if-match", &etag)], b"2").status, 204);
    assert_eq!(bed.send("PUT /a", &[("if-match", &etag)], b"3").status, 412);
    assert_eq!(bed.content("a").unwrap(), b"2");
}

#[test]
fn a_write_may_be_guarded_by_a_date() {
    let (bed, _) = with_object();
    let guarded = |date, body| bed.send("PUT /a", &[("if-unmodified-since", date)], body).status;
    assert_eq!(guarded(SECOND_EARLIER, b"2"), 412);
    assert_eq!(guarded(BEGIN_DATE, b"2"), 204);
    assert_eq!(bed.send("PUT /b", &[("if-unmodified-since", BEGIN_DATE)], b"2").status, 201);
}

#[test]
fn several_guards_all_count() {
    let (bed, etag) = with_object();
    let both = [("if-match", "*"), ("if-none-match", &etag[..])];
    assert_eq!(bed.send("PUT /a", &both, b"2").status, 412);
    let both = [("if-match", &etag[..]), ("if-none-match", "\"x\"")];
    assert_eq!(bed.send("PUT /a", &both, b"2").status, 204);
}

#[test]
fn a_guard_that_cannot_be_read_stops_the_write() {
    let (bed, _) = with_object();
    for header in [("if-match", "x"), ("if-none-match", "x"), ("if-none-match", "")] {
        assert_eq!(bed.send("PUT /a", &[header], b"2").status, 400, "{header:?}");
        assert_eq!(bed.ask("DELETE /a", &[header]).status, 400, "{header:?}");
    }
}

#[test]
fn delete_only_what_was_seen() {
    let (bed, etag) = with_object();
    assert_eq!(bed.ask("DELETE /a", &[("if-match", "\"x\"")]).status, 412);
    assert_eq!(bed.ask("DELETE /a", &[("if-unmodified-since", SECOND_EARLIER)]).status, 412);
    assert_eq!(bed.ask("DELETE /a", &[("if-match", &etag)]).status, 204);
    assert_eq!(bed.content("a"), None);
}

#[test]
fn a_platform_without_conditional_writes_takes_no_guards() {
    let bed = Bed::new(KvLimits { conditional_write: false, ..able() }, &[("OPEN", "true")]);
    assert_eq!(bed.send("PUT /a", &[], b"1").status, 201);
    for headers in [
        &[("if-none-match", "*")][..],
        &[("if-match", "*")],
        &[("if-unmodified-since", BEGIN_DATE)],
        &[("if-match", "*"), ("if-none-match", "\"x\"")],
    ] {
        let answer = bed.send("PUT /a", headers, b"2");
        assert_eq!((answer.status, &answer.json()["error"]), (501, &"unsupported".into()));
    }
    assert_eq!(bed.content("a").unwrap(), b"1");
}
