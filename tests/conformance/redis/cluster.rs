//! A cluster: where keys lie, nodes that are away, slots that move.

use chunk_store::kv::{KvError, Outcome, SetOptions};
use chunk_store_tests::redis::{Cluster, Server};

use super::{LARGE, in_time, is_unavailable, open, put, refusal, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_spreads_keys_and_is_one_store() {
    let cluster = Cluster::start();
    let one_node = cluster.servers()[0].address();
    let backend = open(&format!("redis+cluster://{one_node}")).await;
    let mut keys: Vec<String> = (0..100).map(|count| format!("key/{count:03}")).collect();
    for key in &keys {
        put(&backend, key, key.clone()).await;
    }
    for server in cluster.servers() {
        let count: usize = server.cli(&["DBSIZE"]).trim().parse().unwrap();
        assert!(count > 10, "{count} keys on one of three nodes");
    }
    let page = backend.list_keys("key/", None, 1000).await.unwrap();
    let listed: Vec<String> = page.keys.into_iter().map(|listed| listed.key).collect();
    assert_eq!(listed, keys);

    let error = refusal(&format!("redis://{one_node}")).await;
    assert!(error.to_string().contains("write redis+cluster://"), "{error}");

    // One node is away, and comes back.
    let gone = &cluster.servers()[2];
    gone.kill();
    let mut lost = 0;
    for key in &keys {
        match backend.get(key, None).await {
            Ok(entry) => assert_eq!(entry.unwrap().value, *key),
            Err(KvError::Unavailable(_)) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(lost > 10, "{lost} of 100 keys are on the node that is away");
    gone.restart();
    for key in keys.drain(..) {
        let found = in_time(async || backend.get(&key, None).await.ok()).await;
        assert_eq!(found.unwrap().value, key);
        in_time(async || backend.set(&key, "again".into(), SetOptions::default()).await.ok()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_is_followed() {
    let cluster = Cluster::start();
    let [from, to, other] = cluster.servers() else { panic!("three nodes") };
    let backend = open(&format!("redis+cluster://{}", cluster.addresses())).await;
    let id = |server: &Server| server.cli(&["CLUSTER", "MYID"]).trim().to_string();
    let keys: Vec<String> = (0..64).map(|count| format!("key/{count}")).collect();
    for key in &keys {
        put(&backend, key, key.clone()).await;
    }
    // The first node gives up those of its slots that have tags, with all they hold.
    let slots: Vec<String> = "0123456789abcdef"
        .chars()
        .map(|tag| from.cli(&["CLUSTER", "KEYSLOT", &tag.to_string()]).trim().to_string())
        .filter(|slot| slot.parse::<u32>().unwrap() < 5461)
        .collect();
    assert!(!slots.is_empty());
    let port = to.port().to_string();
    for slot in &slots {
        to.cli(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(from)]);
        from.cli(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(to)]);
        let held = from.cli(&["CLUSTER", "GETKEYSINSLOT", slot, "1000"]);
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &*port, "", "0", "5000", "KEYS"];
        migrate.extend(held.lines());
        assert_eq!(from.cli(&migrate).trim(), "OK");
    }
    assert_eq!(from.cli(&["DBSIZE"]).trim(), "0");
    // On its way: the old owner sends those on who ask for what is not there any more.
    for key in &keys {
        assert_eq!(value(&backend, key).await, Some(key.clone().into()), "{key}");
        // A cluster refuses to write several keys of such a slot at once.
        let set = backend.set(key, key.clone().into(), SetOptions::default()).await;
        assert!(set == Ok(Outcome::Done) || is_unavailable(&set), "{key}: {set:?}");
    }
    // And there.
    for slot in &slots {
        for server in [to, from, other] {
            server.cli(&["CLUSTER", "SETSLOT", slot, "NODE", &id(to)]);
        }
    }
    for value in ["after it moved".to_string(), "x".repeat(LARGE)] {
        for key in &keys {
            put(&backend, key, value.clone()).await;
            assert!(self::value(&backend, key).await == Some(value.clone().into()), "{key}");
        }
    }
    let page = backend.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.keys.len(), keys.len());
    assert_eq!(from.cli(&["DBSIZE"]).trim(), "0", "nothing is left at the old place");
}
