//! Servers that refuse, fail, come back, or may lose what they acknowledged.

use chunk_store::kv::{KvError, SetOptions};
use chunk_store::range::Span;
use chunk_store_host::kv::namespace::Namespaced;
use chunk_store_host::kv::{Backend, OpenError};
use chunk_store_tests::redis::{Server, Settings};

use super::{LARGE, is_unavailable, living, open, put, refusal, value};

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
