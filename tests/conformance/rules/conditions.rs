//! Conditions: compare and swap by version.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};
use chunk_store_host::kv::Backend;

use crate::subject::Subject;

fn only_if(condition: Condition) -> SetOptions {
    SetOptions { condition: Some(condition), ..SetOptions::default() }
}

async fn set_if(
    backend: &Arc<dyn Backend>,
    key: &str,
    value: impl Into<Bytes>,
    condition: Condition,
) -> Outcome {
    let set = backend.set(key, value.into(), only_if(condition)).await;
    set.unwrap_or_else(|error| panic!("set of {key:?}: {error}"))
}

async fn version(subject: &Subject, key: &str) -> Condition {
    let entry = subject.entry(key).await.expect("the key holds a value");
    Condition::VersionIs(entry.version.expect("values have versions"))
}

/// Whether the backend has conditions; where it has none, that it says so.
async fn has_conditions(subject: &Subject) -> bool {
    if subject.limits().conditional_write {
        return true;
    }
    subject.put("unversioned", "").await;
    assert_eq!(subject.entry("unversioned").await.unwrap().version, None);
    for condition in [Condition::Absent, Condition::VersionIs("1".into())] {
        let set = subject.set("k", "".into(), only_if(condition.clone())).await;
        assert!(matches!(set, Err(KvError::Rejected(_))), "{set:?}");
        let deleted = subject.delete("k", Some(condition)).await;
        assert!(matches!(deleted, Err(KvError::Rejected(_))), "{deleted:?}");
    }
    false
}

pub async fn absent_holds_once(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    let first = set_if(subject, "key", "first", Condition::Absent).await;
    assert_eq!(first, Outcome::Done);
    let second = set_if(subject, "key", "second", Condition::Absent).await;
    assert_eq!(second, Outcome::Stale);
    assert_eq!(subject.value("key").await, Some("first".into()));
    subject.remove("key").await;
    let third = set_if(subject, "key", "third", Condition::Absent).await;
    assert_eq!(third, Outcome::Done);
}

pub async fn a_version_holds_until_the_next_write(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    subject.put("key", "1").await;
    let first = version(subject, "key").await;
    let set = set_if(subject, "key", "2", first.clone()).await;
    assert_eq!(set, Outcome::Done);
    let second = version(subject, "key").await;
    assert_eq!(set_if(subject, "key", "3", first).await, Outcome::Stale);
    assert_eq!(set_if(subject, "key", "3", second).await, Outcome::Done);
    assert_eq!(subject.value("key").await, Some("3".into()));
}

pub async fn a_lost_race_changes_nothing(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    subject.put("key", "old").await;
    let seen = version(subject, "key").await;
    subject.put("key", "new").await;
    let current = subject.entry("key").await;
    for condition in [seen.clone(), Condition::VersionIs(String::new())] {
        let set = set_if(subject, "key", "mine", condition).await;
        assert_eq!(set, Outcome::Stale);
    }
    assert_eq!(subject.entry("key").await, current);
    // Nor does a version hold of a key without a value, or of another key.
    subject.remove("key").await;
    assert_eq!(set_if(subject, "key", "mine", seen).await, Outcome::Stale);
    assert_eq!(subject.entry("key").await, None);
    assert!(subject.keys("", 10).await.is_empty());
}

pub async fn a_delete_has_conditions_too(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    subject.put("key", "1").await;
    let first = version(subject, "key").await;
    subject.put("key", "2").await;
    let second = version(subject, "key").await;
    for (condition, outcome) in [
        (first.clone(), Outcome::Stale),
        (Condition::Absent, Outcome::Stale),
        (second.clone(), Outcome::Done),
        (second, Outcome::Stale),
        (Condition::Absent, Outcome::Done),
    ] {
        let there = subject.value("key").await.is_some();
        let deleted = subject.delete("key", Some(condition.clone())).await;
        assert_eq!(deleted, Ok(outcome), "{condition:?}");
        let is_there = subject.value("key").await.is_some();
        assert_eq!(is_there, there && outcome == Outcome::Stale);
    }
}

pub async fn versions_differ_where_values_do(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    let mut seen: Vec<Condition> = Vec::new();
    for count in 0..20 {
        subject.put("key", format!("value {count}")).await;
        let current = version(subject, "key").await;
        assert_eq!(current, version(subject, "key").await, "unchanged");
        assert!(!seen.contains(&current), "{current:?} seen before");
        seen.push(current);
    }
    // Not even if it was away in between.
    subject.remove("key").await;
    subject.put("key", "another").await;
    assert!(!seen.contains(&version(subject, "key").await));
}

pub async fn one_of_many_creators_wins(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    for round in 0..10 {
        let key = format!("round/{round}");
        let creators: Vec<_> = (0..8)
            .map(|creator: u32| {
                let (backend, key) = (Arc::clone(subject), key.clone());
                tokio::spawn(async move {
                    set_if(&backend, &key, creator.to_string(), Condition::Absent).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for (creator, outcome) in creators.into_iter().enumerate() {
            if outcome.await.unwrap() == Outcome::Done {
                winners.push(creator.to_string());
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let value = subject.value(&key).await;
        assert_eq!(value, Some(winners[0].clone().into()));
    }
}

pub async fn no_increment_is_lost(subject: &Subject) {
    if !has_conditions(subject).await {
        return;
    }
    let other = subject.open_again().await;
    let writers = (0..5).map(|writer| match writer % 2 {
        0 => Arc::clone(subject),
        _ => other.clone(),
    });
    count_up(writers, 10).await;
    assert_eq!(subject.value("counter").await, Some("50".into()));
}

/// Has each writer increment the value of `counter` so many times, all at once.
pub async fn count_up(writers: impl Iterator<Item = Arc<dyn Backend>>, increments: u32) {
    let tasks: Vec<_> = writers
        .map(|backend| {
            tokio::spawn(async move {
                for _ in 0..increments {
                    while increment(&backend).await == Outcome::Stale {}
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn increment(backend: &Arc<dyn Backend>) -> Outcome {
    match backend.get("counter", None).await.unwrap() {
        None => set_if(backend, "counter", "1", Condition::Absent).await,
        Some(entry) => {
            let count: u32 = str::from_utf8(&entry.value).unwrap().parse().unwrap();
            let version = Condition::VersionIs(entry.version.unwrap());
            set_if(backend, "counter", (count + 1).to_string(), version).await
        }
    }
}
