//! The one write that commits, and what may happen around it.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::kv::{KvError, KvLimits};
use crate::limits::KV_ATTEMPTS;
use crate::object::{Precondition, PutOptions};
use crate::segment::Segment;

fn unavailable() -> Act {
    Act::Fail(KvError::Unavailable("the connection was lost".to_string()))
}

/// The stored form of somebody else's object under `a`.
fn of_somebody_else() -> Vec<u8> {
    let bed = Bed::new(able());
    bed.put_from("a", SliceSource::new(b"theirs", 6), &PutOptions::default()).unwrap();
    bed.kv.values.borrow()["m/a"].0.to_vec()
}

#[test]
fn a_commit_whose_answer_was_lost_is_recognised() {
    let bed = Bed::new(able());
    bed.kv.once("set", "m/", Act::LoseAnswer);
    let info = bed.put("a", &content(100)).unwrap();
    let sets = bed.kv.asked("set").iter().filter(|key| *key == "m/a").count();
    assert_eq!(sets, 1, "read back, not written again");
    assert_eq!(block_on(bed.store.head("a", None)), Ok(info));
}

#[test]
fn a_commit_that_did_not_land_is_tried_again() {
    let bed = Bed::new(able());
    bed.kv.once("set", "m/", unavailable());
    bed.put("a", &content(100)).unwrap();
    assert_eq!(bed.read("a"), (content(100), Ok(())));
}

/// It might land on a key that somebody has emptied by then, and bring back what was
/// deleted.
#[test]
fn a_lost_set_on_an_absent_key_is_outlasted_before_it_is_tried_again() {
    let bed = Bed::new(KvLimits { write_lag_ms_max: 60_000, ..able() });
    bed.kv.once("set", "m/", Act::Hang);
    bed.put("a", &content(100)).unwrap();
    assert!(bed.clock.ms.get() >= KV_ATTEMPTS.timeout_ms + 60_000);
    // A version never comes back, so over an object nothing has to be waited for.
    let begun = bed.clock.ms.get();
    bed.kv.once("set", "m/", Act::Hang);
    bed.put("a", &content(200)).unwrap();
    assert!(bed.clock.ms.get() - begun < KV_ATTEMPTS.timeout_ms + 60_000);
}

#[test]
fn a_commit_that_nobody_can_tell_of_is_uncertain_and_keeps_its_chunks() {
    let bed = Bed::new(able());
    bed.kv.rule(|asked| (asked.verb == "set" && asked.key == "m/a").then(unavailable));
    assert!(matches!(bed.put("a", &content(100)), Err(Error::Uncertain(_))));
    let record = bed.kv.keys("w/").pop().unwrap();
    let segment = Segment::decode(&bed.kv.values.borrow()[&record].0).unwrap();
    assert_eq!(segment.condemned_at, None, "it may have been committed");
}

/// Without conditional writes a lost one is simply made again.
#[test]
fn a_commit_that_is_refused_after_a_lost_answer_is_uncertain() {
    let refused = || Act::Fail(KvError::Rejected("no more writes".to_string()));
    let bed = Bed::new(KvLimits { conditional_write: false, ..able() });
    bed.kv.once("set", "m/a", refused());
    assert!(matches!(bed.put("a", &content(100)), Err(Error::Denied(_))));
    let mut acts = [Act::LoseAnswer, refused()].into_iter();
    bed.kv.rule(move |asked| {
        (asked.verb == "set" && asked.key == "m/a").then(|| acts.next()).flatten()
    });
    assert!(matches!(bed.put("a", &content(200)), Err(Error::Uncertain(_))));
    assert_eq!(bed.read("a").0, content(200), "it did land");
}

#[test]
fn the_last_of_two_commits_wins() {
    let bed = Bed::new(able());
    bed.kv.once("set", "m/", Act::Overtake("m/a".into(), of_somebody_else()));
    bed.put("a", b"ours").unwrap();
    assert_eq!(bed.read("a").0, b"ours");
}

