//! Conditions hold, whoever is stopped or ended when.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use chunk_store::clock::Clock as _;
use chunk_store::kv::{Condition, Kv, KvError, Outcome, SetOptions};
use tempfile::TempDir;

use super::chance::{Chance, Task, Troubles};
use super::history::{Act, End, Event, is_possible, version};
use super::native::Native;
use crate::adapter::FileKv;
use crate::adapter::write::TOO_SLOW;

/// One in so many turns: with these, some writer is stopped or ended within a claim in most
/// histories.
const TROUBLES: Troubles = Troubles { stops: 8, ends: 150 };

const KEY: &str = "deep/key";

type History = Rc<RefCell<Vec<Event>>>;

async fn perform(kv: &FileKv<Native, Chance>, act: Act) -> End {
    let written = match act {
        Act::Get => {
            let found = kv.get(KEY, None).await.unwrap();
            return End::Found(found.map(|found| String::from_utf8(found.value.into()).unwrap()));
        }
        Act::Set(value, condition) => {
            let options = SetOptions { condition, ..SetOptions::default() };
            kv.set(KEY, value.into(), options).await
        }
        Act::Delete(condition) => kv.delete(KEY, condition).await,
    };
    match written {
        Ok(outcome) => End::Wrote(outcome),
        Err(KvError::Unavailable(why)) if why.contains(TOO_SLOW) => End::Nothing,
        Err(KvError::Unavailable(_)) => End::Unknown,
        Err(error) => panic!("{error}"),
    }
}

/// Does a few things by chance, each after the other, and notes them; what it is ended in
/// stays noted as unknown.
async fn writer(name: usize, directory: Rc<Path>, chance: Chance, history: History) {
    let kv = Native::kv(&directory, &chance);
    let mut seen: Option<String> = None;
    for number in 0..4 {
        let condition = match (chance.below(4), &seen) {
            (0, _) => None,
            (1, _) | (_, None) => Some(Condition::Absent),
            (_, Some(value)) => Some(Condition::VersionIs(version(value))),
        };
        let act = match chance.below(8) {
            0..2 => Act::Get,
            2..5 => Act::Set(format!("{name}.{number}"), condition),
            _ => Act::Delete(condition),
        };
        let begun = chance.turns();
        let event = Event { act: act.clone(), begun, ended: u64::MAX, end: End::Unknown };
        let at = history.borrow().len();
        history.borrow_mut().push(event);
        let end = perform(&kv, act.clone()).await;
        match (&end, act) {
            (End::Found(found), _) => seen = found.clone(),
            (End::Wrote(Outcome::Done), Act::Set(value, _)) => seen = Some(value),
            _ => {}
        }
        let event = &mut history.borrow_mut()[at];
        (event.ended, event.end) = (chance.turns(), end);
    }
}

/// In memory where the system has such a directory: what these runs are about is the order of
/// what happens, and waiting for a disk each time takes minutes.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn what_writers_see_could_have_happened_one_after_the_other() {
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..4000 {
        let directory = directory();
        let chance = Chance::new(seed);
        let history = History::default();
        let path: Rc<Path> = directory.path().into();
        let writers = (0..4).map(|name| {
            Box::pin(writer(name, path.clone(), chance.clone(), history.clone())) as Task
        });
        chance.run(writers.collect(), TROUBLES);
        let (last, noted) = (Native::kv(&path, &chance), history.clone());
        let begun = chance.turns();
        chance.alone(async move {
            let end = perform(&last, Act::Get).await;
            noted.borrow_mut().push(Event { act: Act::Get, begun, ended: u64::MAX, end });
        });
        let history = history.borrow();
        assert!(is_possible(&history), "seed {seed}: {history:#?}");
        for event in history.iter() {
            let end = format!("{:?}", event.end);
            *ends.entry(end.split('(').next().unwrap().into()).or_default() += 1;
        }
    }
    // They did meet: some claims were taken away, some writers never came back.
    assert!(ends["Nothing"] > 20 && ends["Unknown"] > 100, "{ends:?}");
}

#[test]
fn a_claim_of_one_who_is_gone_is_waited_for_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let chance = Chance::new(7);
    let bucket = format!("{:02x}", blake3::hash(KEY.as_bytes()).as_bytes()[0]);
    let claim = directory.path().join("claims").join(bucket);
    std::fs::create_dir_all(&claim).unwrap();
    std::fs::write(claim.join("0123"), "a value that was never named").unwrap();
    let kv = Native::kv(directory.path(), &chance);
    let begun = chance.monotonic_ns();
    chance.alone(async move {
        let set = kv.set(KEY, "value".into(), SetOptions::default()).await;
        assert_eq!(set, Ok(Outcome::Done));
    });
    let waited_ms = (chance.monotonic_ns() - begun) / 1_000_000;
    assert!((3_000..4_000).contains(&waited_ms), "{waited_ms}");
    assert_eq!(std::fs::read(directory.path().join("data/deep+/key")).unwrap(), b"value");
    assert_eq!(std::fs::read_dir(&claim).unwrap().count(), 0);
}
