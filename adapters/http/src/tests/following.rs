//! `?follow`: reading what is still being written.

use chunk_store::body::SliceSource;
use chunk_store::error::Error;
use chunk_store::object::PutOptions;
use futures_executor::block_on;

use super::bed::Bed;

#[test]
fn an_upload_that_stands_still_breaks_the_body() {
    let bed = Bed::open();
    block_on(async {
        let name = bed.store.begin("a", &PutOptions::default()).await.unwrap();
        bed.store.append(&name, 0, SliceSource::new(b"hello", 1000)).await.unwrap();
    });
    let answer = bed.ask("GET /a?follow", &[]);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    assert!(matches!(answer.ended, Err(Error::Unavailable(..))), "{:?}", answer.ended);
}
