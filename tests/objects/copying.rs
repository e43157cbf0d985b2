//! Copying from one store to another: what is asked of both, and what becomes of
//! objects that change, or stores that fail, meanwhile.

mod hooked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::kv::{KvError, SetOptions};
use chunk_store::object::{GetOptions, ListOptions, PutOptions};
use chunk_store_host::copy::{
    Copies, CopyError, CopyOptions, CopyOutcome, OBJECTS_AT_ONCE, REFUSED_IN_A_ROW_MAX, Side,
};
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::{ChunkStore, Config, Error};
use chunk_store_tests::body::Body;
use chunk_store_tests::random::bytes;

use self::hooked::{Call, Hooked, key_of, now};
use crate::subject::{in_time, read_to_end};

fn memory() -> Arc<MemoryBackend> {
    Arc::new(MemoryBackend::new())
}

fn store(backend: &Arc<MemoryBackend>) -> ChunkStore {
    ChunkStore::new(backend.clone()).unwrap()
}

async fn put(store: &ChunkStore, key: &str, content: impl Into<Bytes>) {
    store.put(key, Body::of(content), PutOptions::default()).await.unwrap();
}

async fn read(store: &ChunkStore, key: &str) -> Vec<u8> {
    read_to_end(store.get(key, GetOptions::default()).await.unwrap()).await.unwrap()
}

/// What became of each object, and why the copy ended before the last.
async fn finish(mut copies: Copies) -> (BTreeMap<String, CopyOutcome>, Option<CopyError>) {
    in_time(async {
        let mut outcomes = BTreeMap::new();
        let mut error = None;
        while let Some(item) = copies.next().await {
            assert_eq!(error, None, "an error is the last item");
            match item {
                Ok(report) => {
                    let before = outcomes.insert(report.key, report.outcome);
                    assert_eq!(before, None, "an object is reported once");
                }
                Err(why) => error = Some(why),
            }
        }
        let at = copies.progress();
        assert_eq!((at.bytes_done, at.found_all || error.is_some()), (sent(&outcomes), true));
        assert_eq!(at.objects_done, outcomes.len() as u64);
        (outcomes, error)
    })
    .await
}

fn sent(outcomes: &BTreeMap<String, CopyOutcome>) -> u64 {
    let bytes = outcomes.values().map(|outcome| match outcome {
        CopyOutcome::Copied { info, .. } => info.size,
        _ => 0,
    });
    bytes.sum()
}

/// Copies everything, which has to work; what became of each object.
async fn copy(from: &ChunkStore, to: &ChunkStore) -> BTreeMap<String, CopyOutcome> {
    let (outcomes, error) = finish(from.copy_to(to, CopyOptions::default())).await;
    assert_eq!(error, None);
    outcomes
}

