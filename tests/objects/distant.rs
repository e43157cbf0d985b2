//! A real Redis that is 20 ms away: enough is kept under way, within memory. How fast that
//! makes it is measured by `cargo xtask bench distant`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunk_store_host::{ChunkStore, kv};
use chunk_store_tests::counted::Counted;
use chunk_store_tests::digest;
use chunk_store_tests::proxy::Proxy;
use chunk_store_tests::random::bytes;
use chunk_store_tests::redis::{Server, Settings};

use crate::subject::{comes_back, in_time};

const BYTES: u64 = 300_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_far_away_has_enough_under_way() {
    in_time(async {
        let server = Server::with(Settings::forgetful());
        let proxy = Proxy::before(server.address(), Duration::from_millis(20)).await;
        let redis = kv::open(&format!("redis://{}", proxy.address())).await.unwrap();
        let counted = Arc::new(Counted::new(redis, None));
        let store = ChunkStore::new(counted.clone()).unwrap();
        let content = Bytes::from(bytes(7, BYTES));
        let info = comes_back(&store, &content, true).await;
        assert_eq!((info.size, info.digest), (BYTES, digest(&content)));
        let (sets, gets) = (counted.sets_most(), counted.gets_most());
        assert!(sets >= 8, "{sets} sets at once, at most");
        assert!(gets >= 6, "{gets} gets at once, at most");
        let metrics = store.metrics().await.unwrap();
        let value = |name| metrics.value(name, &[]);
        let peak = value("chunk_store_buffer_peak_bytes");
        assert!(peak <= value("chunk_store_buffer_limit_bytes"), "{peak} bytes of chunks");
        assert!(store.guest_memory_bytes() < 33 << 20, "{}", store.guest_memory_bytes());
    })
    .await;
}
