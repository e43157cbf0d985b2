//! What holds of the adapter over `spin:key-value` beyond the rules: what it makes of Spin's
//! errors and of its environment, and that it keeps out of its own way.

use std::sync::Arc;

use chunk_store::kv::{KvError, Outcome, SetOptions};
use chunk_store_host::kv::Backend;
use chunk_store_tests::spin::{App, GUARANTEED, OWN};

use crate::subject::spin_adapter;

async fn set(adapter: &dyn Backend, key: &str, value: &str) -> Result<Outcome, KvError> {
    adapter.set(key, value.to_string().into(), SetOptions::default()).await
}

fn rejected(refused: Result<Outcome, KvError>) -> String {
    match refused {
        Err(KvError::Rejected(line)) if !line.contains('\n') => line,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_value_is_stored_by_its_key_and_as_it_is() {
    let app = App::new(GUARANTEED);
    let adapter = spin_adapter(&app, &[]).await;
    set(&adapter, "m/films/a.mp4", "bytes").await.unwrap();
    let stored: Vec<_> = app.values().clone().into_iter().collect();
    assert_eq!(stored, [("m/films/a.mp4".to_string(), b"bytes".to_vec())]);
}

#[tokio::test]
async fn a_store_that_the_component_may_not_open_is_told_of() {
    let app = App::new(GUARANTEED);
    let adapter = spin_adapter(&app, &[("CHUNK_STORE_KV_STORE", "films")]).await;
    let line = rejected(set(&adapter, "a", "").await);
    assert!(line.contains("\"films\": list it in key_value_stores of spin.toml"), "{line}");
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_told_of_by_every_operation() {
    let app = App::new(GUARANTEED);
    let adapter = spin_adapter(&app, &[("CHUNK_STORE_KV_VALUE_BYTES_MAX", "1MB")]).await;
    let listed = adapter.list_keys("", None, 1).await.map(|_| Outcome::Done);
    for refused in [set(&adapter, "a", "").await, adapter.delete("a", None).await, listed] {
        let line = rejected(refused);
        assert!(line.contains("CHUNK_STORE_KV_VALUE_BYTES_MAX is \"1MB\""), "{line}");
    }
    assert_eq!(app.opened(), 0);
}

#[tokio::test]
async fn settings_are_limits() {
    let settings = [
        ("CHUNK_STORE_KV_VALUE_BYTES_MAX", "4000000"),
        ("CHUNK_STORE_KV_KEY_BYTES_MAX", "8192"),
        ("CHUNK_STORE_KV_STALENESS_MS", "60000"),
    ];
    let limits = spin_adapter(&App::new(OWN), &settings).await.limits();
    assert_eq!((limits.value_bytes_max, limits.key_bytes_max), (4_000_000, 8192));
    assert_eq!(limits.staleness_ms, 60_000);
    assert!(!limits.conditional_write && !limits.ranged_get);
    assert_eq!((limits.ttl_seconds_min, limits.summary_bytes_max), (None, 0));
}

#[tokio::test]
async fn what_spin_refuses_for_a_reason_of_its_own_may_be_tried_again() {
    let app = App::new(GUARANTEED);
    let adapter = spin_adapter(&app, &[("CHUNK_STORE_KV_VALUE_BYTES_MAX", "2000000")]).await;
    let refused = set(&adapter, "a", &"x".repeat(1_500_000)).await;
    let why = KvError::Unavailable("Spin says: the value is too large".into());
    assert_eq!(refused, Err(why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_is_opened_once_for_an_instance() {
    let app = App::new(OWN);
    let adapter = Arc::new(spin_adapter(&app, &[]).await);
    let sets = (0..300).map(|number| {
        let adapter = adapter.clone();
        tokio::spawn(async move { set(&*adapter, &number.to_string(), "").await })
    });
    for set in sets.collect::<Vec<_>>() {
        set.await.unwrap().unwrap();
    }
    assert_eq!((app.opened(), app.values().len()), (1, 300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operations_of_an_instance_wait_for_its_listings() {
    let app = App::new(OWN);
    let adapter = Arc::new(spin_adapter(&app, &[]).await);
    let other = spin_adapter(&app, &[]).await;
    for number in 0..100 {
        set(&other, &format!("k/{number:03}"), "").await.unwrap();
    }
    // The host fails what comes in the middle of a listing.
    let works = (0..40).map(|number| {
        let adapter = adapter.clone();
        tokio::spawn(async move {
            match number % 4 {
                0 => adapter.list_keys("k/", None, 1000).await.map(|page| page.keys.len()),
                1 => set(&*adapter, "other", "value").await.map(|_| 100),
                2 => adapter.get("k/050", None).await.map(|entry| entry.map_or(0, |_| 100)),
                _ => adapter.delete("another", None).await.map(|_| 100),
            }
        })
    });
    for work in works.collect::<Vec<_>>() {
        assert_eq!(work.await.unwrap(), Ok(100));
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_no_listing() {
    let app = App::new(GUARANTEED);
    let adapter = spin_adapter(&app, &[]).await;
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        set(&adapter, key, "").await.unwrap();
    }
    app.break_off_listings(true);
    let why = KvError::Unavailable("Spin says: the listing broke off".into());
    assert_eq!(adapter.list_keys("", None, 1000).await, Err(why));
    app.break_off_listings(false);
    assert_eq!(adapter.list_keys("", None, 1000).await.unwrap().keys.len(), 7);
}