#[track_caller]
fn only(outcomes: BTreeMap<String, CopyOutcome>) -> CopyOutcome {
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.into_values().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_listings_are_merged_across_pages() {
    let (source, destination) = (store(&memory()), store(&memory()));
    for number in 0..2500_u32 {
        let (key, other) = (format!("{number:04}"), format!("{number:04} of its own"));
        if number.is_multiple_of(2) {
            put(&source, &key, key.clone()).await;
        }
        if number.is_multiple_of(3) {
            let content = if number.is_multiple_of(5) { "another" } else { &key }.to_string();
            put(&destination, &key, content).await;
            put(&destination, &other, other.clone()).await;
        }
    }
    let outcomes = copy(&source, &destination).await;
    assert_eq!(outcomes.len(), 1250);
    for (key, outcome) in outcomes {
        let number: u32 = key.parse().unwrap();
        let expected = match outcome {
            CopyOutcome::AlreadyThere(_) => number.is_multiple_of(3) && !number.is_multiple_of(5),
            CopyOutcome::Copied { replaced: true, .. } => number.is_multiple_of(15),
            CopyOutcome::Copied { replaced: false, .. } => !number.is_multiple_of(3),
            _ => false,
        };
        assert!(expected && number.is_multiple_of(2), "{key}: {outcome:?}");
        assert_eq!(read(&destination, &key).await, key.as_bytes());
    }
    assert_eq!(read(&destination, "0015").await, b"another", "it is not at the source");
    assert_eq!(read(&destination, "0015 of its own").await, b"0015 of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_listings_tell_all_nothing_more_is_asked_of_the_destination() {
    let (source, below) = (store(&memory()), memory());
    for key in ["a", "b", "c"] {
        put(&source, key, key).await;
    }
    copy(&source, &store(&below)).await;
    let destination = Hooked::over(&below).store(|call, _| match call {
        Call::List(_) => Ok(()),
        call => panic!("{call:?}"),
    });
    let outcomes = copy(&source, &destination).await;
    assert!(outcomes.values().all(|outcome| matches!(outcome, CopyOutcome::AlreadyThere(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_reads_can_be_stale_no_missing_key_is_probed() {
    let (source, below) = (store(&memory()), memory());
    put(&source, "small", "content").await;
    put(&source, "large", bytes(111, 3 << 20)).await;
    let mut hooked = Hooked::over(&below);
    hooked.limits.staleness_ms = 60_000;
    hooked.limits.conditional_write = false;
    let destination = hooked.store(|call, _| match call {
        Call::Get(key, _) => panic!("{key} was probed"),
        _ => Ok(()),
    });
    assert_eq!(copy(&source, &destination).await.len(), 2);
    assert_eq!(read(&store(&below), "large").await, bytes(111, 3 << 20));
}

/// An object in two versions, the old one in place.
struct Versions {
    below: Arc<MemoryBackend>,
    manifests: [Bytes; 2],
    old_chunks: Vec<String>,
}

const OLD: (u64, u64) = (112, 3 << 20);
const NEW: (u64, u64) = (113, 2 << 20);

impl Versions {
    async fn new() -> Self {
        let below = memory();
        let store = store(&below);
        let manifest = || now(below.get("m/object", None)).unwrap().unwrap().value;
        put(&store, "object", bytes(OLD.0, OLD.1)).await;
        let old = manifest();
        let page = now(below.list_keys("c/", None, 1000)).unwrap();
        let old_chunks = page.keys.into_iter().map(|listed| listed.key).collect();
        put(&store, "object", bytes(NEW.0, NEW.1)).await;
        let manifests = [old, manifest()];
        place(&below, &manifests[0]);
        Self { below, manifests, old_chunks }
    }
}

fn place(below: &MemoryBackend, manifest: &Bytes) {
    now(below.set("m/object", manifest.clone(), SetOptions::default())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_while_it_is_read_is_read_again() {
    let Versions { below, manifests, old_chunks } = Versions::new().await;
    let replaced = AtomicBool::new(false);
    // Replaced and swept away in the middle of it.
    let source = Hooked::over(&below).store(move |call, below| {
        if matches!(call, Call::Get(key, _) if *key == old_chunks[3])
            && !replaced.swap(true, SeqCst)
        {
            place(below, &manifests[1]);
            for chunk in &old_chunks {
                now(below.delete(chunk, None)).unwrap();
            }
        }
        Ok(())
    });
    let destination = store(&memory());
    let outcome = only(copy(&source, &destination).await);
    assert!(matches!(outcome, CopyOutcome::Copied { .. }), "{outcome:?}");
    assert!(read(&destination, "object").await == bytes(NEW.0, NEW.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_again_and_again_is_given_up() {
    let Versions { below, manifests, .. } = Versions::new().await;
    for chunk in now(below.list_keys("c/", None, 1000)).unwrap().keys {
        now(below.delete(&chunk.key, None)).unwrap();
    }
    let opened = Arc::new(AtomicU32::new(0));
    let seen = Arc::new(AtomicU32::new(0));
    let count = opened.clone();
    let source = Hooked::over(&below).store(move |call, below| {
        match call {
            Call::Get("m/object", None) => {
                opened.fetch_add(1, SeqCst);
            }
            Call::Get(key, _) if key.starts_with("c/") => {
                let number = opened.load(SeqCst);
                if seen.swap(number, SeqCst) != number {
                    place(below, &manifests[number as usize % 2]);
                }
            }
            _ => {}
        }
        Ok(())
    });
    let outcome = only(copy(&source, &store(&memory())).await);
    let replaced = CopyError { side: Side::Source, error: Error::Store(StoreError::Replaced) };
    assert_eq!(outcome, CopyOutcome::Failed(replaced));
    assert_eq!(count.load(SeqCst), 4, "it was tried a few times");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_deleted_before_its_turn_is_gone() {
    let below = memory();
    put(&store(&below), "object", "content").await;
    let source = Hooked::over(&below).store(|call, below| {
        if matches!(call, Call::Get("m/object", None)) {
            now(below.delete("m/object", None)).unwrap();
        }
        Ok(())
    });
    let destination = store(&memory());
    assert_eq!(only(copy(&source, &destination).await), CopyOutcome::Gone);
    let missing = destination.head("object", None).await;
    assert_eq!(missing, Err(Error::Store(StoreError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_may_have_landed_is_looked_for() {
    let (source, below) = (store(&memory()), memory());
    put(&source, "object", "content").await;
    let mut hooked = Hooked::over(&below);
    // Without conditional writes the store does not look by itself.
    hooked.limits.conditional_write = false;
    let destination = hooked.store(|call, below| match call {
        Call::Set("m/object", value) => {
            place(below, value);
            Err(KvError::Unavailable("the answer was lost".into()))
        }
        _ => Ok(()),
    });
    let outcome = only(copy(&source, &destination).await);
    assert!(matches!(outcome, CopyOutcome::AlreadyThere(_)), "{outcome:?}");
    assert_eq!(read(&store(&below), "object").await, b"content");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appears_at_the_destination_meanwhile_is_kept_if_so_asked() {
    let [source, other, below] = [memory(), memory(), memory()];
    put(&store(&source), "object", bytes(114, 1 << 20)).await;
    put(&store(&other), "object", "of somebody else").await;
    let theirs = now(other.get("m/object", None)).unwrap().unwrap().value;
    let destination = Hooked::over(&below).store(move |call, below| {
        if matches!(call, Call::Set(key, _) if key.starts_with("c/")) {
            place(below, &theirs);
        }
        Ok(())
    });
    let options = CopyOptions { keep_existing: true, ..CopyOptions::default() };
    let (outcomes, error) = finish(store(&source).copy_to(&destination, options)).await;
    assert_eq!((only(outcomes), error), (CopyOutcome::Kept, None));
    assert_eq!(read(&store(&below), "object").await, b"of somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_takes_nothing_ends_the_copy() {
    let source = store(&memory());
    for number in 0..200 {
        put(&source, &format!("{number:03}"), "content").await;
    }
    let full = |call: Call<'_>, _: &MemoryBackend| match call {
        Call::Set(..) => Err(KvError::Rejected("the disk is full".into())),
        _ => Ok(()),
    };
    let destination = Hooked::over(&memory()).store(full);
    let (outcomes, error) = finish(source.copy_to(&destination, CopyOptions::default())).await;
    let denied = Error::Store(StoreError::Denied("the disk is full".into()));
    let denied = CopyError { side: Side::Destination, error: denied };
    assert_eq!(error, Some(denied.clone()));
    assert!(outcomes.values().all(|outcome| *outcome == CopyOutcome::Failed(denied.clone())));
    let at_most = REFUSED_IN_A_ROW_MAX as usize + OBJECTS_AT_ONCE;
    assert!((REFUSED_IN_A_ROW_MAX as usize..at_most).contains(&outcomes.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_the_source_refuses_do_not_keep_the_others() {
    let below = memory();
    for number in 0..100 {
        put(&store(&below), &format!("{number:03}"), "content").await;
    }
    let source = Hooked::over(&below).store(|call, _| match call {
        Call::Get(key, None) if key_of(key) < "050" => Err(KvError::Rejected("no access".into())),
        _ => Ok(()),
    });
    let destination = store(&memory());
    let outcomes = copy(&source, &destination).await;
    assert_eq!(outcomes.len(), 100);
    for (key, outcome) in outcomes {
        match outcome {
            CopyOutcome::Copied { .. } => assert!(*key >= *"050", "{key}"),
            CopyOutcome::Failed(error) => {
                assert!(*key < *"050" && error.side == Side::Source, "{key}: {error}");
            }
            outcome => panic!("{key}: {outcome:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_cannot_be_listed_ends_the_copy() {
    let below = memory();
    put(&store(&below), "object", "content").await;
    let refuse = |call: Call<'_>, _: &MemoryBackend| match call {
        Call::List(_) => Err(KvError::Rejected("no listing".into())),
        _ => Ok(()),
    };
    let refused = Hooked::over(&below).store(refuse);
    for (from, to, side) in
        [(&refused, &store(&memory()), Side::Source), (&store(&below), &refused, Side::Destination)]
    {
        let (outcomes, error) = finish(from.copy_to(to, CopyOptions::default())).await;
        assert!(outcomes.is_empty());
        let error = error.unwrap();
        assert_eq!((error.side, error.to_string()), (side, format!("{side}: no listing")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_in_the_middle_ends_the_copy_behind_what_was_listed() {
    let below = memory();
    for number in 0..1500 {
        put(&store(&below), &format!("{number:04}"), "content").await;
    }
    let source = Hooked::over(&below).store(|call, _| match call {
        Call::List(Some(_)) => Err(KvError::Rejected("no listing".into())),
        _ => Ok(()),
    });
    let destination = store(&memory());
    let (outcomes, error) = finish(source.copy_to(&destination, CopyOptions::default())).await;
    assert_eq!((outcomes.len(), error.unwrap().side), (1000, Side::Source));
    assert!(outcomes.values().all(|outcome| matches!(outcome, CopyOutcome::Copied { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_objects_share_the_memory_of_both_sides() {
    let [source, destination] = [(); 2].map(|()| {
        let backend = MemoryBackend::new().with_memory_bytes_max(4 << 20);
        ChunkStore::new(Arc::new(backend)).unwrap()
    });
    for number in 0..60_u64 {
        let size = if number.is_multiple_of(6) { 12 << 20 } else { 100_000 + number };
        put(&source, &format!("{number:02}"), bytes(number, size)).await;
    }
    let outcomes = copy(&source, &destination).await;
    assert_eq!(outcomes.len(), 60);
    for (key, outcome) in outcomes {
        assert!(matches!(outcome, CopyOutcome::Copied { .. }), "{key}: {outcome:?}");
    }
    for store in [&source, &destination] {
        assert!(store.guest_memory_bytes() <= 16 << 20, "{}", store.guest_memory_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_go_two_at_a_time() {
    let [from, to] = [memory(), memory()];
    for number in 0..8 {
        put(&store(&from), &format!("{number}"), bytes(number, 9 << 20)).await;
    }
    let (open, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (opened, peak) = (open.clone(), most.clone());
    let source = Hooked::over(&from).store(move |call, _| {
        if matches!(call, Call::Get(key, None) if key.starts_with("m/")) {
            peak.fetch_max(opened.fetch_add(1, SeqCst) + 1, SeqCst);
        }
        Ok(())
    });
    let destination = Hooked::over(&to).store(move |call, _| {
        if matches!(call, Call::Set(key, _) if key.starts_with("m/")) {
            open.fetch_sub(1, SeqCst);
        }
        Ok(())
    });
    assert_eq!(copy(&source, &destination).await.len(), 8);
    assert!((1..=2).contains(&most.load(SeqCst)), "{most:?} at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_traps_the_destination_does_not_keep_the_others() {
    let source = store(&memory());
    put(&source, "0 large", bytes(115, 64 << 20)).await;
    for number in 0..100 {
        put(&source, &format!("{number:03}"), "content").await;
    }
    // Enough for small objects, too little for chunks of 4 MiB.
    let cramped = Config { guest_memory_bytes_max: 4 << 20, ..Config::default() };
    let destination = ChunkStore::with_config(memory(), &cramped).unwrap();
    let mut outcomes = copy(&source, &destination).await;
    let large = outcomes.remove("0 large").unwrap();
    let CopyOutcome::Failed(error) = large else { panic!("{large:?}") };
    assert!(error.side == Side::Destination && matches!(error.error, Error::Trap(_)), "{error}");
    assert_eq!(outcomes.len(), 100);
    for (key, outcome) in outcomes {
        assert!(matches!(outcome, CopyOutcome::Copied { .. }), "{key}: {outcome:?}");
    }
    let options = ListOptions { limit: 1000, ..ListOptions::default() };
    assert_eq!(destination.list(options).await.unwrap().objects.len(), 100);
}