#[test]
fn a_precondition_that_somebody_else_breaks_meanwhile_is_kept() {
    let bed = Bed::new(able());
    bed.kv.once("set", "m/", Act::Overtake("m/a".into(), of_somebody_else()));
    let options = PutOptions { precondition: Some(Precondition::Absent), ..chunked() };
    let error = bed.put_from("a", SliceSource::new(b"ours", 4), &options).unwrap_err();
    let Error::PreconditionFailed(Some(info)) = error else { panic!("{error}") };
    assert_eq!(info.size, 6);
    assert_eq!(bed.read("a").0, b"theirs");
}

#[test]
fn a_precondition_that_does_not_hold_is_refused_before_the_body_is_read() {
    let bed = Bed::new(able());
    bed.put("a", b"old").unwrap();
    let before = bed.kv.asked("set").len();
    let options = PutOptions { precondition: Some(Precondition::Absent), ..chunked() };
    let body = content(1_000_000);
    let error = bed.put_from("a", SliceSource::new(&body, 4096), &options).unwrap_err();
    assert!(matches!(error, Error::PreconditionFailed(Some(_))));
    assert_eq!(bed.kv.asked("set").len(), before);
}

#[test]
fn what_a_commit_replaced_is_condemned_and_stays() {
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    let old = bed.kv.keys("c/");
    let record = bed.kv.keys("w/").pop().unwrap();
    bed.put("a", &content(10)).unwrap();
    let segment = Segment::decode(&bed.kv.values.borrow()[&record].0).unwrap();
    assert!(segment.condemned_at.is_some());
    assert!(old.iter().all(|key| bed.kv.values.borrow().contains_key(key)));
}

#[test]
fn a_manifest_that_is_garbage_can_be_replaced_and_deleted() {
    let bed = Bed::new(able());
    bed.kv.put_value("m/a", b"garbage");
    assert!(matches!(bed.read("a").1, Err(Error::Corrupt(_))));
    let conditional = block_on(bed.store.delete("a", Some(&Precondition::Exists)));
    assert!(matches!(conditional, Err(Error::Corrupt(_))));
    block_on(bed.store.delete("a", None)).unwrap();
    assert!(bed.kv.keys("m/").is_empty());
    bed.kv.put_value("m/a", b"garbage");
    bed.put("a", b"new").unwrap();
    assert_eq!(bed.read("a").0, b"new");
}

#[test]
fn a_delete_whose_answer_was_lost_is_done() {
    let bed = Bed::new(able());
    bed.put("a", &content(10)).unwrap();
    bed.kv.once("delete", "m/", Act::LoseAnswer);
    assert_eq!(block_on(bed.store.delete("a", None)), Ok(()));
    assert!(bed.kv.keys("m/").is_empty());
}

#[test]
fn a_delete_whose_answer_was_lost_and_that_cannot_look_is_uncertain() {
    let bed = Bed::new(able());
    bed.put("a", b"content").unwrap();
    let mut lost = false;
    bed.kv.rule(move |asked| match asked.verb {
        "delete" => {
            lost = true;
            Some(Act::LoseAnswer)
        }
        _ => lost.then(unavailable),
    });
    assert!(matches!(block_on(bed.store.delete("a", None)), Err(Error::Uncertain(_))));
}

#[test]
fn a_delete_whose_answer_was_lost_does_not_delete_what_came_after() {
    let bed = Bed::new(able());
    bed.put("a", &content(10)).unwrap();
    let theirs = of_somebody_else();
    let mut lost = false;
    bed.kv.rule(move |asked| match asked.verb {
        "delete" if !lost => {
            lost = true;
            Some(Act::LoseAnswer)
        }
        "get" if lost => Some(Act::Overtake("m/a".into(), theirs.clone())),
        _ => None,
    });
    assert!(matches!(block_on(bed.store.delete("a", None)), Err(Error::Uncertain(_))));
    assert_eq!(bed.kv.asked("delete").len(), 1);
    assert_eq!(bed.kv.keys("m/").len(), 1);
}

#[test]
fn deleting_what_is_not_there_says_so() {
    let bed = Bed::new(able());
    assert_eq!(block_on(bed.store.delete("a", None)), Err(Error::NotFound));
}
