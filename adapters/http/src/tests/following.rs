//! `?follow`: reading what is still being written.

use chunk_store::body::SliceSource;
use chunk_store::error::Error;
use chunk_store::kv::KvLimits;
use chunk_store::object::PutOptions;
use futures_executor::block_on;

use super::bed::{Bed, able, content, request, taken, yield_once};

/// An upload for `a` that holds these bytes, by its name.
fn begun(bed: &Bed, bytes: &[u8]) -> String {
    block_on(async {
        let name = bed.store.begin("a", &PutOptions::default()).await.unwrap();
        bed.store.append(&name, 0, SliceSource::new(bytes, 1000)).await.unwrap();
        name
    })
}

#[test]
fn an_object_that_is_there_is_read_as_usual() {
    let bed = Bed::open();
    bed.send("PUT /a", &[], b"hello");
    begun(&bed, b"other");
    let answer = bed.ask("GET /a?follow", &[("range", "bytes=1-2")]);
    assert_eq!((answer.status, &answer.body[..]), (206, &b"el"[..]));
    assert_eq!(bed.ask("GET /b?follow", &[]).status, 404);
}

#[test]
fn an_upload_is_read_as_it_comes_until_its_commit() {
    let bed = Bed::open();
    let body = content(150_000);
    let name = begun(&bed, &body[..100_000]);
    assert_eq!(bed.ask("GET /a", &[]).status, 404);
    let asked = request("GET /a?follow", &[], SliceSource::new(b"", 1));
    let (bytes, ended) = block_on(async {
        let response = bed.gateway.handle(asked).await;
        assert_eq!((response.status().as_u16(), response.body().length()), (200, None));
        assert!(!response.headers().contains_key("content-length"));
        let write = async {
            yield_once().await;
            let rest = SliceSource::new(&body[100_000..], 1000);
            bed.store.append(&name, 100_000, rest).await.unwrap();
            yield_once().await;
            bed.store.commit_upload(&name).await.unwrap();
        };
        futures::join!(taken(response.into_body()), write).0
    });
    assert!(bytes == body, "{}", bytes.len());
    assert_eq!(ended, Ok(()));
}

#[test]
fn an_upload_that_stands_still_or_is_aborted_breaks_the_body() {
    let bed = Bed::open();
    begun(&bed, b"hello");
    let answer = bed.ask("GET /a?follow", &[]);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    assert!(matches!(answer.ended, Err(Error::Unavailable(..))), "{:?}", answer.ended);
    let name = begun(&bed, b"hello");
    let asked = request("GET /a?follow", &[], SliceSource::new(b"", 1));
    let (_, ended) = block_on(async {
        let response = bed.gateway.handle(asked).await;
        bed.store.abort(&name).await.unwrap();
        taken(response.into_body()).await
    });
    assert_eq!(ended, Err(Error::NotFound));
}

#[test]
fn head_tells_that_there_is_something_to_follow() {
    let bed = Bed::open();
    begun(&bed, b"hello");
    assert_eq!(bed.ask("HEAD /a?follow", &[]).status, 200);
    assert_eq!(bed.ask("HEAD /a", &[]).status, 404);
}

#[test]
fn where_reads_may_be_old_nobody_can_follow() {
    let bed = Bed::new(KvLimits { staleness_ms: 60_000, ..able() }, &[("OPEN", "true")]);
    assert_eq!(bed.ask("GET /a?follow", &[]).status, 501);
}
