//! Uploads: what is accepted stays, two writers never mix, and a commit counts once.

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use super::sweeping::at_once;
use crate::body::{SliceSource, Source};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::Error;
use crate::kv::{KvError, KvLimits};
use crate::limits::CLOCK_MARGIN_SECONDS;
use crate::object::{Precondition, PutOptions, SweepOptions};
use crate::upload::{State, Upload};

fn record(bed: &Bed) -> Upload {
    let kv_key = bed.kv.keys("u/").pop().unwrap();
    Upload::decode(&bed.kv.values.borrow()[&kv_key].0).unwrap()
}

fn begin(bed: &Bed, options: &PutOptions) -> Result<String, Error> {
    block_on(bed.store.begin("a", options))
}

#[test]
fn appends_of_any_length_make_the_object_that_one_put_makes() {
    for lengths in [
        &[0, 1][..],
        &[300_000],
        &[65_536, 65_536, 1],
        &[1, 2, 3, 65_530, 100_000, 65_536],
        &[1000; 150],
    ] {
        let bed = Bed::new(able());
        let body = content(lengths.iter().sum());
        let name = bed.begin("a");
        let mut offset = 0;
        for length in lengths {
            let part = &body[offset..offset + length];
            let status = bed.append(&name, offset as u64, part).unwrap();
            offset += length;
            assert_eq!(status.offset, offset as u64);
            let told = block_on(bed.store.status(&name)).unwrap();
            assert_eq!(told.digest, Some(Digest::of(&body[..offset]).to_string()), "{offset}");
        }
        let info = bed.commit(&name).unwrap();
        assert_eq!(bed.read("a"), (body.clone(), Ok(())), "{lengths:?}");
        let put = bed.put("b", &body).unwrap();
        assert_eq!((info.digest, info.chunks, info.etag), (put.digest, put.chunks, put.etag));
        bed.sweep(&at_once());
        bed.assert_exact("after the commit");
    }
}

#[test]
fn an_upload_of_nothing_becomes_the_empty_object() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    assert_eq!(bed.commit(&name).unwrap().size, 0);
    assert_eq!(bed.read("a"), (Vec::new(), Ok(())));
}

/// The chunk list of an object as long as this one is moved out into pages, by
/// whichever append comes to it.
#[test]
fn long_uploads_are_paged_over_many_appends() {
    let bed = Bed::new(KvLimits { value_bytes_max: 65_536, ..able() });
    let body = content(200 * 65_536 + 5);
    let name = bed.begin("a");
    for (i, part) in body.chunks(7 * 65_536 + 9).enumerate() {
        bed.append(&name, i as u64 * (7 * 65_536 + 9), part).unwrap();
    }
    let info = bed.commit(&name).unwrap();
    assert_eq!((info.digest, info.chunks), (Digest::of(&body).to_string(), 201));
    assert!(!bed.kv.keys("x/").is_empty());
    assert_eq!(bed.read("a"), (body, Ok(())));
    bed.sweep(&at_once());
    bed.assert_exact("after the commit");
}

#[test]
fn an_append_elsewhere_is_told_where_the_upload_stands() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    for offset in [0, 99_999, 100_001, u64::MAX] {
        let refused = bed.append(&name, offset, b"x").unwrap_err();
        assert_eq!(refused, Error::OffsetMismatch(100_000));
    }
    assert_eq!(bed.offset(&name), 100_000);
}

#[test]
fn a_body_that_breaks_off_leaves_what_came_of_it() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    let body = content(400_000);
    // The kv fails from its fifth chunk on: four are there, in order.
    bed.kv.rule(|asked| {
        let refused = asked.key.starts_with("c/") && asked.key.ends_with("4");
        refused.then(|| Act::Fail(KvError::Rejected("the disk is full".into())))
    });
    assert_eq!(bed.append(&name, 0, &body), Err(Error::Denied("the disk is full".into())));
    bed.kv.rule(|_| None);
    assert_eq!(bed.offset(&name), 4 * 65_536);
    bed.append(&name, 4 * 65_536, &body[4 * 65_536..]).unwrap();
    bed.commit(&name).unwrap();
    assert_eq!(bed.read("a"), (body, Ok(())));
    bed.sweep(&at_once());
    bed.assert_exact("after the commit");
}

#[test]
fn of_two_appends_at_once_one_wins_and_nothing_is_mixed() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    let (one, other) = (vec![1; 200_000], vec![2; 200_000]);
    let results = block_on(async {
        futures::join!(
            bed.store.append(&name, 0, SliceSource::new(&one, 10_000)),
            bed.store.append(&name, 0, SliceSource::new(&other, 10_000)),
        )
    });
    let refused = |result: &Result<_, Error>| matches!(result, Err(Error::OffsetMismatch(_)));
    assert!(refused(&results.0) != refused(&results.1), "{results:?}");
    let winner = if refused(&results.0) { other } else { one };
    bed.commit(&name).unwrap();
    assert_eq!(bed.read("a"), (winner, Ok(())));
    bed.sweep(&at_once());
    bed.assert_exact("after the commit");
}

