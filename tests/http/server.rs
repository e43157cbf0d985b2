//! The gateway over a memory, a clock that can be moved, requests and their answers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chunk_store::body::{SliceSource, Source};
use chunk_store::clock::Clock;
use chunk_store::store::Store;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_host::kv::{Backend, Native};
use chunk_store_http::{Gateway, Settings};
use http::header::AsHeaderName;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

/// When every server begins, in milliseconds since the Unix epoch: with a fraction of a
/// second, which HTTP dates do not have.
const BEGINNING_MS: u64 = 1_790_000_000_250;

/// A clock that stands still unless it is moved.
#[derive(Clone)]
pub struct Time {
    wall_ms: Rc<Cell<u64>>,
    drawn: Rc<Cell<u128>>,
}

impl Clock for Time {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.get()
    }

    fn monotonic_ns(&self) -> u64 {
        self.wall_ms.get() * 1_000_000
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn random(&self) -> u128 {
        self.drawn.set(self.drawn.get() + 1);
        // Far apart, as random ones are.
        self.drawn.get().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }
}

pub struct Server {
    gateway: Gateway<Native, Time>,
    pub kv: Arc<MemoryBackend>,
    time: Time,
}

impl Server {
    /// One that lets everybody do everything.
    pub fn open() -> Self {
        Self::with(&[("CHUNK_STORE_HTTP_OPEN", "true")])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        let settings = Settings::parse(settings.iter().copied()).unwrap();
        let kv = Arc::new(MemoryBackend::new());
        let time = Time { wall_ms: Rc::new(Cell::new(BEGINNING_MS)), drawn: Rc::default() };
        let store = Store::new(Native(kv.clone()), time.clone());
        Self { gateway: Gateway::new(store, time.clone(), settings), kv, time }
    }

    /// Lets time pass.
    pub fn later(&self, seconds: u64) {
        self.time.wall_ms.set(self.time.wall_ms.get() + 1000 * seconds);
    }

    /// The time, in seconds since the Unix epoch.
    pub fn seconds(&self) -> u64 {
        self.time.wall_ms() / 1000
    }

    /// Sends a request: method, path and query, headers, body.
    pub async fn send(&self, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send_source(request, headers, SliceSource::new(body, 10_000)).await
    }

    pub async fn send_source(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: impl Source,
    ) -> Answer {
        let (method, uri) = request.split_once(' ').expect("METHOD /path");
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.gateway.handle(request.body(body).unwrap()).await;
        let (head, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut broken = None;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece.bytes),
                Err(error) => {
                    broken = Some(error.to_string());
                    break;
                }
            }
        }
        Answer { status: head.status, headers: head.headers, bytes, broken }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&format!("GET {path}"), headers, b"").await
    }

    /// Stores an object; gives its entity tag.
    pub async fn put(&self, path: &str, body: &[u8]) -> String {
        let answer = self.send(&format!("PUT {path}"), &[], body).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.header("etag").to_string()
    }

    /// Deletes the values whose kv keys have this prefix and end.
    pub async fn lose(&self, prefix: &str, end: &str) {
        let page = self.kv.list_keys(prefix, None, 1000).await.unwrap();
        let lost = page.keys.into_iter().filter(|listed| listed.key.ends_with(end));
        let lost: Vec<_> = lost.collect();
        assert!(!lost.is_empty(), "nothing begins with {prefix} and ends with {end}");
        for listed in lost {
            self.kv.delete(&listed.key, None).await.unwrap();
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// Why the body ended before its end.
    pub broken: Option<String>,
}

impl Answer {
    /// The one value of a header.
    #[track_caller]
    pub fn header(&self, name: impl AsHeaderName + std::fmt::Display + Copy) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// Asserts the status, and that the body is as long as it was announced to be.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.broken, None);
        if let Some(length) = self.headers.get("content-length")
            && !self.bytes.is_empty()
        {
            assert_eq!(length.to_str().unwrap(), self.bytes.len().to_string());
        }
        self
    }

    /// Asserts that it is an error, told as a problem (RFC 9457) that says this.
    #[track_caller]
    pub fn fails(self, status: u16, says: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{says:?} is not in {detail:?}");
        answer
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
