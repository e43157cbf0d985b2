//! Expiry. Where there is none, values stay: a time to live only allows the
//! platform to drop them.

use std::time::Duration;

use chunk_store::kv::{Condition, Outcome, SetOptions};

use crate::subject::Subject;

fn living(ttl_seconds: u32) -> SetOptions {
    SetOptions { ttl_seconds: Some(ttl_seconds), ..SetOptions::default() }
}

/// Waits until a value that was set to live so many seconds has ended.
async fn outlive(ttl_seconds: u32) {
    let ms = u64::from(ttl_seconds) * 1000 + 300;
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// The shortest time to live; where there is no expiry, one that does nothing.
fn shortest(subject: &Subject) -> u32 {
    subject.limits().ttl_seconds_min.unwrap_or(1)
}

pub async fn a_value_ends_after_its_time_to_live(subject: &Subject) {
    let seconds = shortest(subject);
    subject.put("staying", "").await;
    subject.put_with("longer", "", living(seconds + 3600)).await;
    subject.put_with("longest", "", living(u32::MAX)).await;
    subject.put_with("ending", "", living(seconds)).await;
    assert!(subject.entry("ending").await.is_some());
    outlive(seconds).await;
    let stays = subject.limits().ttl_seconds_min.is_none();
    assert_eq!(subject.entry("ending").await.is_some(), stays);
    for key in ["staying", "longer", "longest"] {
        assert!(subject.entry(key).await.is_some(), "{key}");
    }
    // It may be listed still; the others must be.
    let mut listed = subject.keys("", 10).await;
    listed.retain(|key| key != "ending");
    assert_eq!(listed, ["longer", "longest", "staying"]);
}

pub async fn a_short_time_to_live_is_rounded_up(subject: &Subject) {
    subject.put_with("key", "value", living(0)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(subject.value("key").await, Some("value".into()));
    outlive(shortest(subject)).await;
    let stays = subject.limits().ttl_seconds_min.is_none();
    assert_eq!(subject.entry("key").await.is_some(), stays);
}

pub async fn a_set_without_ends_the_time_to_live(subject: &Subject) {
    let seconds = shortest(subject);
    subject.put_with("key", "ending", living(seconds)).await;
    subject.put("key", "staying").await;
    outlive(seconds).await;
    assert_eq!(subject.value("key").await, Some("staying".into()));
}

pub async fn an_expired_value_is_absent(subject: &Subject) {
    let limits = subject.limits();
    let seconds = shortest(subject);
    subject.put_with("key", "ending", living(seconds)).await;
    subject.put_with("other", "ending", living(seconds)).await;
    let version = subject.entry("other").await.unwrap().version;
    outlive(seconds).await;
    if limits.ttl_seconds_min.is_none() {
        assert_eq!(subject.value("key").await, Some("ending".into()));
        assert_eq!(subject.value("other").await, Some("ending".into()));
        return;
    }
    assert_eq!(subject.value("key").await, None);
    let condition = limits.conditional_write.then_some(Condition::Absent);
    let options = SetOptions { condition, ..SetOptions::default() };
    subject.put_with("key", "next", options).await;
    assert_eq!(subject.value("key").await, Some("next".into()));
    if let Some(version) = version {
        let condition = Some(Condition::VersionIs(version));
        let deleted = subject.delete("other", condition).await;
        assert_eq!(deleted, Ok(Outcome::Stale));
    }
    subject.remove("other").await;
    assert_eq!(subject.keys("", 10).await, ["key"]);
}
