//! What the rules are tried on: a backend, empty at first, and how to open it again.

mod adapters;

use std::any::Any;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use chunk_store::kv::{Entry, Outcome, SetOptions};
use chunk_store_host::kv::fault::{FaultyBackend, Plan};
use chunk_store_host::kv::file::{Durability, FileBackend, FileOptions};
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::kv::namespace::Namespaced;
use chunk_store_host::kv::{self, Backend};
use chunk_store_tests::redis::{Cluster, Server};
use chunk_store_tests::workers::{NAMESPACES, Workerd};
use futures::future::BoxFuture;

pub use self::adapters::*;

type Open = Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Backend>> + Send + Sync>;

/// A backend under test. It is removed with all it stores when this is dropped.
pub struct Subject {
    backend: Arc<dyn Backend>,
    open: Open,
    /// What it lies in, a directory or a server.
    _place: Option<Box<dyn Any + Send + Sync>>,
}

pub async fn memory() -> Subject {
    Subject::lasting(Arc::new(MemoryBackend::new()))
}

pub async fn memory_namespaced() -> Subject {
    let shared: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let own = Namespaced::new(shared.clone(), "own").unwrap();
    // Neighbours on both sides, which no rule may ever see.
    for key in ["n/owm/z", "n/own", "n/own-/a", "n/own0/a", "n/owo/a"] {
        let set = shared.set(key, "not yours".into(), SetOptions::default());
        set.await.unwrap();
    }
    Subject::lasting(Arc::new(own))
}

pub async fn file() -> Subject {
    in_directory(FileOptions::default()).await
}

pub async fn file_without_sync() -> Subject {
    in_directory(FileOptions { durability: Durability::None, ..FileOptions::default() }).await
}

/// As on a file system that has no extended attributes.
pub async fn file_without_attributes() -> Subject {
    in_directory(FileOptions { attributes: false, ..FileOptions::default() }).await
}

/// Behind faults of which none happens: what stands between changes nothing.
pub async fn redis_behind_faults() -> Subject {
    let Subject { open, _place, .. } = redis().await;
    let open: Open = Box::new(move || {
        let opened = open();
        Box::pin(async move { Arc::new(faultless(opened.await)) as Arc<dyn Backend> })
    });
    Subject { backend: open().await, open, _place }
}

pub async fn memory_behind_faults() -> Subject {
    Subject::lasting(Arc::new(faultless(MemoryBackend::new())))
}

pub async fn file_behind_faults() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().into();
    let open: Open = Box::new(move || {
        let path = path.clone();
        Box::pin(async move {
            let backend = FileBackend::open(path, FileOptions::default()).await.unwrap();
            Arc::new(faultless(backend)) as Arc<dyn Backend>
        })
    });
    Subject { backend: open().await, open, _place: Some(Box::new(directory)) }
}

fn faultless<B: Backend>(backend: B) -> FaultyBackend<B> {
    let limits = backend.limits();
    FaultyBackend::new(backend, limits, Plan::default(), 0)
}

async fn in_directory(options: FileOptions) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().into();
    let open: Open = Box::new(move || Box::pin(open_directory(path.clone(), options.clone())));
    Subject { backend: open().await, open, _place: Some(Box::new(directory)) }
}

pub async fn redis() -> Subject {
    let server = redis_server();
    on_server(server.url(), server).await
}

pub async fn redis_unix() -> Subject {
    let server = redis_server();
    on_server(format!("redis+unix:{}", server.socket().display()), server).await
}

pub async fn redis_cluster() -> Subject {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let cluster = shared(&SHARED, Cluster::start);
    on_server(format!("redis+cluster://{}", cluster.addresses()), cluster).await
}

/// Workers KV in workerd: a namespace that nobody has had before.
pub async fn workers() -> Subject {
    static SHARED: Mutex<Weak<Workerd>> = Mutex::new(Weak::new());
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let workerd = tokio::task::spawn_blocking(|| shared(&SHARED, Workerd::start));
    let workerd = workerd.await.expect("workerd starts");
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!((number as usize) < NAMESPACES, "there are no more namespaces");
    Subject::lasting(Arc::new(workerd.namespace(&format!("KV{number}")).await))
}

fn redis_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    shared(&SHARED, Server::start)
}

/// What runs for all tests that need it at the time. It ends with the last of them: what
/// is kept for ever is not ended with the process.
fn shared<T>(running: &Mutex<Weak<T>>, start: impl Fn() -> T) -> Arc<T> {
    // A test that could not start it has failed; the next one tries again.
    let mut running = running.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    running.upgrade().unwrap_or_else(|| {
        let started = Arc::new(start());
        *running = Arc::downgrade(&started);
        started
    })
}

/// A namespace of its own on a server that others use too.
async fn on_server(url: String, server: Arc<impl Any + Send + Sync>) -> Subject {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    let open: Open = Box::new(move || Box::pin(open_namespace(url.clone(), name.clone())));
    Subject { backend: open().await, open, _place: Some(Box::new(server)) }
}

async fn open_namespace(url: String, name: String) -> Arc<dyn Backend> {
    let backend = kv::open(&url).await.unwrap_or_else(|error| panic!("{error}"));
    Arc::new(Namespaced::new(backend, &name).unwrap())
}

