//! Sweeps beside readers and a writer, all at once, each with a store (so an instance) of
//! its own as processes have: no reader fails, nothing is lost, and there is always
//! something to sweep.
//!
//! `CHUNK_STORE_LOAD_SECONDS=N` goes on for so long in place of a few seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use chunk_store::limits::GRACE_SECONDS_DEFAULT;
use chunk_store::object::{GetOptions, PutOptions, SweepOptions};
use chunk_store::segment::Segment;
use chunk_store_host::kv::{self, Backend};
use chunk_store_host::{Body, ChunkStore};
use chunk_store_tests::needed::{assert_exact, keys_there};
use chunk_store_tests::random::{Random, bytes};
use tokio::io::AsyncReadExt;

const SECONDS: u64 = 10;
const READERS: u64 = 10;
const KEYS: u64 = 8;

/// Inline, some chunks, many.
const SIZES: [u64; 3] = [10_000, 900_000, 5_000_000];

/// The one content of a key at a version of it.
fn content(key: u64, version: u64) -> Vec<u8> {
    let seed = key << 32 | version;
    bytes(seed, SIZES[(seed % 3) as usize] + version % 1000)
}

struct Load {
    url: String,
    until: Instant,
    reads: AtomicU64,
    writes: AtomicU64,
    swept: AtomicU64,
}

impl Load {
    async fn store(&self) -> ChunkStore {
        ChunkStore::new(kv::open(&self.url).await.unwrap()).unwrap()
    }

    fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    async fn put(&self, store: &ChunkStore, key: u64, version: u64) {
        let body = std::io::Cursor::new(content(key, version));
        let metadata = vec![("version".to_string(), version.to_string())];
        let options =
            PutOptions { metadata, chunk_bytes_max: Some(64 << 10), ..PutOptions::default() };
        store.put(&key.to_string(), Body::blocking(body), options).await.unwrap();
        self.writes.fetch_add(1, Relaxed);
    }

    async fn write(&self) {
        let store = self.store().await;
        for version in 1.. {
            for key in 0..KEYS {
                if self.is_over() {
                    return;
                }
                self.put(&store, key, version).await;
            }
        }
    }

    async fn read(&self, reader: u64) {
        let store = self.store().await;
        let mut random = Random::new(reader);
        while !self.is_over() {
            let key = random.below(KEYS);
            let mut object = store.get(&key.to_string(), GetOptions::default()).await.unwrap();
            let version: u64 = object.info().metadata[0].1.parse().unwrap();
            let mut read = Vec::new();
            object.read_to_end(&mut read).await.expect("no reader fails");
            assert!(read == content(key, version), "{key} at version {version}");
            self.reads.fetch_add(1, Relaxed);
        }
    }

    async fn sweep(&self, operations_max: u32) {
        let store = self.store().await;
        let mut cursor = None;
        while !self.is_over() {
            let operations_max = Some(operations_max);
            let options = SweepOptions { operations_max, cursor, ..SweepOptions::default() };
            let report = store.sweep(options).await.unwrap();
            self.swept.fetch_add(report.chunks_deleted, Relaxed);
            cursor = report.cursor;
        }
    }

    /// Makes what was condemned more than a few seconds ago old enough to go, as hours
    /// would: readers of this test take less.
    async fn age(&self) {
        let kv = kv::open(&self.url).await.unwrap();
        while !self.is_over() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let there = keys_there(&*kv).await;
            for key in there.iter().filter(|key| key.starts_with("w/")) {
                age_one(&*kv, key).await;
            }
        }
    }
}

async fn age_one(kv: &dyn Backend, key: &str) {
    const SECOND_MS: u64 = 1000;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let Some(entry) = kv.get(key, None).await.unwrap() else { return };
    let record = Segment::decode(&entry.value).unwrap();
    let Some(condemned_at) = record.condemned_at.filter(|at| at + 4 * SECOND_MS < now) else {
        return;
    };
    let grace_ms = SECOND_MS * u64::from(GRACE_SECONDS_DEFAULT);
    let aged = Segment { condemned_at: Some(condemned_at - 2 * grace_ms), ..record };
    let options = chunk_store::kv::SetOptions {
        condition: entry.version.map(chunk_store::kv::Condition::VersionIs),
        ..Default::default()
    };
    // Lost to a sweep that has changed it meanwhile: as well.
    kv.set(key, aged.encode().into(), options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweeps_beside_a_writer_and_ten_readers() {
    let seconds = std::env::var("CHUNK_STORE_LOAD_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let directory = chunk_store_tests::scratch();
    let load = Arc::new(Load {
        url: format!("file:{}?sync=none", directory.path().display()),
        until: Instant::now() + Duration::from_secs(seconds),
        reads: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        swept: AtomicU64::new(0),
    });
    let store = load.store().await;
    for key in 0..KEYS {
        load.put(&store, key, 0).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for reader in 0..READERS {
        let load = load.clone();
        tasks.spawn(async move { load.read(reader).await });
    }
    // One that goes through a segment in many calls, and one that does all in one.
    for operations_max in [32, 2000] {
        let load = load.clone();
        tasks.spawn(async move { load.sweep(operations_max).await });
    }
    let (writer, ager) = (load.clone(), load.clone());
    tasks.spawn(async move { writer.write().await });
    tasks.spawn(async move { ager.age().await });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let [reads, writes, swept] = [&load.reads, &load.writes, &load.swept].map(|n| n.load(Relaxed));
    println!("{seconds} s: {reads} reads, {writes} writes, {swept} chunks deleted meanwhile");
    assert!(reads > READERS && writes > KEYS && swept > 0, "{reads}, {writes}, {swept}");

    let options = SweepOptions { grace_seconds: 0, no_writers: true, ..SweepOptions::default() };
    store.sweep(options).await.unwrap();
    let kv = kv::open(&load.url).await.unwrap();
    assert!(assert_exact(&*kv).await as u64 > KEYS);
    for key in 0..KEYS {
        let report = store.verify(&key.to_string()).await.unwrap();
        assert_eq!(report.problems, [""; 0]);
    }
}
