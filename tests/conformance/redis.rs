//! What holds of the Redis backend beyond the rules: here what lies in the server.

mod cluster;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store_host::kv::{self, Backend, OpenError};
use chunk_store_tests::redis::{Server, Settings};

/// Something comes true within this, or never.
const IN_TIME: Duration = Duration::from_secs(60);

/// A size that is written in its own way.
const LARGE: usize = 300_000;

async fn open(url: &str) -> Arc<dyn Backend> {
    kv::open(url).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(url: &str) -> OpenError {
    let error = kv::open(url).await.err().expect("it must not open");
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

async fn put(backend: &Arc<dyn Backend>, key: &str, value: impl Into<Bytes>) {
    let set = backend.set(key, value.into(), SetOptions::default()).await;
    assert_eq!(set, Ok(Outcome::Done), "{key:?}");
}

async fn value(backend: &Arc<dyn Backend>, key: &str) -> Option<Bytes> {
    let got = backend.get(key, None).await;
    got.unwrap_or_else(|error| panic!("{key:?}: {error}")).map(|entry| entry.value)
}

fn living(ttl_seconds: u32) -> SetOptions {
    SetOptions { ttl_seconds: Some(ttl_seconds), ..SetOptions::default() }
}

/// How many members the sorted sets of all tags have whose names end so.
fn members(server: &Server, kind: char) -> usize {
    let counts = "0123456789abcdef".chars().map(|tag| {
        let count = server.cli(&["ZCARD", &format!("cs:{{{tag}}}:{kind}")]);
        count.trim().parse::<usize>().expect("a number")
    });
    counts.sum()
}

/// Tries until it succeeds.
async fn in_time<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(began.elapsed() < IN_TIME, "it does not come true");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_unavailable<T>(result: &Result<T, KvError>) -> bool {
    matches!(result, Err(KvError::Unavailable(_)))
}

#[tokio::test]
async fn a_value_is_written_once_and_nothing_is_scanned() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    let monitor = server.monitor();
    let large = "large value ".repeat(LARGE / 12);
    put(&backend, "c/large", large.clone()).await;
    put(&backend, "m/small", "small value").await;
    assert_eq!(value(&backend, "c/large").await, Some(large.into()));
    backend.get("c/large", Some(Span::new(5000, 9000))).await.unwrap();
    backend.list_keys("", None, 1000).await.unwrap();
    backend.delete("c/large", None).await.unwrap();
    let commands = monitor.stop();
    for command in &commands {
        for scan in ["KEYS", "SCAN", "SORT"] {
            assert!(!command.contains(&format!("\"{scan}\"")), "{command}");
        }
    }
    let large: Vec<_> = commands.iter().filter(|line| line.contains("large value")).collect();
    assert_eq!(large.len(), 1, "the server is sent a large value once, and Lua never");
    assert!(large[0].contains("\"SET\" \"cs:{"));
}

#[tokio::test]
async fn what_is_small_does_not_wait_behind_what_is_large() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    let connections = || server.cli(&["CLIENT", "LIST"]).lines().count() - 1;
    for count in 0..20 {
        put(&backend, &format!("{count}"), "small").await;
    }
    backend.list_keys("", None, 10).await.unwrap();
    assert_eq!(connections(), 1, "one is enough for what is small");
    put(&backend, "large", vec![1; LARGE]).await;
    assert_eq!(connections(), 2, "large values have another one");
    let writes = (0..8).map(|count| {
        let backend = backend.clone();
        async move { put(&backend, &format!("large/{count}"), vec![1; 10 * LARGE]).await }
    });
    futures::future::join_all(writes).await;
    assert!((3..=5).contains(&connections()), "and, many at once, a few");
}

#[tokio::test]
async fn expired_keys_leave_the_index_with_later_writes() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    for count in 0..50 {
        backend.set(&format!("ending/{count}"), "".into(), living(1)).await.unwrap();
    }
    assert_eq!(members(&server, 'i'), 50);
    in_time(async || {
        for count in 0..50 {
            put(&backend, &format!("staying/{count}"), "").await;
        }
        (members(&server, 'i') == 50 && members(&server, 'x') == 0).then_some(())
    })
    .await;
    let page = backend.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.keys.len(), 50);
    assert!(page.keys.iter().all(|listed| listed.key.starts_with("staying/")));
}