#[test]
fn what_was_announced_is_kept_to() {
    let bed = Bed::new(able());
    let body = content(150_000);
    let digest = Some(Digest::of(&body).to_string());
    let announced = PutOptions { size: Some(150_000), digest, ..chunked() };
    let name = begin(&bed, &announced).unwrap();
    bed.append(&name, 0, &body[..100_000]).unwrap();
    let short = bed.commit(&name).unwrap_err();
    assert!(matches!(&short, Error::BodyMismatch(why) if why.contains("100000 of")), "{short}");
    let long = bed.append(&name, 100_000, &content(60_000)).unwrap_err();
    assert!(matches!(&long, Error::BodyMismatch(why) if why.contains("longer")), "{long}");
    let offset = bed.offset(&name);
    assert!((100_000..=150_000).contains(&offset), "{offset}");

    // That was none of the body: what stays of it cannot become the object.
    let name = begin(&bed, &announced).unwrap();
    bed.append(&name, 0, &vec![7; 150_000]).unwrap();
    let other = bed.commit(&name).unwrap_err();
    assert!(matches!(&other, Error::BodyMismatch(why) if why.contains("digest")), "{other}");
    let name = begin(&bed, &announced).unwrap();
    bed.append(&name, 0, &body).unwrap();
    assert_eq!(bed.commit(&name).unwrap().size, 150_000);
}

#[test]
fn a_commit_counts_once_however_often_it_is_asked_for() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let info = bed.commit(&name).unwrap();
    assert_eq!(bed.commit(&name), Ok(info.clone()));
    bed.put("a", &content(70_000)).unwrap();
    assert_eq!(bed.commit(&name), Ok(info.clone()), "nothing newer is replaced");
    assert_eq!(bed.read("a"), (content(70_000), Ok(())));
    block_on(bed.store.delete("a", None)).unwrap();
    assert_eq!(bed.commit(&name), Ok(info), "and nothing comes back");
    assert_eq!(bed.read("a").1, Err(Error::NotFound));
    let full = bed.append(&name, 100_000, b"x").unwrap_err();
    assert!(matches!(full, Error::InvalidArgument(_)), "{full}");
    assert!(matches!(block_on(bed.store.abort(&name)), Err(Error::InvalidArgument(_))));
}

#[test]
fn a_commit_that_was_cut_off_is_done_by_the_next() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    bed.kv.once("set", "m/", Act::Fail(KvError::Rejected("killed".into())));
    assert!(bed.commit(&name).is_err());
    assert!(matches!(record(&bed).state, State::Sealed(_)));
    let info = bed.commit(&name).unwrap();
    assert_eq!(info.generation, record(&bed).seal().unwrap().generation.to_string());
    assert_eq!(bed.read("a"), (content(100_000), Ok(())));
}

#[test]
fn a_commit_that_was_cut_off_and_overtaken_is_uncertain() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    bed.kv.once("set", "m/", Act::Fail(KvError::Rejected("killed".into())));
    assert!(bed.commit(&name).is_err());
    bed.put("a", &content(70_000)).unwrap();
    assert!(matches!(bed.commit(&name), Err(Error::Uncertain(_))));
    assert_eq!(bed.read("a"), (content(70_000), Ok(())));
}

#[test]
fn a_commit_replaces_what_was_written_before_its_set() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let theirs = {
        let other = Bed::new(able());
        other.put_from("a", SliceSource::new(b"x", 6), &PutOptions::default()).unwrap();
        other.kv.values.borrow()["m/a"].0.to_vec()
    };
    // Between the seal and the set.
    bed.kv.once("set", "m/", Act::Overtake("m/a".into(), theirs));
    bed.commit(&name).unwrap();
    assert_eq!(bed.read("a"), (content(100_000), Ok(())));
}

#[test]
fn a_precondition_is_kept_at_the_commit_and_the_upload_stays_open() {
    let bed = Bed::new(able());
    let absent = PutOptions { precondition: Some(Precondition::Absent), ..chunked() };
    let name = begin(&bed, &absent).unwrap();
    bed.append(&name, 0, &content(100_000)).unwrap();
    bed.put("a", &content(70_000)).unwrap();
    assert!(matches!(bed.commit(&name), Err(Error::PreconditionFailed(Some(_)))));
    assert!(matches!(begin(&bed, &absent), Err(Error::PreconditionFailed(Some(_)))));
    block_on(bed.store.delete("a", None)).unwrap();
    bed.commit(&name).unwrap();
    assert_eq!(bed.read("a"), (content(100_000), Ok(())));
}

