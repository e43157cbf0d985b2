//! Conditions of reads (RFC 9110, section 13).

use crate::site::Site;

const EARLIER: &str = "Mon, 21 Sep 2020 00:00:00 GMT";
const LATER: &str = "Sun, 21 Sep 2070 00:00:00 GMT";

/// An object `/a`; gives its entity tag and its date.
async fn stored(site: &Site) -> (String, String) {
    let etag = site.put("/a", &[("cache-control", "max-age=5")], b"hello").await;
    let modified = site.ask("HEAD /a", &[]).await.header("last-modified").to_string();
    (etag, modified)
}

pub async fn a_reader_that_has_it_is_told_so(site: &Site) {
    let (etag, modified) = stored(site).await;
    let (weak, list) = (format!("W/{etag}"), format!("\"x\", {etag}"));
    for method in ["GET", "HEAD"] {
        for header in [
            ("if-none-match", &*etag),
            ("if-none-match", &weak),
            ("if-none-match", &list),
            ("if-none-match", "*"),
            ("if-modified-since", &modified),
            ("if-modified-since", LATER),
        ] {
            let answer = site.ask(&format!("{method} /a"), &[header]).await.is(304);
            assert_eq!(answer.header("etag"), etag);
            assert_eq!(answer.header("cache-control"), "max-age=5");
            assert_eq!(answer.header("content-type"), "");
        }
    }
}

pub async fn a_reader_that_has_another_gets_it(site: &Site) {
    let (etag, modified) = stored(site).await;
    for headers in [
        &[("if-none-match", "\"x\"")][..],
        &[("if-none-match", "\"x\", W/\"y\"")],
        &[("if-modified-since", EARLIER)],
        &[("if-modified-since", "yesterday")],
        &[("if-none-match", "\"x\""), ("if-modified-since", LATER)],
        &[("if-unmodified-since", &modified)],
        &[("if-match", &etag)],
        &[("if-match", &etag), ("if-unmodified-since", EARLIER)],
    ] {
        let answer = site.ask("GET /a", headers).await.is(200);
        assert_eq!(answer.bytes, b"hello", "{headers:?}");
    }
}

pub async fn a_read_of_another_object_than_was_meant_is_412(site: &Site) {
    let (etag, _) = stored(site).await;
    let weak = format!("W/{etag}");
    for headers in [
        &[("if-match", "\"x\"")][..],
        &[("if-match", &weak)],
        &[("if-unmodified-since", EARLIER)],
        &[("if-match", "\"x\""), ("if-none-match", &etag)],
    ] {
        let answer = site.ask("GET /a", headers).await.fails(412, "precondition-failed");
        assert_eq!(answer.header("etag"), etag, "{headers:?}");
    }
}

pub async fn of_what_is_not_there_no_condition_is_looked_at(site: &Site) {
    for header in [("if-match", "*"), ("if-none-match", "*"), ("if-modified-since", EARLIER)] {
        site.ask("GET /a", &[header]).await.fails(404, "not-found");
    }
}

pub async fn conditions_go_before_ranges(site: &Site) {
    let (etag, _) = stored(site).await;
    for range in ["bytes=0-1", "bytes=90-", "bytes=0-0,4-4", "bytes=90-,91-"] {
        site.ask("GET /a", &[("range", range), ("if-none-match", &etag)]).await.is(304);
        site.ask("GET /a", &[("range", range), ("if-match", "\"x\"")]).await.is(412);
    }
}

pub async fn a_range_of_an_object_that_was_replaced_is_the_whole_new_one(site: &Site) {
    let (etag, modified) = stored(site).await;
    for (if_range, holds) in [
        (&*etag, true),
        // Another object may have been there in the same second (section 8.8.2.2).
        (&modified, false),
        ("\"x\"", false),
        (EARLIER, false),
        (&format!("W/{etag}"), false),
    ] {
        let ask =
            async |range| site.ask("GET /a", &[("range", range), ("if-range", if_range)]).await;
        for range in ["bytes=1-2", "bytes=0-1,1-2"] {
            let answer = ask(range).await.is(if holds { 206 } else { 200 });
            assert!(holds || answer.bytes == b"hello", "{if_range}");
        }
        ask("bytes=90-").await.is(if holds { 416 } else { 200 });
    }
}
