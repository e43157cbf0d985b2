//! `?follow`: reading what is still being written.

use std::time::Duration;

use chunk_store_tests::random::bytes;

use super::uploads::{TUS, begin, patch};
use crate::site::Site;

pub async fn an_object_that_is_there_is_read_as_usual(site: &Site) {
    site.put("/a", &[], b"hello").await;
    begin(site, &[("upload-length", "10")]).await;
    let answer = site.ask("GET /a?follow", &[("range", "bytes=1-2")]).await.is(206);
    assert_eq!(answer.bytes, b"el");
    site.ask("GET /b?follow", &[]).await.fails(404, "not-found");
}

pub async fn an_upload_is_read_as_it_comes_until_its_commit(site: &Site) {
    let content = bytes(5, 1_500_000);
    let upload = begin(site, &[("upload-length", "1500000")]).await;
    patch(site, &upload, 0, &content[..1_000_000]).await.is(204);
    assert_eq!(site.content("/a").await, None);
    let write = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        patch(site, &upload, 1_000_000, &content[1_000_000..]).await.is(204)
    };
    let (followed, _) = tokio::join!(site.ask("GET /a?follow", &[]), write);
    let followed = followed.is(200);
    assert!(followed.bytes == content, "{}", followed.bytes.len());
    assert_eq!(followed.header("content-length"), "");
}

pub async fn an_upload_that_is_given_up_breaks_the_body(site: &Site) {
    let upload = begin(site, &[("upload-length", "10")]).await;
    patch(site, &upload, 0, b"hello").await.is(204);
    let give_up = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        site.ask(&format!("DELETE {upload}"), &[TUS]).await.is(204)
    };
    let (followed, _) = tokio::join!(site.ask("GET /a?follow", &[]), give_up);
    assert_eq!((followed.status, &followed.bytes[..]), (200, &b"hello"[..]));
    assert!(followed.broken.is_some(), "it must not look whole");
}

pub async fn head_tells_that_there_is_something_to_follow(site: &Site) {
    let upload = begin(site, &[("upload-length", "10")]).await;
    patch(site, &upload, 0, b"hello").await.is(204);
    site.ask("HEAD /a?follow", &[]).await.is(200);
    site.ask("HEAD /a", &[]).await.is(404);
}
