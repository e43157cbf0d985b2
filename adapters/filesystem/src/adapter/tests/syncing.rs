//! What is brought to disk, and when.

use std::rc::Rc;

use chunk_store::kv::{Condition, Kv, Outcome, SetOptions};

use super::chance::Chance;
use super::native::Native;
use crate::adapter::FileKv;

fn durable() -> SetOptions {
    SetOptions { durable: true, ..SetOptions::default() }
}

/// Runs it alone on an empty store that was written before; gives what was brought to disk
/// and what was named, temporary names but for their kind left out.
fn log_of(calls: impl AsyncFnOnce(&FileKv<Native, Chance>) + 'static) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let chance = Chance::new(1);
    let kv = Native::kv(directory.path(), &chance);
    let log = Rc::new(std::cell::RefCell::new(Vec::new()));
    let told = log.clone();
    chance.alone(async move {
        kv.set("first", "".into(), durable()).await.unwrap();
        kv.files.log.borrow_mut().clear();
        calls(&kv).await;
        *told.borrow_mut() = kv.files.log.borrow().clone();
    });
    let log = log.borrow();
    let log = log.iter().filter(|line| !line.contains("claims/"));
    log.map(|line| match line.strip_prefix("sync ") {
        Some(name) if name.len() == 32 => "sync a value".to_string(),
        _ => line.clone(),
    })
    .collect()
}

#[test]
fn a_value_that_need_not_be_durable_is_only_named() {
    let log = log_of(async |kv| {
        kv.set("a/b", "1".into(), SetOptions::default()).await.unwrap();
    });
    assert_eq!(log, ["rename to data/a+/b"]);
}

#[test]
fn one_that_replaces_another_is_on_disk_before_it_is_named() {
    let log = log_of(async |kv| {
        kv.set("first", "1".into(), SetOptions::default()).await.unwrap();
    });
    assert_eq!(log, ["sync a value", "rename to data/first"]);
}

#[test]
fn a_durable_one_is_named_after_all_that_came_before_it_is_on_disk() {
    let log = log_of(async |kv| {
        kv.set("c/1", "1".into(), SetOptions::default()).await.unwrap();
        kv.set("c/2", "2".into(), SetOptions::default()).await.unwrap();
        kv.set("m/a", "3".into(), durable()).await.unwrap();
    });
    let wanted = [
        "rename to data/c+/1",
        "rename to data/c+/2",
        "sync a value",
        "sync a value",
        "sync directory data",
        "sync directory data/c+",
        "sync a value",
        "rename to data/m+/a",
        "sync directory data/m+",
        "sync directory data",
    ];
    assert_eq!(log, wanted);
}

#[test]
fn what_waits_is_bounded() {
    let log = log_of(async |kv| {
        for count in 0..200 {
            kv.set(&format!("c/{count}"), "".into(), SetOptions::default()).await.unwrap();
        }
    });
    let synced = log.iter().filter(|line| *line == "sync a value").count();
    assert_eq!(synced, 200 - 64);
}

#[test]
fn a_conditional_delete_is_durable() {
    let log = log_of(async |kv| {
        let version = kv.get("first", None).await.unwrap().unwrap().version.unwrap();
        let deleted = kv.delete("first", Some(Condition::VersionIs(version))).await;
        assert_eq!(deleted, Ok(Outcome::Done));
    });
    assert_eq!(log.last().unwrap(), "sync directory data");
}