async fn open_directory(path: impl AsRef<Path>, options: FileOptions) -> Arc<dyn Backend> {
    Arc::new(FileBackend::open(path, options).await.unwrap())
}

impl Deref for Subject {
    type Target = Arc<dyn Backend>;

    fn deref(&self) -> &Arc<dyn Backend> {
        &self.backend
    }
}

impl Subject {
    /// One that keeps its values for as long as it is there: opening it again gives
    /// another handle.
    fn lasting(backend: Arc<dyn Backend>) -> Self {
        let again = backend.clone();
        Self {
            backend,
            open: Box::new(move || {
                let again = again.clone();
                Box::pin(async move { again })
            }),
            _place: None,
        }
    }

    /// The same store, opened once more.
    pub async fn open_again(&self) -> Arc<dyn Backend> {
        (self.open)().await
    }

    /// [`awkward_keys`] that are not too long here.
    pub fn awkward_keys(&self) -> Vec<String> {
        let bytes_max = self.limits().key_bytes_max as usize;
        awkward_keys().into_iter().filter(|key| key.len() <= bytes_max).collect()
    }

    /// Waits until writes can be read, and the same keys written again.
    pub async fn settle(&self) {
        let limits = self.limits();
        let ms = limits.staleness_ms.max(limits.rewrite_interval_ms);
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
    }

    pub async fn put(&self, key: &str, value: impl Into<Bytes>) {
        self.put_with(key, value, SetOptions::default()).await;
    }

    pub async fn put_with(&self, key: &str, value: impl Into<Bytes>, options: SetOptions) {
        let set = self.set(key, value.into(), options).await;
        assert_eq!(set, Ok(Outcome::Done), "set of {key:?}");
        self.settle().await;
    }

    pub async fn remove(&self, key: &str) {
        let deleted = self.delete(key, None).await;
        assert_eq!(deleted, Ok(Outcome::Done), "delete of {key:?}");
        self.settle().await;
    }

    pub async fn entry(&self, key: &str) -> Option<Entry> {
        match self.get(key, None).await {
            Ok(entry) => entry,
            Err(error) => panic!("get of {key:?}: {error}"),
        }
    }

    pub async fn value(&self, key: &str) -> Option<Bytes> {
        self.entry(key).await.map(|entry| entry.value)
    }

    /// All keys with the prefix, read in pages of at most `limit`.
    pub async fn keys(&self, prefix: &str, limit: u32) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        let mut cursor = None;
        // More pages than keys may be needed, but not without end.
        for _ in 0..10_000 {
            let page = self.list_keys(prefix, cursor.as_deref(), limit).await;
            let page = page.unwrap_or_else(|error| panic!("listing {prefix:?}: {error}"));
            assert!(page.keys.len() <= limit as usize);
            for listed in page.keys {
                assert!(listed.key.starts_with(prefix), "{:?}", listed.key);
                if let Some(last) = keys.last() {
                    assert!(*last < listed.key, "{last:?} before {:?}", listed.key);
                }
                keys.push(listed.key);
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return keys;
            }
        }
        panic!("the listing of {prefix:?} has no end");
    }
}

/// Keys of every legal kind, in byte order, each once, none over 512 bytes.
pub fn awkward_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "a/b/c",
        "a/b//",
        "a.",
        "a0",
        "a+",
        "a+/b",
        "a%",
        "a%/b",
        "a%2B",
        "/",
        "//",
        "/a",
        "//a",
        ".",
        "..",
        "./",
        "../",
        "../x",
        "a/..",
        "a/../b",
        "a/./b",
        "...",
        ".hidden",
        "A",
        "A/b",
        "Case",
        "case",
        " ",
        " a ",
        "a b/c d",
        "+",
        "%",
        "%-",
        "%2E",
        "%00",
        "\"",
        "'",
        "`",
        "\\",
        "a\\b",
        "C:",
        "con",
        "nul.txt",
        "*",
        "?",
        "[a]",
        "a*",
        "{}",
        "$HOME",
        "~",
        "-",
        "--help",
        "#",
        "&",
        ";",
        ":",
        "|",
        "<>",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\u{1}",
        "\u{7f}",
        "é",
        "e\u{301}",
        "Ü/ü",
        "日本/語",
        "😀",
        "a😀/b",
        "\u{feff}",
        "\u{10ffff}",
        "m/videos/a.mp4",
        "c/0123456789abcdef/00000000",
        "c/0123456789abcdef/00000001",
    ]
    .map(String::from)
    .into();
    keys.extend([
        "x".repeat(512),
        "x".repeat(240),
        "x".repeat(241),
        format!("{}/", "x".repeat(240)),
        format!("{}/y", "x".repeat(241)),
        format!("{}.", "x".repeat(240)),
        format!("{}..", "x".repeat(240)),
        format!("{}./y", "x".repeat(240)),
        "%".repeat(512),
        "é".repeat(256),
        "😀".repeat(128),
        format!("a{}", "😀".repeat(127)),
        "/".repeat(512),
        "../".repeat(170),
    ]);
    keys.sort();
    keys.dedup();
    keys
}