#[test]
fn an_aborted_upload_is_gone_and_so_is_what_it_held() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    block_on(bed.store.abort(&name)).unwrap();
    assert_eq!(block_on(bed.store.status(&name)), Err(Error::NotFound));
    assert_eq!(bed.commit(&name), Err(Error::NotFound));
    assert_eq!(block_on(bed.store.abort(&name)), Err(Error::NotFound));
    bed.later(3_600_000);
    bed.sweep(&SweepOptions::default());
    assert_eq!(bed.kv.keys(""), [""; 0], "without waiting for its deadline");
}

#[test]
fn after_its_deadline_an_upload_is_gone() {
    let bed = Bed::new(able());
    let name = begin(&bed, &PutOptions { deadline_seconds: Some(60), ..chunked() }).unwrap();
    bed.append(&name, 0, &content(100_000)).unwrap();
    bed.later(60_000);
    assert_eq!(bed.offset(&name), 100_000);
    bed.later(1);
    assert_eq!(block_on(bed.store.status(&name)), Err(Error::NotFound));
    assert_eq!(bed.append(&name, 100_000, b"x"), Err(Error::NotFound));
    assert_eq!(bed.commit(&name), Err(Error::NotFound));
    bed.later(1000 * CLOCK_MARGIN_SECONDS);
    bed.sweep(&SweepOptions::default());
    bed.later(3_600_000);
    bed.sweep(&SweepOptions::default());
    assert_eq!(bed.kv.keys(""), [""; 0]);
}

#[test]
fn uploads_under_way_are_listed_by_the_prefix_of_their_key() {
    let bed = Bed::new(able());
    let names: Vec<String> = ["a/1", "a/2", "b/1", "a/3", "a/4"].map(|key| bed.begin(key)).into();
    bed.append(&names[0], 0, b"some").unwrap();
    block_on(bed.store.abort(&names[3])).unwrap();
    bed.commit(&names[4]).unwrap();
    let mut listed = Vec::new();
    let mut cursor = None;
    loop {
        let page = block_on(bed.store.list_uploads("a/", cursor.as_deref(), 2)).unwrap();
        listed.extend(page.uploads);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    listed.sort_by(|a, b| a.1.key.cmp(&b.1.key));
    let told: Vec<_> = listed.iter().map(|(name, status)| (name, status.offset)).collect();
    assert_eq!(told, [(&names[0], 4), (&names[1], 0)]);
    assert!(block_on(bed.store.list_uploads("", None, 0)).is_err());
}

#[test]
fn a_name_that_is_none_is_refused() {
    let bed = Bed::new(able());
    let name = bed.begin("a");
    for wrong in ["", "x", &name[..96], &name.to_uppercase()] {
        let refused = block_on(bed.store.status(wrong)).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument(_)), "{wrong}: {refused}");
    }
    let other = Bed::new(able());
    assert_eq!(block_on(other.store.status(&name)), Err(Error::NotFound));
}

#[test]
fn an_upload_of_too_many_appends_is_refused_and_can_be_committed() {
    let bed = Bed::new(KvLimits { value_bytes_max: 65_536, ..able() });
    let name = bed.begin("a");
    let mut offset = 0;
    let refused = loop {
        // Whole chunks, so that each append keeps a segment of its own.
        match bed.append(&name, offset, &vec![3; 65_536]) {
            Ok(status) => offset = status.offset,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, Error::LimitExceeded(why) if why.contains("appends")), "{refused}");
    assert!(offset > 500 * 65_536, "{offset}");
    assert_eq!(bed.commit(&name).unwrap().size, offset);
}

#[test]
fn where_reads_can_be_stale_a_commit_waits_unless_something_vouches_for_it() {
    let stale =
        KvLimits { staleness_ms: 60_000, conditional_write: false, write_lag_ms_max: 0, ..able() };
    let bed = Bed::new(stale);
    let name = bed.begin("a");
    bed.append(&name, 0, &content(100_000)).unwrap();
    let old = bed.kv.values.borrow()[&bed.kv.keys("u/")[0]].0.clone();
    bed.append(&name, 100_000, &content(100_000)).unwrap();
    // The record as it was a while ago, until a minute has passed.
    let kv_key = bed.kv.keys("u/").pop().unwrap();
    let mut new = Some(bed.kv.values.borrow()[&kv_key].0.clone());
    bed.kv.put_value(&kv_key, &old);
    let (kv, clock, seen) = (bed.kv.clone(), bed.clock.clone(), kv_key.clone());
    let begun = clock.ms.get();
    bed.kv.rule(move |asked| {
        let now_seen = asked.key == seen && clock.ms.get() - begun >= 60_000;
        if let Some(value) = new.take_if(|_| now_seen) {
            kv.put_value(&seen, &value);
        }
        None
    });
    assert_eq!(bed.commit(&name).unwrap().size, 200_000);

    let bed = Bed::new(bed.kv.limits.clone());
    let name = begin(&bed, &PutOptions { size: Some(100_000), ..chunked() }).unwrap();
    bed.append(&name, 0, &content(100_000)).unwrap();
    bed.commit(&name).unwrap();
    assert!(bed.clock.ms.get() < 60_000, "its size vouches for it");
}

