//! A gateway over a kv in a map, a clock that moves when somebody sleeps, and requests
//! that are written in one line.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Deref;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use chunk_store::body::{SliceSource, Source};
use chunk_store::clock::Clock;
use chunk_store::error::Error;
use chunk_store::kv::{
    Condition, Entry, KeyPage, Kv, KvError, KvLimits, ListedKey, Outcome, SetOptions,
};
use chunk_store::object::PutOptions;
use chunk_store::range::Span;
use chunk_store::store::Store;
use futures_executor::block_on;
use http::{HeaderMap, Request};
use serde_json::Value;

use crate::{Body, Gateway, SETTING_PREFIX, Settings};

/// The token of gateways that have one.
pub const TOKEN: &str = "0123456789abcdef";

/// The header that carries it.
pub const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");

/// The time at which every bed begins, in seconds since the Unix epoch.
pub const BEGIN: u64 = 1_790_000_000;

/// A minute after that, as HTTP writes it.
pub const MINUTE_LATER: &str = "Mon, 21 Sep 2026 14:14:20 GMT";

/// A kv in a map that fails on demand.
pub struct MapKv {
    limits: KvLimits,
    values: RefCell<BTreeMap<String, (Bytes, u64)>>,
    versions: Cell<u64>,
    /// Gets of keys that begin so fail with this.
    failing: RefCell<Option<(&'static str, KvError)>>,
    /// How many gets there were.
    pub gets: Cell<usize>,
}

impl MapKv {
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.values.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Takes a value away as somebody else would.
    pub fn remove(&self, key: &str) {
        self.values.borrow_mut().remove(key);
    }

    /// From now on gets of keys that begin so fail.
    pub fn fail(&self, prefix: &'static str, error: KvError) {
        *self.failing.borrow_mut() = Some((prefix, error));
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        *self.failing.borrow_mut() = None;
    }

