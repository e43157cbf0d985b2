//! Listing: keys by prefix, in byte order, in pages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use chunk_store::kv::{KeyPage, KvError, SetOptions};

use crate::subject::Subject;

async fn with_awkward_keys(subject: &Subject) -> Vec<String> {
    let keys = subject.awkward_keys();
    for key in &keys {
        subject.put(key, "").await;
    }
    keys
}

pub async fn all_keys_in_byte_order(subject: &Subject) {
    let mut keys = with_awkward_keys(subject).await;
    assert_eq!(subject.keys("", 1000).await, keys);
    let gone = keys.remove(keys.len() / 2);
    subject.remove(&gone).await;
    assert_eq!(subject.keys("", 1000).await, keys);
}

pub async fn every_prefix_selects_its_keys(subject: &Subject) {
    let keys = with_awkward_keys(subject).await;
    let mut prefixes: BTreeSet<&str> = ["", "no", "a*", "[a", "zz", "c/0123", "x/", "b"].into();
    for key in &keys {
        // All the short beginnings, and some of the long ones.
        let ends = key.char_indices().map(|(at, _)| at).chain([key.len()]);
        let tried = ends.filter(|at| *at < 8 || at % 119 < 2 || *at == key.len());
        prefixes.extend(tried.map(|at| &key[..at]));
    }
    for prefix in prefixes {
        let has_prefix = |key: &&String| key.starts_with(prefix);
        let wanted: Vec<&String> = keys.iter().filter(has_prefix).collect();
        let listed = subject.keys(prefix, 1000).await;
        assert_eq!(listed.iter().collect::<Vec<_>>(), wanted, "{prefix:?}");
    }
}

pub async fn pages_of_every_size_give_the_same_keys(subject: &Subject) {
    let keys = with_awkward_keys(subject).await;
    for limit in [1, 2, 3, 7, keys.len() as u32 - 1, keys.len() as u32] {
        assert_eq!(subject.keys("", limit).await, keys, "{limit} to a page");
        let of_a: Vec<String> = keys.iter().filter(|key| key.starts_with("a/")).cloned().collect();
        assert_eq!(subject.keys("a/", limit).await, of_a, "{limit} to a page");
    }
}

pub async fn a_listing_of_nothing_is_empty(subject: &Subject) {
    let empty = Ok(KeyPage::default());
    assert_eq!(subject.list_keys("", None, 1000).await, empty);
    assert_eq!(subject.list_keys("a/b/", None, 1).await, empty);
    subject.put("a", "").await;
    for prefix in ["b", "a/", "a0", "aa", &"x".repeat(5000)] {
        assert!(subject.keys(prefix, 1).await.is_empty(), "{prefix:?}");
    }
}

pub async fn what_stands_is_listed_while_others_come_and_go(subject: &Subject) {
    let standing: Vec<String> = (0..60).map(|n| format!("l/{}/{n:02}", n / 7)).collect();
    for key in &standing {
        subject.put(key, "").await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (backend, stopped) = (Arc::clone(subject), stop.clone());
    let others = tokio::spawn(async move {
        for round in (0..50).cycle() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            // Beside the others, and in directories of their own.
            for key in [
                format!("l/{}/{round:02}+", round % 9),
                format!("l/{}+/{round}", round % 9),
                format!("l/gone/{round}/x"),
            ] {
                let set = backend.set(&key, "".into(), SetOptions::default()).await;
                set.unwrap();
                backend.delete(&key, None).await.unwrap();
            }
        }
    });
    let rewriting = (Arc::clone(subject), standing.clone(), stop.clone());
    let rewriter = tokio::spawn(async move {
        let (backend, keys, stop) = rewriting;
        for key in keys.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let set = backend.set(key, "again".into(), SetOptions::default());
            set.await.unwrap();
        }
    });
    for limit in [1, 3, 10, 1000].into_iter().cycle().take(24) {
        let mut listed = subject.keys("l/", limit).await;
        listed.retain(|key| standing.contains(key));
        assert_eq!(listed, standing, "{limit} to a page");
    }
    stop.store(true, Ordering::Relaxed);
    others.await.unwrap();
    rewriter.await.unwrap();
    subject.settle().await;
    assert_eq!(subject.keys("", 1000).await, standing);
}

pub async fn a_page_has_1_to_1000_keys(subject: &Subject) {
    for limit in [0, 1001, u32::MAX] {
        let page = subject.list_keys("", None, limit).await;
        assert!(matches!(page, Err(KvError::Rejected(_))), "{page:?}");
    }
    for limit in [1, 1000] {
        assert!(subject.list_keys("", None, limit).await.is_ok());
    }
}

pub async fn a_summary_is_listed_with_its_key(subject: &Subject) {
    let bytes_max = subject.limits().summary_bytes_max;
    let keeps = bytes_max > 0;
    let with = |summary: &'static [u8]| SetOptions {
        summary: Some(summary.into()),
        ..SetOptions::default()
    };
    let summary = async || {
        let page = subject.list_keys("", None, 10).await.unwrap();
        assert_eq!(page.keys.len(), 1);
        page.keys[0].summary.clone()
    };
    subject.put("key", "").await;
    assert_eq!(summary().await, None);
    subject.put_with("key", "", with(b"")).await;
    assert!(summary().await.is_none_or(|summary| summary.is_empty()));
    let some: &'static [u8] = if keeps { b"\0 a \xff" } else { b"" };
    let wanted = keeps.then(|| Bytes::from_static(some));
    subject.put_with("key", "", with(some)).await;
    assert_eq!(summary().await.filter(|found| !found.is_empty()), wanted);
    if keeps {
        let longest = Bytes::from(vec![7; bytes_max as usize]);
        let options = SetOptions { summary: Some(longest.clone()), ..SetOptions::default() };
        subject.put_with("key", "", options).await;
        assert_eq!(summary().await, Some(longest));
    }
    // It goes with its value.
    subject.put("key", "").await;
    assert_eq!(summary().await, None);
}
