//! Platforms that cannot do everything.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::kv::KvLimits;
use crate::limits::CLOCK_MARGIN_SECONDS;
use crate::object::{Precondition, PutOptions};

/// Reads may be a minute old, and writes have no conditions: Workers KV.
fn stale() -> KvLimits {
    KvLimits { staleness_ms: 60_000, conditional_write: false, ranged_get: false, ..able() }
}

#[test]
fn a_precondition_on_a_write_is_unsupported_without_conditional_writes() {
    let bed = Bed::new(stale());
    bed.put("a", b"old").unwrap();
    let options = PutOptions { precondition: Some(Precondition::Exists), ..chunked() };
    let put = bed.put_from("a", SliceSource::new(b"x", 1), &options);
    assert!(matches!(put, Err(Error::Unsupported(_))));
    let deleted = block_on(bed.store.delete("a", Some(&Precondition::Exists)));
    assert!(matches!(deleted, Err(Error::Unsupported(_))));
    assert!(block_on(bed.store.head("a", Some(&Precondition::Exists))).is_ok());
}

#[test]
fn no_key_is_probed_by_a_put_where_misses_can_be_stale() {
    let bed = Bed::new(stale());
    bed.put("a", &content(200_000)).unwrap();
    bed.put_from("b", SliceSource::new(b"x", 1), &PutOptions::default()).unwrap();
    assert_eq!(bed.kv.asked("get"), Vec::<String>::new());
}

#[test]
fn a_chunk_that_is_not_visible_yet_is_asked_for_again() {
    let bed = Bed::new(stale());
    let body = content(200_000);
    bed.put("a", &body).unwrap();
    let mut misses = 3;
    bed.kv.rule(move |asked| {
        let misses_now = asked.key.starts_with("c/") && misses > 0;
        misses -= i32::from(misses_now);
        misses_now.then_some(Act::Miss)
    });
    assert_eq!(bed.read("a"), (body, Ok(())));
}

#[test]
fn a_chunk_missing_from_a_young_object_is_unavailable_and_from_an_old_one_corrupt() {
    let bed = Bed::new(stale());
    bed.put("a", &content(200_000)).unwrap();
    bed.kv.remove(&bed.kv.keys("c/")[1]);
    assert!(matches!(bed.read("a").1, Err(Error::Unavailable(_, Some(60_000)))));
    // By another's clock, which may be ahead.
    bed.clock.ms.set(bed.clock.ms.get() + 61_000);
    assert!(matches!(bed.read("a").1, Err(Error::Unavailable(..))));
    bed.clock.ms.set(bed.clock.ms.get() + 1000 * CLOCK_MARGIN_SECONDS);
    assert!(matches!(bed.read("a").1, Err(Error::Corrupt(_))));
}

#[test]
fn a_commit_without_conditions_is_repeated_until_it_is_acknowledged() {
    let bed = Bed::new(stale());
    bed.kv.once("set", "m/", Act::LoseAnswer);
    bed.put("a", &content(10)).unwrap();
    assert_eq!(bed.kv.asked("set").iter().filter(|key| *key == "m/a").count(), 2);
}

#[test]
fn what_needs_more_operations_than_there_are_is_refused_before_the_first() {
    let bed = Bed::new(KvLimits { operations_max: Some(50), ..able() });
    let options = PutOptions { size: Some(100 << 20), ..chunked() };
    let error = bed.put_from("a", SliceSource::new(b"", 1), &options).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded(_)), "{error}");
    assert!(bed.kv.asked.borrow().is_empty());
}

#[test]
fn a_body_of_unknown_size_that_needs_too_many_operations_is_given_up() {
    let bed = Bed::new(KvLimits { operations_max: Some(30), ..able() });
    let body = content(40 * 65_536);
    let error = bed.put("a", &body).unwrap_err();
    assert!(
        matches!(&error, Error::LimitExceeded(why) if why.contains("announce its size")),
        "{error}"
    );
    assert!(bed.kv.keys("m/").is_empty());
    assert!(bed.kv.asked.borrow().len() <= 30, "{}", bed.kv.asked.borrow().len());
}

#[test]
fn keys_and_values_that_are_too_short_for_the_store_are_refused() {
    let short_keys = Bed::new(KvLimits { key_bytes_max: 98, ..able() });
    assert!(matches!(short_keys.put("a", b"x"), Err(Error::LimitExceeded(_))));
    let small_values = Bed::new(KvLimits { value_bytes_max: 65_535, ..able() });
    assert!(matches!(small_values.put("a", b"x"), Err(Error::LimitExceeded(_))));
}

#[test]
fn expired_objects_do_not_exist() {
    let bed = Bed::new(able());
    let options = PutOptions { ttl_seconds: Some(5), ..chunked() };
    bed.put_from("a", SliceSource::new(b"x", 1), &options).unwrap();
    assert!(block_on(bed.store.head("a", None)).is_ok());
    bed.clock.ms.set(bed.clock.ms.get() + 5_000);
    assert_eq!(block_on(bed.store.head("a", None)), Err(Error::NotFound));
    assert_eq!(bed.read("a").1, Err(Error::NotFound));
    assert_eq!(block_on(bed.store.verify("a")), Err(Error::NotFound));
    assert_eq!(block_on(bed.store.delete("a", None)), Err(Error::NotFound));
    assert!(bed.kv.keys("m/").is_empty(), "a delete takes it out of listings");
    let absent = PutOptions { precondition: Some(Precondition::Absent), ..chunked() };
    bed.put_from("a", SliceSource::new(b"y", 1), &absent).unwrap();
    assert_eq!(bed.read("a"), (b"y".to_vec(), Ok(())));
}
