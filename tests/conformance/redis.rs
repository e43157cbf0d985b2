//! What holds of the Redis backend beyond the rules: what lies in the server, what
//! becomes of a server that fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store_host::kv::namespace::Namespaced;
use chunk_store_host::kv::{self, Backend, OpenError};
use chunk_store_tests::redis::{Cluster, Server, Settings};

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
async fn a_server_that_can_lose_values_is_warned_about() {
    let full = || Settings::default().with("maxmemory 50mb");
    for (settings, wanted) in [
        (Settings::default(), None),
        (full(), None),
        (Settings::forgetful(), Some("appendonly no")),
        (Settings::default().with("appendfsync everysec"), Some("appendfsync everysec")),
        (full().with("maxmemory-policy allkeys-lru"), Some("maxmemory-policy allkeys-lru")),
        (full().with("maxmemory-policy volatile-ttl"), Some("maxmemory-policy volatile-ttl")),
        (
            Settings::default().with("user default on nopass ~* &* +@all -config"),
            Some("CONFIG GET is refused"),
        ),
    ] {
        let server = Server::with(settings);
        let backend = open(&server.url()).await;
        let warnings = Namespaced::new(backend, "own").unwrap().warnings();
        match wanted {
            None => assert_eq!(warnings, [""; 0]),
            Some(wanted) => {
                assert_eq!(warnings.len(), 1, "{warnings:?}");
                assert!(warnings[0].contains(wanted), "{warnings:?}");
                assert!(warnings[0].contains(&server.address()), "{warnings:?}");
            }
        }
        let quiet = open(&format!("{}?durability=none", server.url())).await;
        assert_eq!(quiet.warnings(), [""; 0]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_shown() {
    let server = Server::with(Settings::forgetful().with_password("secret"));
    let backend = open(&server.url()).await;
    put(&backend, "key", "value").await;
    let address = server.address();
    for url in [format!("redis://:hidden@{address}"), format!("redis://ann:hidden@{address}")] {
        let error = refusal(&url).await;
        assert!(matches!(error, OpenError::Denied { .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains(&address) && !line.contains("hidden"), "{line}");
        assert!(line.contains("redis://user:password@host"), "{line}");
    }
    let error = refusal(&format!("redis://{address}")).await;
    assert!(matches!(error, OpenError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("redis://user:password@host"), "{error}");
}

/// The rights that `docs/redis.md` lists.
#[tokio::test]
async fn a_user_needs_few_rights() {
    const RIGHTS: &str = "~cs:* -@all +get +getrange +set +evalsha +script|load +time +ping \
        +select +zrangebylex +zrangebyscore +zadd +zrem +rename +unlink +exists +pexpireat +persist";
    let server = Server::with(
        Settings::default()
            .with(&format!("user ann on >pass {RIGHTS} +config|get +info"))
            .with(&format!("user bob on >pass {RIGHTS}"))
            .with("user eve on >pass ~cs:* -@all +get +script|load +time +ping"),
    );
    let as_user =
        async |user: &str| open(&format!("redis://{user}:pass@{}/1", server.address())).await;
    let (ann, bob) = (as_user("ann").await, as_user("bob").await);
    assert_eq!(ann.warnings(), [""; 0]);
    assert_eq!(bob.warnings().len(), 1, "it cannot be found out");
    for user in [ann, bob] {
        for bytes in [1, LARGE] {
            user.set("key", vec![1; bytes].into(), living(1000)).await.unwrap();
            put(&user, "key", vec![2; bytes]).await;
            assert!(value(&user, "key").await == Some(vec![2; bytes].into()));
        }
        user.get("key", Some(Span::new(5000, 6000))).await.unwrap();
        assert_eq!(user.list_keys("", None, 10).await.unwrap().keys.len(), 1);
        user.delete("key", None).await.unwrap();
    }
    let eve = open(&format!("redis://eve:pass@{}", server.address())).await;
    let set = eve.set("key", "".into(), SetOptions::default()).await;
    let Err(KvError::Rejected(line)) = set else { panic!("{set:?}") };
    assert!(line.contains("docs/redis.md"), "{line}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = Server::with(Settings::forgetful());
    server.kill();
    for (url, place) in [
        (server.url(), server.address()),
        (format!("redis+cluster://{}", server.address()), server.address()),
        ("redis+unix:/no/such/socket".into(), "/no/such/socket".into()),
    ] {
        let error = refusal(&url).await;
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains(&place) && line.contains("start it, or correct the URL"), "{line}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_used_again() {
    let server = Server::start();
    let backend = open(&server.url()).await;
    put(&backend, "small", "before").await;
    put(&backend, "large", vec![1; LARGE]).await;
    server.kill();
    assert!(is_unavailable(&backend.get("small", None).await));
    assert!(is_unavailable(&backend.set("small", "".into(), SetOptions::default()).await));
    assert!(is_unavailable(&backend.delete("small", None).await));
    assert!(is_unavailable(&backend.list_keys("", None, 10).await));
    server.restart();
    assert_eq!(value(&backend, "small").await, Some("before".into()));
    assert_eq!(value(&backend, "large").await, Some(vec![1; LARGE].into()));
    put(&backend, "small", "after").await;
    put(&backend, "large", vec![2; LARGE]).await;
    assert_eq!(backend.list_keys("", None, 10).await.unwrap().keys.len(), 2);
}

/// A write that is still in the server's socket when its caller has given up must not
/// land when the server goes on: somebody may have written since.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_given_up_does_nothing_later() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    for key in ["small", "large", "deleted"] {
        put(&backend, key, "before").await;
        assert_eq!(value(&backend, key).await, Some("before".into()));
    }
    server.pause();
    let options = SetOptions::default;
    let ended = tokio::join!(
        backend.set("small", "after".into(), options()),
        backend.set("large", vec![1; LARGE].into(), options()),
        backend.delete("deleted", None),
    );
    assert!(is_unavailable(&ended.0) && is_unavailable(&ended.1) && is_unavailable(&ended.2));
    server.resume();
    for _ in 0..50 {
        for key in ["small", "large", "deleted"] {
            assert_eq!(value(&backend, key).await, Some("before".into()), "{key}");
        }
    }
    let lost = server.cli(&["EVAL", "return #redis.call('KEYS', 'cs:*d:*')", "0"]);
    assert_eq!(lost.trim(), "0", "the draft is gone");
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_given_again() {
    let server = Server::with(Settings::forgetful());
    let backend = open(&server.url()).await;
    for round in ["small".to_string(), "x".repeat(LARGE)] {
        server.cli(&["SCRIPT", "FLUSH"]);
        put(&backend, "key", round.clone()).await;
        assert_eq!(value(&backend, "key").await, Some(round.into()));
    }
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

#[tokio::test]
async fn a_full_server_is_told_about_and_can_be_emptied() {
    let server = Server::with(Settings::forgetful().with("maxmemory 20mb"));
    let backend = open(&server.url()).await;
    let mut count = 0;
    let refused = loop {
        let bytes = if count % 2 == 0 { 10_000 } else { LARGE };
        let key = format!("key/{count:04}");
        let set = backend.set(&key, vec![7; bytes].into(), SetOptions::default()).await;
        match set {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    let KvError::Rejected(line) = refused else { panic!("{refused:?}") };
    assert!(line.contains("raise its maxmemory or delete something"), "{line}");
    assert!(count > 10);
    let page = backend.list_keys("", None, 1000).await.unwrap();
    assert_eq!(page.keys.len(), count, "a write that was refused leaves nothing");
    for listed in page.keys {
        backend.delete(&listed.key, None).await.unwrap();
    }
    put(&backend, "key", vec![7; LARGE]).await;
}

#[tokio::test]
async fn a_connection_by_tls_is_verified() {
    let server = Server::with(Settings::forgetful().with_password("secret").with_tls());
    let trusting = format!("{}?ca={}", server.url(), server.certificate().display());
    let backend = open(&trusting).await;
    put(&backend, "small", "value").await;
    put(&backend, "large", vec![1; LARGE]).await;
    assert_eq!(value(&backend, "small").await, Some("value".into()));
    assert_eq!(value(&backend, "large").await, Some(vec![1; LARGE].into()));
    let error = refusal(&server.url()).await;
    assert!(matches!(error, OpenError::Denied { .. }), "{error}");
    let line = error.to_string();
    assert!(line.contains("?ca=FILE") && !line.contains("secret"), "{line}");
}

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