#[test]
fn where_reads_can_be_stale_a_young_upload_that_is_not_seen_may_be_seen_later() {
    let bed = Bed::new(KvLimits { staleness_ms: 60_000, conditional_write: false, ..able() });
    let name = bed.begin("a");
    bed.kv.once("get", "u/", Act::Miss);
    let unseen = block_on(bed.store.status(&name));
    assert!(matches!(unseen, Err(Error::Unavailable(_, Some(60_000)))), "{unseen:?}");
    assert_eq!(bed.offset(&name), 0);
}

#[test]
fn where_writes_land_late_one_that_was_given_up_is_outlasted() {
    let late = KvLimits { write_lag_ms_max: 60_000, conditional_write: false, ..able() };
    let bed = Bed::new(late);
    let name = bed.begin("a");
    bed.kv.once("set", "u/", Act::Hang);
    bed.append(&name, 0, &content(100_000)).unwrap();
    assert!(bed.clock.ms.get() >= 90_000, "{}", bed.clock.ms.get());
    assert_eq!(bed.offset(&name), 100_000);
}

/// The bug: `put --resume` found nothing to go on with where the store could not be read.
#[test]
fn a_list_that_cannot_be_read_is_no_empty_list() {
    let bed = Bed::new(able());
    bed.begin("a");
    let denied = || Act::Fail(KvError::Rejected("access denied".to_string()));
    bed.kv.rule(move |asked| (asked.verb == "get").then(denied));
    let listed = block_on(bed.store.list_uploads("", None, 10));
    assert!(matches!(listed, Err(Error::Denied(_))), "{listed:?}");
}

/// A body that brings a chunk every half second.
struct Slow<'a>(&'a Bed, SliceSource<'a>);

impl Source for Slow<'_> {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        self.0.clock.sleep_ms(500).await;
        self.1.read(buffer).await
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn where_operations_are_counted_invocations_share_an_upload_and_none_takes_more() {
    let limits = KvLimits { operations_max: Some(40), concurrency_max: 1, ..able() };
    let bed = Bed::new(limits.clone());
    let body = content(100 * 65_536);
    let options = PutOptions { size: Some(body.len() as u64), ..chunked() };
    let name = begin(&bed, &options).unwrap();
    let mut invocations = 0;
    while (bed.offset(&name) as usize) < body.len() {
        let offset = bed.offset(&name);
        let before = bed.kv.asked.borrow().len();
        let rest = Slow(&bed, SliceSource::new(&body[offset as usize..], 65_536));
        let appended = block_on(bed.store.append(&name, offset, rest));
        let used = bed.kv.asked.borrow().len() - before;
        assert!(used <= 40, "{used} operations");
        let whole = bed.offset(&name) as usize == body.len();
        assert!(whole || matches!(appended, Err(Error::Unavailable(..))), "{appended:?}");
        assert!(bed.offset(&name) > offset, "it comes further");
        invocations += 1;
    }
    assert!((3..=10).contains(&invocations), "{invocations}");
    assert_eq!(bed.commit(&name).unwrap().digest, Digest::of(&body).to_string());
}

// An append that ran out of operations gave up the sets under way: where bodies come faster
// than kv answers, an invocation could keep nothing of what it had paid for. Now it waits.
#[test]
fn what_is_under_way_when_operations_are_used_up_is_kept() {
    let bed = Bed::new(KvLimits { operations_max: Some(18), ..able() });
    let body = content(20 * 65_536);
    let name = begin(&bed, &PutOptions { size: Some(body.len() as u64), ..chunked() }).unwrap();
    let appended = bed.append(&name, 0, &body);
    assert!(matches!(appended, Err(Error::Unavailable(..))), "{appended:?}");
    let stored = bed.kv.keys("c/").len();
    assert!(stored > 1, "{stored} chunks are stored");
    assert_eq!(bed.offset(&name), stored as u64 * 65_536);
}
