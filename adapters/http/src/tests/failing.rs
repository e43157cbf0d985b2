//! What a reader sees when the store below does not do its part.

use chunk_store::body::SliceSource;
use chunk_store::error::Error;
use chunk_store::kv::KvError;
use chunk_store::object::PutOptions;
use futures_executor::block_on;

use super::bed::{BEARER, Bed, TOKEN, content, request, taken};
use crate::Failure;

/// Objects are stored in chunks of 64 KiB.
fn with_object() -> (Bed, Vec<u8>) {
    let bed = Bed::open();
    let body = content(1_000_000);
    bed.store_in_chunks("a", &body);
    (bed, body)
}

#[test]
fn a_chunk_that_is_missing_in_the_middle_breaks_the_body() {
    let (bed, body) = with_object();
    bed.kv.remove(&bed.kv.keys("c/")[9]);
    for (range, status, start) in [("", 200, 0), ("bytes=100-", 206, 100)] {
        let answer = bed.ask("GET /a", &[("range", range)]);
        assert_eq!(answer.status, status);
        assert!(matches!(answer.ended, Err(Error::Corrupt(_))), "{:?}", answer.ended);
        let right = 9 * 65_536 - start;
        assert!(answer.body == body[start..start + right], "{}", answer.body.len());
        assert!(answer.length > Some(right as u64));
    }
}

#[test]
fn a_part_of_several_that_is_missing_breaks_the_body() {
    let (bed, _) = with_object();
    bed.kv.remove(&bed.kv.keys("c/")[9]);
    let answer = bed.ask("GET /a", &[("range", "bytes=0-9,600000-600009")]);
    assert_eq!(answer.status, 206);
    assert!(matches!(answer.ended, Err(Error::Corrupt(_))), "{:?}", answer.ended);
    assert!(!String::from_utf8_lossy(&answer.body).ends_with("--\r\n"));
}

#[test]
fn what_is_missing_at_the_start_has_a_status() {
    let (bed, _) = with_object();
    bed.kv.remove(&bed.kv.keys("c/")[0]);
    for range in ["", "bytes=0-0", "bytes=0-0,900000-"] {
        let answer = bed.ask("GET /a", &[("range", range)]);
        assert_eq!((answer.status, &answer.json()["error"]), (500, &"corrupt".into()), "{range}");
    }
    assert_eq!(bed.ask("GET /a", &[("range", "bytes=900000-")]).status, 206);
}

#[test]
fn a_part_of_an_object_that_was_replaced_meanwhile_breaks_the_body() {
    let (bed, _) = with_object();
    let asked = request("GET /a", &[("range", "bytes=0-9,600000-")], SliceSource::new(b"", 1));
    let (bytes, ended) = block_on(async {
        let mut body = bed.gateway.handle(asked).await.into_body();
        body.next().await.unwrap().unwrap();
        let other = SliceSource::new(b"other", 1);
        bed.store.put("a", other, &PutOptions::default()).await.unwrap();
        taken(body).await
    });
    assert_eq!(ended, Err(Error::Replaced));
    assert!(bytes.starts_with(&content(10)));
}

#[test]
fn a_store_that_is_away_is_503_with_when_to_come_back() {
    let (bed, _) = with_object();
    bed.kv.fail("m/", KvError::Unavailable("connection refused".into()));
    for line in ["GET /a", "HEAD /a", "PUT /a", "DELETE /a", "GET /_/head/a", "GET /_/list"] {
        let answer = bed.ask(line, &[]);
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{line}");
    }
    bed.kv.fail("m/", KvError::Throttled(2500));
    assert_eq!(bed.ask("GET /_/health", &[]).status, 503);
    bed.kv.mend();
    assert_eq!(bed.ask("GET /a", &[]).status, 200);
    assert_eq!(bed.ask("GET /_/health", &[]).json()["status"], "ok");
}

#[test]
fn a_platform_that_refuses_is_403_and_507_when_it_is_full() {
    let (bed, _) = with_object();
    bed.kv.fail("m/", KvError::Rejected("access denied".into()));
    assert_eq!(bed.ask("GET /a", &[]).status, 403);
    bed.kv.fail("m/", KvError::Rejected("No space left on device; free space on its disk".into()));
    assert_eq!(bed.ask("GET /a", &[]).status, 507);
}

#[test]
fn only_the_operator_is_told_of_the_platform() {
    let bed = Bed::set(&[("TOKEN", TOKEN), ("PUBLIC_READ", "1")]);
    bed.store_with("a", &[]);
    bed.kv.fail("m/", KvError::Rejected("cannot read in /srv/store".into()));
    let detail = |headers| bed.ask("GET /a", headers).json()["detail"].to_string();
    assert!(!detail(&[]).contains("/srv"));
    assert!(detail(&[BEARER]).contains("/srv"));
    let asked = request("GET /a", &[], SliceSource::new(b"", 1));
    let response = block_on(bed.gateway.handle(asked));
    assert!(response.extensions().get::<Failure>().unwrap().0.contains("/srv"));
}