    fn check(&self, key: &str) -> Result<(), KvError> {
        match &*self.failing.borrow() {
            Some((prefix, error)) if key.starts_with(prefix) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn holds(&self, key: &str, condition: Option<&Condition>) -> bool {
        let version = self.values.borrow().get(key).map(|(_, version)| version.to_string());
        match condition {
            None => true,
            Some(Condition::Absent) => version.is_none(),
            Some(Condition::VersionIs(wanted)) => version.as_ref() == Some(wanted),
        }
    }
}

/// The map, shared by the store and the test.
#[derive(Clone)]
pub struct SharedKv(Rc<MapKv>);

impl Deref for SharedKv {
    type Target = MapKv;

    fn deref(&self) -> &MapKv {
        &self.0
    }
}

impl Kv for SharedKv {
    fn limits(&self) -> KvLimits {
        self.limits.clone()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.gets.set(self.gets.get() + 1);
        self.check(key)?;
        Ok(self.values.borrow().get(key).map(|(value, version)| {
            let end = value.len() as u64;
            let part = part.unwrap_or(Span::new(0, end)).intersect(Span::new(0, end));
            Entry {
                value: value.slice(part.start as usize..part.end as usize),
                version: self.limits.conditional_write.then(|| version.to_string()),
            }
        }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        if !self.holds(key, options.condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.versions.set(self.versions.get() + 1);
        self.values.borrow_mut().insert(key.to_string(), (value, self.versions.get()));
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        if !self.holds(key, condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.remove(key);
        Ok(Outcome::Done)
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.check(prefix)?;
        let mut keys = self.keys(prefix);
        keys.retain(|key| cursor.is_none_or(|cursor| key.as_str() > cursor));
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let cursor = keys.last().filter(|_| more).cloned();
        let listed = |key| ListedKey { key, summary: None };
        Ok(KeyPage { keys: keys.into_iter().map(listed).collect(), cursor })
    }
}

/// Virtual time: it moves when somebody has slept through, which takes longer than
/// any operation that answers at all.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    ms: Rc<Cell<u64>>,
    ids: Rc<Cell<u128>>,
}

impl VirtualClock {
    pub fn pass_seconds(&self, seconds: u64) {
        self.ms.set(self.ms.get() + 1000 * seconds);
    }
}

impl Clock for VirtualClock {
    fn wall_ms(&self) -> u64 {
        1000 * BEGIN + self.ms.get()
    }

    fn monotonic_ns(&self) -> u64 {
        self.ms.get() * 1_000_000
    }

    async fn sleep_ms(&self, ms: u64) {
        let until = self.ms.get() + ms;
        for _ in 0..1000 {
            yield_once().await;
        }
        self.ms.set(self.ms.get().max(until));
    }

    fn random(&self) -> u128 {
        self.ids.set(self.ids.get() + 1);
        self.ids.get()
    }
}

pub async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A platform that can do everything.
pub fn able() -> KvLimits {
    KvLimits {
        value_bytes_max: 1 << 20,
        key_bytes_max: 512,
        summary_bytes_max: 0,
        ttl_seconds_min: Some(1),
        staleness_ms: 0,
        write_lag_ms_max: 0,
        rewrite_interval_ms: 0,
        operations_max: None,
        concurrency_max: 6,
        memory_bytes_max: 1 << 20,
        ranged_get: true,
        conditional_write: true,
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// How long the body was said to be.
    pub length: Option<u64>,
    pub body: Vec<u8>,
    /// How the body ended.
    pub ended: Result<(), Error>,
}

impl Answer {
    /// A header, or "" where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an answer of JSON")
    }
}

/// A body that breaks off, or is otherwise not what it should be, after these bytes.
pub struct Broken(pub &'static [u8]);

impl Source for Broken {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let room = (buffer.capacity() - buffer.len()).min(self.0.len());
        buffer.extend_from_slice(&self.0[..room]);
        self.0 = &self.0[room..];
        (buffer, self.0.is_empty())
    }

    async fn done(&mut self) -> Result<(), String> {
        Err("the connection was closed".to_string())
    }
}

/// A gateway to a store of its own.
pub struct Bed {
    pub kv: SharedKv,
    pub clock: VirtualClock,
    pub store: Store<SharedKv, VirtualClock>,
    pub gateway: Gateway<SharedKv, VirtualClock>,
}

impl Bed {
    /// One that takes every request.
    pub fn open() -> Self {
        Self::new(able(), &[("OPEN", "true")])
    }

    /// One with these settings.
    pub fn set(settings: &[(&str, &str)]) -> Self {
        Self::new(able(), settings)
    }

    pub fn new(limits: KvLimits, settings: &[(&str, &str)]) -> Self {
        let kv = SharedKv(Rc::new(MapKv {
            limits,
            values: RefCell::default(),
            versions: Cell::default(),
            failing: RefCell::default(),
            gets: Cell::default(),
        }));
        let clock = VirtualClock::default();
        let store = Store::new(kv.clone(), clock.clone());
        let named = settings.iter().map(|(name, value)| (format!("{SETTING_PREFIX}{name}"), value));
        let settings = Settings::parse(named).unwrap();
        let gateway = Gateway::new(store.clone(), clock.clone(), settings);
        Self { kv, clock, store, gateway }
    }

    /// Sends a request: `METHOD TARGET`, headers, body.
    pub fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send_from(line, headers, SliceSource::new(body, 1000))
    }

    /// Sends one without a body.
    pub fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(line, headers, &[])
    }

    pub fn send_from(&self, line: &str, headers: &[(&str, &str)], body: impl Source) -> Answer {
        block_on(self.exchange(line, headers, body))
    }

    pub async fn exchange(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Source,
    ) -> Answer {
        let response = self.gateway.handle(request(line, headers, body)).await;
        let (head, body) = response.into_parts();
        check_lengths(line, &head, &body);
        let length = body.length();
        let (body, ended) = taken(body).await;
        Answer { status: head.status.as_u16(), headers: head.headers, length, body, ended }
    }

    /// Stores an object as the command line does, in chunks of 64 KiB.
    pub fn store_in_chunks(&self, key: &str, content: &[u8]) {
        let options = PutOptions {
            inline_bytes_max: Some(0),
            chunk_bytes_max: Some(65_536),
            ..PutOptions::default()
        };
        block_on(self.store.put(key, SliceSource::new(content, 10_000), &options)).unwrap();
    }

    /// Stores an object with metadata as the command line does.
    pub fn store_with(&self, key: &str, metadata: &[(&str, &str)]) {
        let metadata = metadata.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let options = PutOptions { metadata: metadata.collect(), ..PutOptions::default() };
        block_on(self.store.put(key, SliceSource::new(b"x", 1), &options)).unwrap();
    }

    /// What anyone reads under a key.
    pub fn content(&self, key: &str) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("GET /{key}"), &[]);
        (answer.status == 200).then_some(answer.body)
    }
}

pub fn request<S: Source>(line: &str, headers: &[(&str, &str)], body: S) -> Request<S> {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// What a body gives: its bytes, and how it ends.
pub async fn taken(mut body: Body) -> (Vec<u8>, Result<(), Error>) {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece.bytes),
            Err(error) => return (bytes, Err(error)),
        }
    }
    (bytes, Ok(()))
}

/// What holds of every answer: the length in the head is the one of the body, unless
/// there is none because of the method or the status.
fn check_lengths(line: &str, head: &http::response::Parts, body: &Body) {
    let said = head.headers.get("content-length").map(|value| value.to_str().unwrap().to_string());
    let bodiless = [204, 304].contains(&head.status.as_u16());
    assert!(!(bodiless && said.is_some()), "{line}: {:?}", head.headers);
    if line.starts_with("HEAD") || bodiless {
        assert_eq!(body.length(), Some(0), "{line}");
    } else {
        assert_eq!(said, body.length().map(|length| length.to_string()), "{line}");
    }
}

/// Bytes that differ from place to place.
pub fn content(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
