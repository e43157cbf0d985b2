//! Conditions of writes (RFC 9110, section 13).

use super::uploads::{begin, look, patch};
use crate::site::Site;

const EARLIER: &str = "Mon, 21 Sep 2020 00:00:00 GMT";

pub async fn create_only(site: &Site) {
    let create = [("if-none-match", "*")];
    site.send("PUT /a", &create, b"one").await.is(201);
    site.send("PUT /a", &create, b"two").await.fails(412, "precondition-failed");
    assert_eq!(site.content("/a").await.unwrap(), b"one");
}

pub async fn replace_only_what_was_seen(site: &Site) {
    let etag = site.put("/a", &[], b"one").await;
    let weak = format!("W/{etag}");
    for (path, tag) in [("/a", "\"x\""), ("/a", &weak), ("/none", "*"), ("/none", &etag)] {
        let answer = site.send(&format!("PUT {path}"), &[("if-match", tag)], b"two").await;
        answer.fails(412, "precondition-failed");
    }
    assert_eq!(site.content("/a").await.unwrap(), b"one");
    site.send("PUT /a", &[("if-match", &etag)], b"two").await.is(204);
    site.send("PUT /a", &[("if-match", &etag)], b"three").await.is(412);
    assert_eq!(site.content("/a").await.unwrap(), b"two");
}

pub async fn a_write_may_be_guarded_by_a_date(site: &Site) {
    site.put("/a", &[], b"one").await;
    let modified = site.ask("HEAD /a", &[]).await.header("last-modified").to_string();
    site.send("PUT /a", &[("if-unmodified-since", EARLIER)], b"two").await.is(412);
    site.send("PUT /a", &[("if-unmodified-since", &modified)], b"two").await.is(204);
    site.send("PUT /b", &[("if-unmodified-since", EARLIER)], b"two").await.is(201);
}

pub async fn several_guards_all_count(site: &Site) {
    let etag = site.put("/a", &[], b"one").await;
    let both = [("if-match", "*"), ("if-none-match", &*etag)];
    site.send("PUT /a", &both, b"two").await.is(412);
    let both = [("if-match", &*etag), ("if-none-match", "\"x\"")];
    site.send("PUT /a", &both, b"two").await.is(204);
}

pub async fn a_guard_that_cannot_be_read_stops_the_write(site: &Site) {
    site.put("/a", &[], b"one").await;
    for header in [("if-match", "x"), ("if-none-match", "x"), ("if-none-match", "")] {
        site.send("PUT /a", &[header], b"two").await.fails(400, "invalid-argument");
        site.ask("DELETE /a", &[header]).await.fails(400, "invalid-argument");
    }
    assert_eq!(site.content("/a").await.unwrap(), b"one");
}

pub async fn delete_only_what_was_seen(site: &Site) {
    let etag = site.put("/a", &[], b"one").await;
    for guard in [("if-match", "\"x\""), ("if-unmodified-since", EARLIER), ("if-none-match", "*")] {
        site.ask("DELETE /a", &[guard]).await.fails(412, "precondition-failed");
    }
    site.ask("DELETE /a", &[("if-match", &etag)]).await.is(204);
    assert_eq!(site.content("/a").await, None);
}

pub async fn an_upload_that_may_not_be_committed_does_not_say_that_it_is_whole(site: &Site) {
    let upload = begin(site, &[("upload-length", "5"), ("if-none-match", "*")]).await;
    site.put("/a", &[], b"first").await;
    patch(site, &upload, 0, b"hello").await.fails(412, "precondition-failed");
    assert_eq!(look(site, &upload).await.status, 412);
    assert_eq!(site.content("/a").await.unwrap(), b"first");
}
