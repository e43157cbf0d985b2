//! What a sweep deletes, what it leaves, and when.

use std::collections::BTreeSet;

use futures_executor::block_on;

use super::scripted::{Act, Bed, able, chunked, content};
use crate::body::SliceSource;
use crate::error::Error;
use crate::key::{self, Id};
use crate::kv::{KvError, KvLimits};
use crate::limits::CLOCK_MARGIN_SECONDS;
use crate::manifest::{Place, codec};
use crate::object::{PutOptions, SweepOptions, SweepReport};
use crate::segment::Segment;

const HOUR_MS: u64 = 3_600_000;

/// Everything at once, while nothing else happens.
pub fn at_once() -> SweepOptions {
    SweepOptions { grace_seconds: 0, no_writers: true, ..SweepOptions::default() }
}

impl Bed {
    pub fn sweep(&self, options: &SweepOptions) -> SweepReport {
        block_on(self.store.sweep(options)).unwrap()
    }

    pub fn later(&self, ms: u64) {
        self.clock.ms.set(self.clock.ms.get() + ms);
    }

    fn record(&self) -> Segment {
        let kv_key = self.kv.keys("w/").pop().unwrap();
        Segment::decode(&self.kv.values.borrow()[&kv_key].0).unwrap()
    }

    /// The keys that the objects which can be seen need, and no others.
    fn needed(&self) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        for kv_key in self.kv.keys("m/") {
            let value = self.kv.values.borrow()[&kv_key].0.clone();
            let (manifest, _) = codec::decode_manifest(&value).unwrap();
            needed.insert(kv_key);
            needed.extend(manifest.segments.iter().map(|id| key::segment(*id)));
            let mut lists = vec![(0, manifest.nodes.clone())];
            while let Some((mut offset, nodes)) = lists.pop() {
                for node in nodes {
                    match node.place {
                        Place::Chunk { segment, number } => {
                            needed.insert(key::chunk(segment, number));
                        }
                        Place::Page { segment, number, .. } => {
                            let page = key::page(segment, number);
                            let value = self.kv.values.borrow()[&page].0.clone();
                            let segments = &manifest.segments;
                            let below = codec::decode_page(&value, &node, offset, segments);
                            lists.push((offset, below.unwrap()));
                            needed.insert(page);
                        }
                    }
                    offset += node.length;
                }
            }
        }
        needed
    }

    pub fn assert_exact(&self, when: &str) {
        let there: BTreeSet<String> = self.kv.keys("").into_iter().collect();
        assert_eq!(there, self.needed(), "{when}");
    }
}

#[test]
fn what_objects_need_is_kept() {
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    bed.put_from("b", SliceSource::new(b"inline", 6), &PutOptions::default()).unwrap();
    let before = bed.kv.keys("");
    for options in [SweepOptions::default(), at_once()] {
        bed.later(48 * HOUR_MS);
        let report = bed.sweep(&options);
        assert_eq!(report, SweepReport { segments_examined: 1, ..SweepReport::default() });
    }
    assert_eq!(bed.kv.keys(""), before);
    assert_eq!(bed.read("a"), (content(200_000), Ok(())));
}

#[test]
fn replaced_and_deleted_content_goes_after_its_grace_and_not_before() {
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    bed.put("a", &content(100_000)).unwrap();
    bed.put("b", &content(200_000)).unwrap();
    block_on(bed.store.delete("b", None)).unwrap();
    bed.later(HOUR_MS - 2);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_deleted, 0);
    bed.later(10);
    let report = bed.sweep(&SweepOptions::default());
    assert_eq!((report.segments_examined, report.segments_deleted), (3, 2));
    bed.assert_exact("after the grace");
    assert_eq!(bed.read("a"), (content(100_000), Ok(())));
}

#[test]
fn the_grace_is_never_shorter_than_staleness_write_lag_and_clocks_demand() {
    let limits = KvLimits { staleness_ms: 60_000, write_lag_ms_max: 30_000, ..able() };
    let bed = Bed::new(limits);
    bed.put("a", &content(200_000)).unwrap();
    bed.put("a", &content(100_000)).unwrap();
    bed.later(59_000);
    assert_eq!(bed.sweep(&at_once()).segments_deleted, 0, "reads may be stale");
    let hurried = SweepOptions { no_writers: false, ..at_once() };
    bed.later(31_000 + 1000 * CLOCK_MARGIN_SECONDS - 1_000);
    assert_eq!(bed.sweep(&hurried).segments_deleted, 0, "clocks may differ");
    bed.later(2_000);
    assert_eq!(bed.sweep(&hurried).segments_deleted, 1);
    bed.put("a", &content(200_000)).unwrap();
    bed.later(61_000);
    assert_eq!(bed.sweep(&at_once()).segments_deleted, 1, "nothing lands late, nobody is early");
}

