//! A crash at every single kv operation of what uploads do: after it, going on or a
//! sweep brings the kv to exactly what the objects need, and no object is harmed.

use futures_executor::block_on;

use super::scripted::{Bed, able, chunked, content};
use super::sweeping::{Work, at_once, crashed_at};
use crate::error::Error;
use crate::key;
use crate::limits::CLOCK_MARGIN_SECONDS;
use crate::object::SweepOptions;

const OLD: usize = 90_000;
const BEFORE: usize = 100_000;
const WHOLE: usize = 300_000;

/// An object, and an upload that is to replace it, which holds its beginning.
fn bed() -> Bed {
    let bed = Bed::new(able());
    bed.put("a", &content(OLD)).unwrap();
    let name = bed.begin("a");
    bed.append(&name, 0, &content(WHOLE)[..BEFORE]).unwrap();
    bed
}

fn name(bed: &Bed) -> String {
    key::upload_name(&bed.kv.keys("u/").pop().unwrap())
}

fn append(bed: &Bed, offset: usize) -> Result<(), Error> {
    bed.append(&name(bed), offset as u64, &content(WHOLE)[offset..]).map(drop)
}

/// Goes on from wherever it stands, to the object.
fn finish(bed: &Bed, when: &str) {
    let name = name(bed);
    let status = block_on(bed.store.status(&name)).expect(when);
    if !status.sealed {
        bed.append(&name, status.offset, &content(WHOLE)[status.offset as usize..]).expect(when);
    }
    bed.commit(&name).expect(when);
    assert_eq!(bed.read("a"), (content(WHOLE), Ok(())), "{when}");
}

const WORKS: [(&str, Work); 4] = [
    ("append", |bed| drop(append(bed, BEFORE))),
    ("commit", |bed| {
        if append(bed, BEFORE).is_ok() {
            drop(bed.commit(&name(bed)));
        }
    }),
    ("abort", |bed| drop(block_on(bed.store.abort(&name(bed))))),
    ("begin", |bed| drop(block_on(bed.store.begin("a", &chunked())))),
];

/// Crashes each work at each of its operations, then does `after`.
fn each_crash(works: &[(&str, Work)], after: impl Fn(&Bed, &str)) {
    for (name, work) in works {
        let mut crashes = 0;
        loop {
            let bed = bed();
            let reached = crashed_at(&bed, crashes, work);
            after(&bed, &format!("{name}, crashed at its operation {crashes}"));
            crashes += 1;
            if !reached {
                break;
            }
        }
        assert!(crashes > 1, "{name} has more operations than {crashes}");
    }
}

#[test]
fn after_a_crash_an_append_goes_on_and_a_commit_comes_through() {
    each_crash(&WORKS[..2], |bed, when| {
        finish(bed, when);
        bed.sweep(&at_once());
        bed.assert_exact(when);
        assert_eq!(bed.read("a"), (content(WHOLE), Ok(())), "{when}");
    });
}

#[test]
fn what_was_accepted_before_a_crash_is_accepted_after_it() {
    each_crash(&WORKS[..1], |bed, when| {
        let offset = bed.offset(&name(bed)) as usize;
        assert!((BEFORE..=WHOLE).contains(&offset), "{when}");
        let chunks = bed.kv.keys("c/").len();
        // No more is sent than what did not arrive: a chunk in the worst case for each
        // set that was under way.
        assert!(offset + (chunks + 1) * 65_536 >= BEFORE, "{when}");
    });
}

#[test]
fn after_a_crash_a_sweep_leaves_what_objects_need() {
    each_crash(&WORKS, |bed, when| {
        bed.sweep(&at_once());
        bed.assert_exact(when);
        let bytes = bed.read("a").0;
        assert!(bytes == content(OLD) || bytes == content(WHOLE), "{when}");
    });
}

/// While others write, nothing of an upload goes before its deadline, all of it after.
#[test]
fn beside_writers_an_interrupted_upload_lasts_until_its_deadline() {
    each_crash(&WORKS[..1], |bed, when| {
        bed.later(23 * 3_600_000);
        bed.sweep(&SweepOptions::default());
        bed.later(3_000_000);
        bed.sweep(&SweepOptions::default());
        finish(bed, when);
        bed.later(3_600_000 + 1000 * CLOCK_MARGIN_SECONDS);
        bed.sweep(&SweepOptions::default());
        bed.later(3_600_000);
        bed.sweep(&SweepOptions::default());
        bed.assert_exact(when);
        assert_eq!(bed.read("a"), (content(WHOLE), Ok(())), "{when}");
    });
}

/// The bug: chunks were left that no record named. The cause: a sweep that was cut off while
/// it took out what an object did not list went on by the same count in the list of
/// everything, when the object had been replaced. The fix: two counts. Found by the
/// simulation.
#[test]
fn a_sweep_that_trims_and_then_deletes_leaves_nothing() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(BEFORE)).unwrap();
    bed.commit(&name).unwrap();
    bed.later(3_600_000);
    let part = SweepOptions { operations_max: Some(20), ..SweepOptions::default() };
    let mut report = bed.sweep(&part);
    assert!(report.chunks_deleted > 0 && report.cursor.is_some(), "{report:?}");
    bed.put("a", &content(OLD)).unwrap();
    bed.later(3_600_000);
    while report.cursor.is_some() {
        report = bed.sweep(&SweepOptions { cursor: report.cursor, ..part.clone() });
    }
    bed.sweep(&at_once());
    bed.assert_exact("after the object was replaced");
}