#[tokio::test]
async fn a_listing_takes_keys_without_a_value_out_of_the_index() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    put(&backend, "staying", "").await;
    for count in 0..20 {
        backend.set(&format!("ending/{count}"), "".into(), living(1)).await.unwrap();
    }
    in_time(async || value(&backend, "ending/19").await.is_none().then_some(())).await;
    let page = backend.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.keys.len(), 1, "{:?}", page.keys);
    assert_eq!((members(&server, 'i'), members(&server, 'x')), (1, 0));
}

#[tokio::test]
async fn a_key_that_is_set_anew_stays_in_the_index() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    for value in ["small".into(), "x".repeat(LARGE)] {
        backend.set("key", value.clone().into(), living(1)).await.unwrap();
        assert_eq!(members(&server, 'x'), 1);
        put(&backend, "key", value).await;
        assert_eq!((members(&server, 'i'), members(&server, 'x')), (1, 0));
    }
    backend.set("key", "".into(), living(1000)).await.unwrap();
    backend.delete("key", None).await.unwrap();
    assert_eq!((members(&server, 'i'), members(&server, 'x')), (0, 0));
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "0", "nothing is left behind");
}

#[tokio::test]
async fn a_large_value_has_conditions_and_a_time_to_live_too() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    let large = |byte: u8| Bytes::from(vec![byte; LARGE]);
    let only_if = |condition| SetOptions { condition: Some(condition), ..living(1) };
    put(&backend, "key", large(1)).await;
    let set = backend.set("key", large(2), only_if(Condition::Absent)).await;
    assert_eq!(set, Ok(Outcome::Stale));
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "2", "the value and the index, no draft");
    let version = backend.get("key", None).await.unwrap().unwrap().version.unwrap();
    let set = backend.set("key", large(3), only_if(Condition::VersionIs(version))).await;
    assert_eq!(set, Ok(Outcome::Done));
    in_time(async || value(&backend, "key").await.is_none().then_some(())).await;
}

#[tokio::test]
async fn a_span_is_behind_a_summary_of_any_length() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    let content: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    for summary_bytes in [0, 1, 1024] {
        let summary = Some(Bytes::from(vec![0xff; summary_bytes]));
        let options = SetOptions { summary, ..SetOptions::default() };
        backend.set("key", content.clone().into(), options).await.unwrap();
        for start in [0, 1, 4095, 4096, 5000, LARGE - 10] {
            for length in [0, 1, 10, 3000, 70_000] {
                let end = start + length;
                let span = Span::new(start as u64, end as u64);
                let got = backend.get("key", Some(span)).await.unwrap().unwrap().value;
                assert!(got == content[start..end.min(LARGE)], "{summary_bytes} {span:?}");
            }
        }
    }
}

#[tokio::test]
async fn databases_are_apart() {
    let server = Server::with(Settings::forgetful());
    let (zero, three) = (open(&server.url()).await, open(&format!("{}/3", server.url())).await);
    let socket = format!("redis+unix:{}?db=3", server.socket().display());
    put(&zero, "key", "zero").await;
    put(&three, "key", "three").await;
    assert_eq!(value(&zero, "key").await, Some("zero".into()));
    assert_eq!(value(&open(&socket).await, "key").await, Some("three".into()));
    let error = refusal(&format!("redis+cluster://{}", server.address())).await;
    assert!(error.to_string().contains("write redis://host"), "{error}");
    let error = refusal(&format!("{}/99", server.url())).await;
    assert!(error.to_string().contains("database"), "{error}");
}

#[tokio::test]
async fn what_others_wrote_is_not_taken_for_a_value() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    put(&backend, "key", "value").await;
    for tag in "0123456789abcdef".chars() {
        server.cli(&["SET", &format!("cs:{{{tag}}}:v:key"), "foreign"]);
    }
    let got = backend.get("key", None).await;
    let Err(KvError::Rejected(line)) = got else { panic!("{got:?}") };
    assert!(line.contains("not written by chunk-store"), "{line}");
    for tag in "0123456789abcdef".chars() {
        server.cli(&["DEL", &format!("cs:{{{tag}}}:i")]);
        server.cli(&["SET", &format!("cs:{{{tag}}}:i"), "foreign"]);
    }
    let set = backend.set("key", "".into(), SetOptions::default()).await;
    let Err(KvError::Rejected(line)) = set else { panic!("{set:?}") };
    assert!(line.contains("use another database"), "{line}");
}
