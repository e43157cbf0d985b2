//! Many operations at once on one instance, in memory that does not grow with them.

use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_host::kv::MEMORY_BYTES_MAX_DEFAULT;
use chunk_store_tests::body::Body;
use chunk_store_tests::digest;
use chunk_store_tests::random::{Random, bytes};
use futures::future::join_all;

use crate::subject::Subject;

/// What one instance may have, whatever it does: three times its buffers. It begins with
/// less than twice as much, and in a crowd may find no gap for a large buffer.
const GUEST_BYTES_MAX: usize = 3 * MEMORY_BYTES_MAX_DEFAULT as usize;

const MIB: u64 = 1 << 20;

fn assert_little_memory(on: &Subject) {
    let used = on.guest_memory_bytes();
    assert!(used > 0 && used < GUEST_BYTES_MAX, "the guest has had {used} bytes");
}

pub async fn puts_and_gets_at_once_are_right_in_little_memory(on: &Subject) {
    let mut random = Random::new(32);
    let contents: Vec<Vec<u8>> = (0..32).map(|seed| bytes(seed, random.below(6 * MIB))).collect();
    for (index, content) in contents.iter().enumerate() {
        if index % 2 == 0 {
            on.put_bytes(&format!("before {index}"), content).await;
        }
    }
    join_all(contents.iter().enumerate().map(async |(index, content)| {
        // Puts and gets take turns, so that each kind meets the other.
        if index % 2 == 0 {
            assert!(on.read(&format!("before {index}")).await == *content);
        }
        let key = format!("during {index}");
        let body = Body::of(content.clone()).in_pieces_of(100_000);
        let size = (index % 3 == 0).then_some(content.len() as u64);
        let options = PutOptions { size, ..PutOptions::default() };
        let info = on.put(&key, body, options).await.unwrap();
        assert_eq!(info.digest, digest(content));
        assert!(on.read(&key).await == *content, "{key}");
    }))
    .await;
    assert_eq!(on.keys().await.len(), 48);
    assert_little_memory(on);
}

pub async fn an_object_is_relayed_under_another_key(on: &Subject) {
    let content = bytes(81, 100 * MIB);
    let info = on.put_bytes("from", &content).await;
    for size in [None, Some(info.size)] {
        let reader = on.get("from", GetOptions::default()).await.unwrap();
        let options = PutOptions { size, ..PutOptions::default() };
        let relayed = on.put("to", reader, options).await.unwrap();
        assert_eq!((relayed.size, &relayed.digest), (info.size, &info.digest));
    }
    assert!(on.read("to").await == content);
    assert_little_memory(on);
}

pub async fn readers_dropped_in_the_middle_take_nothing_along(on: &Subject) {
    let content = bytes(82, 20 * MIB);
    on.put_bytes("object", &content).await;
    // Together they hold many times the memory there is, were it not given back.
    for pieces in 0..40 {
        let mut reader = on.get("object", GetOptions::default()).await.unwrap();
        for _ in 0..pieces % 4 {
            reader.next().await.unwrap().unwrap();
        }
    }
    assert!(on.read("object").await == content);
    on.put_bytes("other", &content).await;
    assert!(on.read("other").await == content);
    assert_little_memory(on);
}
