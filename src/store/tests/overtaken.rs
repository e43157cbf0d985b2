//! Uploads that somebody else has gone on with, or ended, in the middle of a call.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, content};
use crate::body::{SliceSource, Source};
use crate::error::Error;
use crate::key;
use crate::kv::{KvError, KvLimits};
use crate::limits::LEASE_MS;
use crate::segment::Segment;
use crate::upload::{State, Upload};

fn eventual() -> KvLimits {
    KvLimits { staleness_ms: 60_000, conditional_write: false, write_lag_ms_max: 60_000, ..able() }
}

fn late() -> KvLimits {
    KvLimits { write_lag_ms_max: 60_000, ..able() }
}

fn record(bed: &Bed) -> (String, Vec<u8>) {
    let kv_key = bed.kv.keys("u/").pop().unwrap();
    let value = bed.kv.values.borrow()[&kv_key].0.to_vec();
    (kv_key, value)
}

fn aborted(bed: &Bed) -> (String, Vec<u8>) {
    let (kv_key, value) = record(bed);
    let upload = Upload::decode(&value).unwrap();
    (kv_key, Upload { state: State::Aborted, ..upload }.encode())
}

/// A body; before its first bytes come some time passes, and somebody sets this record.
struct Delayed<'a>(&'a Bed, SliceSource<'a>, u64, (String, Vec<u8>));

impl Source for Delayed<'_> {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let Delayed(bed, body, ms, (kv_key, value)) = self;
        bed.kv.put_value(kv_key, value);
        bed.later(*ms);
        body.read(buffer).await
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The bug: what an append had accepted was gone, and an upload that was aborted was open
/// again. The cause: the first set of the record was given up, made again, and landed after
/// the name had been given out. The fix: an attempt has a name of its own. Found by the
/// simulation.
#[test]
fn a_beginning_that_was_given_up_takes_nothing_back() {
    for limits in [late(), eventual()] {
        let bed = Bed::new(limits);
        bed.kv.once("set", "u/", Act::Hang);
        let name = bed.begin("a");
        let asked = bed.kv.asked("set");
        assert!(asked.len() == 2 && asked[0] != asked[1], "{asked:?}");
        assert_eq!(name, key::upload_name(&asked[1]));
    }
    let bed = Bed::new(late());
    bed.kv.once("set", "u/", Act::LoseAnswer);
    bed.begin("a");
    assert_eq!(bed.kv.asked("set").len(), 1, "it is there");
}

/// An upload of 200 bytes in two appends: the record that names the first chunk, which is
/// gone, and the one that supersedes it. The first is set.
fn superseded(bed: &Bed) -> (String, (String, Vec<u8>)) {
    let name = bed.begin("a");
    bed.append(&name, 0, &content(200)[..100]).unwrap();
    let (kv_key, first) = record(bed);
    let chunk = bed.kv.keys("c/").pop().unwrap();
    bed.append(&name, 100, &content(200)[100..]).unwrap();
    let second = record(bed);
    bed.kv.remove(&chunk);
    bed.kv.put_value(&kv_key, &first);
    (name, second)
}

/// The bug: an append whose body was slow to begin was `corrupt`, where others had gone on
/// with the upload. The cause: it read the last chunk by a record as old as the body was
/// late, and sweep had taken that chunk. The fix: it reads the record again. Found by the
/// simulation.
#[test]
fn an_append_whose_body_is_slow_to_begin_is_told_where_the_upload_stands() {
    let bed = Bed::new(able());
    let (name, second) = superseded(&bed);
    let source = Delayed(&bed, SliceSource::new(b"more", 4), LEASE_MS, second);
    assert_eq!(block_on(bed.store.append(&name, 100, source)), Err(Error::OffsetMismatch(200)));
}

#[test]
fn a_chunk_that_is_superseded_while_it_is_looked_for_is_no_damage() {
    let bed = Bed::new(able());
    let (name, (kv_key, second)) = superseded(&bed);
    bed.kv.once("get", "c/", Act::Overtake(kv_key, second));
    let overtaken = block_on(bed.store.status(&name));
    assert!(matches!(overtaken, Err(Error::Unavailable(..))), "{overtaken:?}");
    assert_eq!(bed.offset(&name), 200);
}

/// Sweep may have taken the segment away by then, and would never find what came later.
#[test]
fn an_append_that_was_overtaken_stops_before_its_next_chunk() {
    for limits in [able(), eventual()] {
        let bed = Bed::new(limits);
        let name = bed.begin("a");
        let body = content(200_000);
        let source = Delayed(&bed, SliceSource::new(&body, 30_000), LEASE_MS, aborted(&bed));
        assert_eq!(block_on(bed.store.append(&name, 0, source)), Err(Error::NotFound));
        assert!(bed.kv.keys("c/").is_empty());
    }
}

