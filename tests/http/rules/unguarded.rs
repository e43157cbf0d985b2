//! What a platform without conditional writes refuses.

use super::uploads::{begin, patch};
use crate::site::Site;

pub async fn a_write_with_a_guard_is_refused(site: &Site) {
    site.put("/a", &[], b"one").await;
    for headers in [
        &[("if-none-match", "*")][..],
        &[("if-match", "*")],
        &[("if-unmodified-since", "Sun, 21 Sep 2070 00:00:00 GMT")],
        &[("if-match", "*"), ("if-none-match", "\"x\"")],
    ] {
        site.send("PUT /a", headers, b"two").await.fails(501, "unsupported");
        site.ask("DELETE /a", headers).await.fails(501, "unsupported");
    }
    assert_eq!(site.content("/a").await.unwrap(), b"one");
}

pub async fn nobody_can_follow(site: &Site) {
    let upload = begin(site, &[("upload-length", "10")]).await;
    patch(site, &upload, 0, b"hello").await.is(204);
    site.ask("GET /a?follow", &[]).await.fails(501, "unsupported");
}
