//! Where rules are tried: a base URL, a token, and a directory of the test's own.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;
use chunk_store_components::file;
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::serve::{self, Options};
use chunk_store_tests::http::{Answer, Client, Protocol, Sending};
use chunk_store_tests::random;
use chunk_store_tests::serving::Server;
use chunk_store_tests::spin;
use chunk_store_tests::wasi_http;
use chunk_store_tests::workers::{self, Workerd};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// The token of servers that the suite starts.
const TOKEN: &str = "token-of-the-http-suite";

/// Another one.
pub const WRONG_TOKEN: &str = "token-of-somebody-else";

/// A platform that can do everything, over HTTP/1.1.
pub fn http1() -> Site {
    Site::new(Protocol::Http1, on_files)
}

/// The same over HTTP/2.
pub fn http2() -> Site {
    Site::new(Protocol::Http2, on_files)
}

/// The gateway composed with the adapter over `wasi:filesystem`: several instances of it
/// share a directory.
pub fn filesystem() -> Site {
    static URL: LazyLock<String> = LazyLock::new(|| {
        let directory = chunk_store_tests::scratch().keep();
        let instances = (0..3).map(|_| {
            let mut wasi = WasiCtxBuilder::new();
            wasi.env("CHUNK_STORE_HTTP_TOKEN", TOKEN);
            wasi.preopened_dir(&directory, "/", FsPerms::ReadWrite).expect("it is there");
            (wasi.build(), ())
        });
        let component = file("gateway-filesystem.wasm").expect("it can be composed");
        wasi_http::serve(&component.bytes, instances.collect(), |_| Ok(()))
    });
    Site::new(Protocol::Http1, || URL.clone())
}

/// The gateway composed with the adapter over `spin:key-value`: several instances of an app
/// share its store, which holds what every host of Spin does but for more keys.
pub fn spin() -> Site {
    static URL: LazyLock<String> = LazyLock::new(|| {
        let app = spin::App::new(spin::Limits { keys_max: usize::MAX, ..spin::GUARANTEED });
        let instances = (0..3).map(|_| {
            let wasi = WasiCtxBuilder::new().env("CHUNK_STORE_HTTP_TOKEN", TOKEN).build();
            (wasi, app.instance())
        });
        let component = file("gateway-spin.wasm").expect("it can be composed");
        wasi_http::serve(&component.bytes, instances.collect(), |linker| {
            spin::add_to_linker(linker, |state| &mut state.kv)
        })
    });
    Site::new(Protocol::Http1, || URL.clone())
}

/// A platform without conditional writes.
pub fn unconditional() -> Site {
    static URL: LazyLock<String> = LazyLock::new(|| on_memory(0));
    Site::new(Protocol::Http1, || URL.clone())
}

/// A platform without conditional writes, whose reads may be old.
pub fn stale() -> Site {
    static URL: LazyLock<String> = LazyLock::new(|| on_memory(2_000));
    Site::new(Protocol::Http1, || URL.clone())
}

/// The Worker of Cloudflare, in workerd over a namespace of its own.
pub fn workers() -> Site {
    static SERVER: LazyLock<Workerd> = LazyLock::new(Workerd::start);
    Site::with_token(Protocol::Http1, workers::TOKEN, || SERVER.url())
}

fn on_files() -> String {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        Server::shared(Path::new(env!("CARGO_TARGET_TMPDIR")), &["--token", TOKEN])
    });
    SERVER.url()
}

/// A server in this process; gives its URL.
fn on_memory(staleness_ms: u32) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let backend = Arc::new(Lesser { values: MemoryBackend::new(), staleness_ms });
            let listen = ([127, 0, 0, 1], 0).into();
            let token = Some(TOKEN.to_string());
            let options = Options { listen, token, ..Options::default() };
            let server = serve::Server::bind(backend, options).await.expect("it starts");
            tell.send(format!("http://{}", server.local_addr())).expect("somebody waits");
            // As long as this process.
            server.run(std::future::pending()).await;
        });
    });
    told.recv().expect("it starts")
}

/// A memory that says it can do less. What it reads is current all the same.
struct Lesser {
    values: MemoryBackend,
    staleness_ms: u32,
}

#[async_trait]
impl Backend for Lesser {
    fn limits(&self) -> KvLimits {
        let staleness_ms = self.staleness_ms;
        KvLimits { conditional_write: false, staleness_ms, ..self.values.limits() }
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let entry = self.values.get(key, part).await?;
        Ok(entry.map(|entry| Entry { version: None, ..entry }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        refuse(options.condition.as_ref())?;
        self.values.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        refuse(condition.as_ref())?;
        self.values.delete(key, None).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.values.list_keys(prefix, cursor, limit).await
    }
}

fn refuse(condition: Option<&Condition>) -> Result<(), KvError> {
    match condition {
        Some(_) => Err(KvError::Rejected("there are no conditional writes here".into())),
        None => Ok(()),
    }
}

/// A server, seen from a directory of a test's own: the target `/a` is sent as
/// `/DIRECTORY/a`. What begins with `/_/` is sent as it is.
pub struct Site {
    client: Client,
    token: String,
    directory: String,
}

impl Site {
    fn new(protocol: Protocol, started: impl FnOnce() -> String) -> Self {
        Self::with_token(protocol, TOKEN, started)
    }

    /// The server that the environment names, or else the one at this URL, which has this
    /// token.
    fn with_token(protocol: Protocol, token: &str, started: impl FnOnce() -> String) -> Self {
        let (url, token) = match std::env::var("CHUNK_STORE_TEST_URL") {
            Ok(url) => {
                let token = std::env::var("CHUNK_STORE_TEST_TOKEN");
                (url, token.expect("CHUNK_STORE_TEST_TOKEN has to hold the server's token"))
            }
            Err(_) => (started(), token.to_string()),
        };
        let directory = format!("test-{:016x}", random::seed());
        Self { client: Client::new(&url, protocol, Some(&token)), token, directory }
    }

    /// The server's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same site for a caller with another token, or none.
    pub fn seen_with(&self, token: Option<&str>) -> Self {
        Self {
            client: self.client.with_token(token),
            token: self.token.clone(),
            directory: self.directory.clone(),
        }
    }

    /// The key of what is sent as `/name`.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    fn line(&self, line: &str) -> String {
        match line.split_once(' ').expect("METHOD /TARGET") {
            (_, target) if target.starts_with("/_/") => line.to_string(),
            (method, target) => format!("{method} /{}{target}", self.directory),
        }
    }

    /// Sends `METHOD /TARGET`, headers and a body.
    pub async fn send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Sending>,
    ) -> Answer {
        self.client.send(&self.line(line), headers, body).await
    }

    /// Sends what may have no answer.
    pub async fn try_send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: Sending,
    ) -> Result<Answer, String> {
        self.client.try_send(&self.line(line), headers, body).await
    }

    /// Sends a request without a body.
    pub async fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(line, headers, b"").await
    }

    /// Sends one to exactly this target.
    pub async fn ask_exactly(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        self.client.send(line, headers, b"").await
    }

    /// Stores an object; gives its entity tag.
    pub async fn put(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let answer = self.send(&format!("PUT {path}"), headers, body).await;
        assert!([201, 204].contains(&answer.status), "{answer:?}");
        answer.header("etag").to_string()
    }

    /// What anyone with the token reads.
    pub async fn content(&self, path: &str) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("GET {path}"), &[]).await;
        assert!([200, 404].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.broken, None);
        (answer.status == 200).then_some(answer.bytes)
    }
}