#[test]
fn a_write_under_way_is_left_alone_until_its_deadline_is_over_for_certain() {
    let bed = Bed::new(able());
    let options = PutOptions { deadline_seconds: Some(60), ..chunked() };
    // As if its process had been killed: the chunks are there, and nothing tells of it.
    bed.kv.rule(|asked| {
        let dead = asked.key.starts_with("m/") || asked.key.starts_with("w/") && !asked.durable;
        dead.then(|| Act::Fail(KvError::Rejected("killed".into())))
    });
    let body = content(200_000);
    assert!(bed.put_from("a", SliceSource::new(&body, 10_000), &options).is_err());
    bed.kv.rule(|_| None);
    assert!(!bed.kv.keys("c/").is_empty() && bed.record().condemned_at.is_none());

    bed.later(1000 * (60 + CLOCK_MARGIN_SECONDS) - 1000);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_condemned, 0);
    bed.later(2000);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_condemned, 1);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_deleted, 0, "its grace runs");
    bed.later(HOUR_MS);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_deleted, 1);
    assert_eq!(bed.kv.keys(""), [""; 0]);
}

#[test]
fn a_writer_past_its_deadline_writes_no_more_chunks() {
    let bed = Bed::new(able());
    let clock = bed.clock.clone();
    bed.kv.rule(move |asked| {
        if asked.verb == "set" && asked.key.ends_with("/00000001") {
            clock.ms.set(clock.ms.get() + 61_000);
        }
        None
    });
    let options = PutOptions { deadline_seconds: Some(60), ..chunked() };
    let body = content(2_000_000);
    let error = bed.put_from("a", SliceSource::new(&body, 10_000), &options).unwrap_err();
    assert!(matches!(error, Error::Unavailable(..)), "{error}");
    assert!(bed.kv.keys("c/").len() < 10, "of 31");
}

#[test]
fn a_live_segment_that_was_condemned_gets_its_grace_back() {
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    let kv_key = bed.kv.keys("w/").pop().unwrap();
    let mistaken = Segment { condemned_at: Some(1), ..bed.record() };
    bed.kv.put_value(&kv_key, &mistaken.encode());
    bed.sweep(&SweepOptions::default());
    assert_eq!(bed.record().condemned_at, None);
    bed.assert_exact("nothing goes");
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let bed = Bed::new(KvLimits { ttl_seconds_min: None, ..able() });
    bed.put("a", &content(200_000)).unwrap();
    bed.put("a", &content(100_000)).unwrap();
    let short = PutOptions { ttl_seconds: Some(60), ..chunked() };
    bed.put_from("short", SliceSource::new(&content(200_000), 10_000), &short).unwrap();
    bed.later(61_000);
    let values = bed.kv.values.borrow().clone();
    let told = bed.sweep(&SweepOptions { dry_run: true, ..at_once() });
    assert_eq!(*bed.kv.values.borrow(), values);
    let done = bed.sweep(&at_once());
    assert_eq!(told.segments_deleted, done.segments_deleted);
    assert_eq!(done.segments_deleted, 2);
    assert_eq!((told.objects_expired, done.objects_expired), (1, 1));
}

#[test]
fn a_sweep_of_few_operations_at_a_time_comes_to_the_same_end() {
    let bed = Bed::new(able());
    // Longer than one call may delete.
    for size in [65_536 * 100, 100_000, 200_000] {
        bed.put("a", &content(size)).unwrap();
        bed.put("b", &content(size)).unwrap();
    }
    block_on(bed.store.delete("b", None)).unwrap();
    let (mut sum, mut calls) = (SweepReport::default(), 0);
    loop {
        let before = bed.kv.asked.borrow().len();
        let cursor = sum.cursor.take();
        sum.add(bed.sweep(&SweepOptions { operations_max: Some(16), cursor, ..at_once() }));
        calls += 1;
        assert!(bed.kv.asked.borrow().len() - before <= 16);
        if sum.cursor.is_none() {
            break;
        }
        assert!(calls < 1000, "it comes nowhere: {sum:?}");
    }
    assert!(calls > 10);
    assert_eq!((sum.segments_examined, sum.segments_deleted), (6, 5));
    bed.assert_exact("in parts");
}