/// The bug: without conditional writes an object lacked chunks. The cause: an append set
/// the record of an upload that had been aborted and swept meanwhile, so that it was there
/// again and named what was gone. The fix: no record is replaced that is seen to have ended.
/// Found by the simulation.
#[test]
fn an_upload_that_has_ended_is_not_brought_back() {
    for limits in [able(), eventual()] {
        let bed = Bed::new(limits);
        let name = bed.begin("a");
        bed.append(&name, 0, &content(70_000)).unwrap();
        let source = Delayed(&bed, SliceSource::new(b"more", 4), 1000, aborted(&bed));
        assert_eq!(block_on(bed.store.append(&name, 70_000, source)), Err(Error::NotFound));
        assert_eq!(record(&bed), aborted(&bed));
    }
}

/// The bug: an object that had been deleted was back. The cause: of two who committed an
/// upload at once one took the other's set for its own and acknowledged, while its own was
/// still on its way. The fix: it outlasts what it gave up. Found by the simulation.
#[test]
fn a_commit_outlasts_its_own_set_even_if_others_have_committed() {
    let bed = Bed::new(late());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100)).unwrap();
    bed.kv.once("set", "m/", Act::Fail(KvError::Rejected("killed".into())));
    assert!(bed.commit(&name).is_err());
    let (kv_key, sealed) = record(&bed);
    bed.commit(&name).unwrap();
    let manifest = bed.kv.values.borrow()["m/a"].0.to_vec();
    bed.kv.put_value(&kv_key, &sealed);
    bed.kv.remove("m/a");

    let (begun, mut theirs) = (bed.clock.ms.get(), Some(manifest));
    let mut given_up = false;
    bed.kv.rule(move |asked| match (asked.verb, &asked.key[..]) {
        ("set", "m/a") => {
            given_up = true;
            Some(Act::Hang)
        }
        ("get", "m/a") if given_up => theirs.take().map(|set| Act::Overtake("m/a".into(), set)),
        _ => None,
    });
    assert_eq!(bed.commit(&name).unwrap().size, 100);
    assert!(bed.clock.ms.get() - begun >= 90_000, "{}", bed.clock.ms.get() - begun);
}

/// The bug: an object that had been deleted was back. The cause: its upload's commit was
/// acknowledged, could not be noted, and was made again. The fix: to an absent key such a
/// commit is `uncertain`. Found by the simulation.
#[test]
fn a_commit_that_cannot_be_noted_is_not_acknowledged_where_it_could_be_made_again() {
    let bed = Bed::new(able());
    for (there, certain) in [(false, false), (true, true)] {
        let name = bed.begin("a");
        bed.append(&name, 0, &content(100)).unwrap();
        let mut sealed = false;
        // Nothing can be written to the upload but its seal.
        bed.kv.rule(move |asked| {
            if asked.verb != "set" || !asked.key.starts_with("u/") {
                return None;
            }
            let fails = std::mem::replace(&mut sealed, true);
            fails.then(|| Act::Fail(KvError::Rejected("the disk is full".into())))
        });
        let committed = bed.commit(&name);
        bed.kv.rule(|_| None);
        assert_eq!(bed.read("a"), (content(100), Ok(())), "there: {there}");
        match certain {
            true => assert!(committed.is_ok(), "{committed:?}"),
            false => assert!(matches!(committed, Err(Error::Uncertain(_))), "{committed:?}"),
        }
        // Noted now, and never again made.
        bed.commit(&name).unwrap();
        if !there {
            block_on(bed.store.delete("a", None)).unwrap();
            bed.commit(&name).unwrap();
            assert_eq!(bed.read("a").1, Err(Error::NotFound));
            bed.put("a", b"something").unwrap();
        }
    }
}

/// The bug: chunks were left that no record covered. The cause: an abort marked the record
/// of a segment that was being written, as it had been a while ago. The fix: no mark where
/// nothing is conditional. Found by the simulation.
#[test]
fn where_nothing_is_conditional_the_record_of_a_segment_is_its_writers() {
    for (limits, marked) in [(able(), true), (eventual(), false)] {
        let bed = Bed::new(limits);
        let name = bed.begin("a");
        bed.append(&name, 0, &content(70_000)).unwrap();
        block_on(bed.store.abort(&name)).unwrap();
        let value = bed.kv.values.borrow()[&bed.kv.keys("w/")[0]].0.clone();
        assert_eq!(Segment::decode(&value).unwrap().condemned_at.is_some(), marked);
    }
}