#[test]
fn a_cursor_into_a_segment_that_is_gone_skips_nothing_of_the_next() {
    let bed = Bed::new(able());
    for _ in 0..3 {
        bed.put("a", &content(65_536 * 20)).unwrap();
    }
    let part = SweepOptions { operations_max: Some(20), ..at_once() };
    let cursor = bed.sweep(&part).cursor;
    assert!(cursor.as_ref().is_some_and(|cursor| !cursor.contains("\"deleted\":0")), "{cursor:?}");
    // Another sweep comes first; and there is more to do behind.
    bed.sweep(&at_once());
    bed.put("a", &content(65_536 * 20)).unwrap();
    bed.sweep(&SweepOptions { cursor, ..at_once() });
    bed.sweep(&at_once());
    bed.assert_exact("with an old cursor");
}

#[test]
fn expired_objects_go_where_the_platform_does_not_drop_them() {
    let bed = Bed::new(KvLimits { ttl_seconds_min: None, ..able() });
    let short = PutOptions { ttl_seconds: Some(60), ..chunked() };
    let body = content(200_000);
    bed.put_from("short", SliceSource::new(&body, 10_000), &short).unwrap();
    let inline = PutOptions { ttl_seconds: Some(60), ..PutOptions::default() };
    bed.put_from("inline", SliceSource::new(b"x", 1), &inline).unwrap();
    bed.put("long", &content(200_000)).unwrap();
    bed.later(61_000);
    assert_eq!(bed.sweep(&SweepOptions::default()).objects_expired, 0, "clocks may differ");
    assert_eq!(bed.sweep(&at_once()).objects_expired, 2);
    assert_eq!(bed.kv.keys("m/"), ["m/long"]);
    bed.assert_exact("after expiry");
}

#[test]
fn content_of_an_expired_object_waits_for_its_grace_and_no_deadline() {
    let bed = Bed::new(KvLimits { ttl_seconds_min: None, ..able() });
    let short = PutOptions { ttl_seconds: Some(60), ..chunked() };
    bed.put_from("short", SliceSource::new(&content(200_000), 10_000), &short).unwrap();
    bed.later(60_000 + 1000 * CLOCK_MARGIN_SECONDS + 1);
    assert_eq!(bed.sweep(&SweepOptions::default()).objects_expired, 1);
    assert!(!bed.kv.keys("c/").is_empty());
    bed.later(HOUR_MS);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_deleted, 1);
    assert_eq!(bed.kv.keys(""), [""; 0]);
}

#[test]
fn where_objects_expire_by_themselves_none_is_looked_for() {
    for (ttl_seconds_min, prefixes) in [(None, &["u/", "m/", "w/"][..]), (Some(1), &["u/", "w/"])] {
        let bed = Bed::new(KvLimits { ttl_seconds_min, ..able() });
        bed.put("a", &content(200_000)).unwrap();
        bed.sweep(&SweepOptions::default());
        assert_eq!(bed.kv.asked("list"), prefixes);
    }
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    bed.kv.damage("m/a");
    bed.kv.put_value("w/0000000000000000000000000000000f", b"of a later version");
    bed.kv.put_value("w/garbage", b"");
    let before = bed.kv.keys("");
    bed.later(48 * HOUR_MS);
    let report = bed.sweep(&at_once());
    assert_eq!((report.segments_condemned, report.segments_deleted), (0, 0));
    assert_eq!(bed.kv.keys(""), before);
}

#[test]
fn a_miss_is_never_probed_for_where_misses_are_remembered() {
    let bed = Bed::new(KvLimits { staleness_ms: 60_000, conditional_write: false, ..able() });
    bed.put("a", &content(200_000)).unwrap();
    bed.kv.remove("m/a");
    bed.kv.asked.borrow_mut().clear();
    bed.sweep(&at_once());
    assert!(!bed.kv.asked("get").contains(&"m/a".to_string()));
    assert!(bed.kv.asked("list").contains(&"m/a".to_string()));
}

#[test]
fn bad_options_are_refused() {
    let bed = Bed::new(able());
    for options in [
        SweepOptions { cursor: Some("x".into()), ..at_once() },
        SweepOptions { operations_max: Some(15), ..at_once() },
    ] {
        let refused = block_on(bed.store.sweep(&options));
        assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
    }
}

/// Runs `work` on a store that dies at its kv operation number `at`, counted from 0:
/// nothing that comes after it takes effect. Gives whether it came that far.
pub fn crashed_at(bed: &Bed, at: usize, work: impl FnOnce(&Bed)) -> bool {
    let begun = bed.kv.asked.borrow().len();
    let mut count = 0;
    bed.kv.rule(move |_| {
        count += 1;
        (count > at).then(|| Act::Fail(KvError::Rejected("the process was killed".into())))
    });
    work(bed);
    let reached = bed.kv.asked.borrow().len() - begun > at;
    bed.kv.rule(|_| None);
    reached
}

pub type Work = fn(&Bed);

/// Every operation that writes, and every kv operation of each: after a crash there,
/// the object is the old one or the new one, and a sweep leaves exactly what it needs.
#[test]
fn a_crash_at_every_operation_leaves_nothing_behind_after_a_sweep() {
    let put: Work = |bed| drop(bed.put("a", &content(200_000)));
    let delete: Work = |bed| drop(block_on(bed.store.delete("a", None)));
    let failing: Work = |bed| {
        let short = PutOptions { size: Some(300_000), ..chunked() };
        drop(bed.put_from("a", SliceSource::new(&content(200_000), 10_000), &short));
    };
    let sweep: Work = |bed| drop(block_on(bed.store.sweep(&at_once())));
    for (name, work) in
        [("put", put), ("delete", delete), ("failing put", failing), ("sweep", sweep)]
    {
        let mut crashes = 0;
        loop {
            let bed = Bed::new(able());
            bed.put("a", &content(100_000)).unwrap();
            bed.put("a", &content(150_000)).unwrap();
            let reached = crashed_at(&bed, crashes, work);
            let when = format!("{name}, crashed at its operation {crashes}");
            let bytes = match bed.read("a") {
                (bytes, Ok(())) => Some(bytes),
                (_, Err(Error::NotFound)) => None,
                (_, Err(error)) => panic!("{when}: {error}"),
            };
            let old_or_new = [Some(content(150_000)), Some(content(200_000)), None];
            assert!(old_or_new.contains(&bytes), "{when}");
            bed.sweep(&at_once());
            bed.assert_exact(&when);
            crashes += 1;
            if !reached {
                break;
            }
        }
        assert!(crashes > 2, "{name} has more operations than {crashes}");
    }
}

#[test]
fn two_sweeps_at_once_harm_nothing() {
    let bed = Bed::new(able());
    for size in [300_000, 200_000, 100_000] {
        bed.put("a", &content(size)).unwrap();
        bed.put("b", &content(size)).unwrap();
    }
    let options = at_once();
    let (one, other) =
        block_on(async { futures::join!(bed.store.sweep(&options), bed.store.sweep(&options)) });
    assert!(one.unwrap().segments_deleted + other.unwrap().segments_deleted >= 4);
    bed.sweep(&at_once());
    bed.assert_exact("after two sweeps");
    assert_eq!(bed.read("b"), (content(100_000), Ok(())));
}

#[test]
fn an_upload_keeps_its_segments_for_as_long_as_it_can_be_committed() {
    use crate::upload::{State, StoredOptions, Upload};
    let bed = Bed::new(able());
    bed.put("a", &content(200_000)).unwrap();
    let value = bed.kv.values.borrow()["m/a"].0.clone();
    let (manifest, _) = codec::decode_manifest(&value).unwrap();
    bed.kv.remove("m/a");
    let id = Id(7);
    let now = 1_790_000_000_000 + bed.clock.ms.get();
    let upload = Upload {
        key: "a".into(),
        upload: id,
        options: StoredOptions::default(),
        started: now,
        deadline: now + HOUR_MS,
        offset: 200_000,
        segments: manifest.segments.clone(),
        nodes: manifest.nodes.clone(),
        state: State::Open,
    };
    let upload_key = key::upload("a", id);
    bed.kv.put_value(&upload_key, &upload.encode());
    let kv_key = bed.kv.keys("w/").pop().unwrap();
    let record = Segment { upload: Some(id), deadline: 0, ..bed.record() };
    bed.kv.put_value(&kv_key, &record.encode());

    let report = bed.sweep(&SweepOptions::default());
    assert_eq!((report.segments_condemned, report.uploads_deleted), (0, 0));
    bed.later(HOUR_MS + 1000 * CLOCK_MARGIN_SECONDS + 1);
    let report = bed.sweep(&SweepOptions::default());
    assert_eq!((report.segments_condemned, report.uploads_deleted), (1, 1));
    bed.later(HOUR_MS);
    assert_eq!(bed.sweep(&SweepOptions::default()).segments_deleted, 1);
    assert_eq!(bed.kv.keys(""), [""; 0]);

    let aborted = Upload { state: State::Aborted, deadline: u64::MAX, ..upload };
    bed.kv.put_value(&upload_key, &aborted.encode());
    assert_eq!(bed.sweep(&SweepOptions::default()).uploads_deleted, 1);
}
