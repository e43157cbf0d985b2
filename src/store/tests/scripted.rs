//! A kv in a map that fails on demand and remembers what was asked of it, and a
//! clock that only moves when somebody sleeps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures_executor::block_on;

use crate::body::{SliceSource, Source};
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, ListedKey, Outcome, SetOptions};
use crate::object::{GetOptions, ObjectInfo, PutOptions, UploadStatus};
use crate::range::Span;
use crate::store::Store;

/// What a scripted operation does in place of the usual.
#[derive(Debug, Clone)]
pub enum Act {
    /// Fails before it does anything.
    Fail(KvError),
    /// Does it, and the answer is lost.
    LoseAnswer,
    /// Never answers, and does nothing.
    Hang,
    /// Somebody else sets this key first.
    Overtake(String, Vec<u8>),
    /// Answers as if the key held nothing.
    Miss,
}

/// One operation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `get`, `set`, `delete` or `list`.
    pub verb: &'static str,
    /// The key, or the prefix.
    pub key: String,
    /// Whether it was to be durable.
    pub durable: bool,
}

type Rule = Box<dyn FnMut(&Asked) -> Option<Act>>;

/// The kv.
pub struct ScriptedKv {
    pub limits: KvLimits,
    pub values: RefCell<BTreeMap<String, (Bytes, u64)>>,
    pub asked: RefCell<Vec<Asked>>,
    /// Sets begun and not ended, and the most there were.
    pub in_flight: Cell<(usize, usize)>,
    rule: RefCell<Option<Rule>>,
    versions: Cell<u64>,
    page_keys_max: Cell<usize>,
}

impl ScriptedKv {
    /// The values under keys that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.values.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// What was asked of one verb, by key.
    pub fn asked(&self, verb: &str) -> Vec<String> {
        let asked = self.asked.borrow();
        asked.iter().filter(|asked| asked.verb == verb).map(|asked| asked.key.clone()).collect()
    }

    /// From now on, this decides what each operation does.
    pub fn rule(&self, rule: impl FnMut(&Asked) -> Option<Act> + 'static) {
        *self.rule.borrow_mut() = Some(Box::new(rule));
    }

    /// This one operation on a key that begins so does this, the first time.
    pub fn once(&self, verb: &'static str, prefix: &'static str, act: Act) {
        let mut act = Some(act);
        self.rule(move |asked| {
            if asked.verb == verb && asked.key.starts_with(prefix) { act.take() } else { None }
        });
    }

    /// Listings come in pages of at most so many keys.
    pub fn page_keys_max(&self, keys: usize) {
        self.page_keys_max.set(keys);
    }

    /// Sets a value as somebody else would.
    pub fn put_value(&self, key: &str, value: &[u8]) {
        self.versions.set(self.versions.get() + 1);
        let entry = (Bytes::copy_from_slice(value), self.versions.get());
        self.values.borrow_mut().insert(key.to_string(), entry);
    }

    /// Takes a value away as somebody else would.
    pub fn remove(&self, key: &str) {
        self.values.borrow_mut().remove(key);
    }

    /// Flips the first bit of a value.
    pub fn damage(&self, key: &str) {
        let mut value = self.values.borrow()[key].0.to_vec();
        value[0] ^= 1;
        self.put_value(key, &value);
    }

    async fn begin(
        &self,
        verb: &'static str,
        key: &str,
        durable: bool,
    ) -> Result<Option<Act>, KvError> {
        let asked = Asked { verb, key: key.to_string(), durable };
        let act = self.rule.borrow_mut().as_mut().and_then(|rule| rule(&asked));
        self.asked.borrow_mut().push(asked);
        match act {
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Overtake(key, value)) => {
                self.put_value(&key, &value);
                Ok(None)
            }
            act => Ok(act),
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

fn lost() -> KvError {
    KvError::Unavailable("the connection was lost".to_string())
}

impl Kv for Rc<ScriptedKv> {
    fn limits(&self) -> KvLimits {
        self.limits.clone()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        if matches!(self.begin("get", key, false).await?, Some(Act::Miss)) {
            return Ok(None);
        }
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
        let (now, most) = self.in_flight.get();
        self.in_flight.set((now + 1, most.max(now + 1)));
        // Longer than it takes to fill the next few chunks.
        for _ in 0..32 {
            yield_once().await;
        }
        let act = self.begin("set", key, options.durable).await;
        self.in_flight.set((self.in_flight.get().0 - 1, self.in_flight.get().1));
        let act = act?;
        if !self.holds(key, options.condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.put_value(key, &value);
        if matches!(act, Some(Act::LoseAnswer)) { Err(lost()) } else { Ok(Outcome::Done) }
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let act = self.begin("delete", key, false).await?;
        if !self.holds(key, condition.as_ref()) {
            return Ok(Outcome::Stale);
        }
        self.values.borrow_mut().remove(key);
        if matches!(act, Some(Act::LoseAnswer)) { Err(lost()) } else { Ok(Outcome::Done) }
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.begin("list", prefix, false).await?;
        let limit = self.page_keys_max.get().min(limit as usize);
        let after = |key: &&String| cursor.is_none_or(|cursor| key.as_str() > cursor);
        let keys = self.keys(prefix);
        let mut page: Vec<&String> = keys.iter().filter(after).take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        Ok(KeyPage {
            cursor: more.then(|| page.last().map(|key| key.to_string())).flatten(),
            keys: page
                .iter()
                .map(|key| ListedKey { key: key.to_string(), summary: None })
                .collect(),
        })
    }
}

async fn yield_once() {
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

/// Virtual time: it moves when somebody has slept through, which takes longer than
/// any operation that answers at all.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    pub ms: Rc<Cell<u64>>,
    ids: Rc<Cell<u128>>,
}

impl Clock for VirtualClock {
    fn wall_ms(&self) -> u64 {
        1_790_000_000_000 + self.ms.get()
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

/// A store over a scripted kv.
pub struct Bed {
    pub kv: Rc<ScriptedKv>,
    pub clock: VirtualClock,
    pub store: Store<Rc<ScriptedKv>, VirtualClock>,
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

impl Bed {
    pub fn new(limits: KvLimits) -> Self {
        let kv = Rc::new(ScriptedKv {
            limits,
            values: RefCell::default(),
            asked: RefCell::default(),
            in_flight: Cell::default(),
            rule: RefCell::default(),
            versions: Cell::default(),
            page_keys_max: Cell::new(usize::MAX),
        });
        let clock = VirtualClock::default();
        Self { store: Store::new(kv.clone(), clock.clone()), kv, clock }
    }

    /// Stores these bytes in chunks of 64 KiB.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<ObjectInfo, Error> {
        self.put_from(key, SliceSource::new(content, 10_000), &chunked())
    }

    pub fn put_from(
        &self,
        key: &str,
        source: impl Source,
        options: &PutOptions,
    ) -> Result<ObjectInfo, Error> {
        block_on(self.store.put(key, source, options))
    }

    /// Reads an object whole: what came before an error, and the error.
    pub fn read(&self, key: &str) -> (Vec<u8>, Result<(), Error>) {
        block_on(async {
            let mut bytes = Vec::new();
            let mut reader = match self.store.get(key, &GetOptions::default()).await {
                Ok((_, reader)) => reader,
                Err(error) => return (bytes, Err(error)),
            };
            while let Some(piece) = reader.next().await {
                match piece {
                    Ok(piece) => bytes.extend_from_slice(&piece.bytes),
                    Err(error) => return (bytes, Err(error)),
                }
            }
            (bytes, Ok(()))
        })
    }
}

/// Options that put everything in chunks of 64 KiB.
pub fn chunked() -> PutOptions {
    PutOptions { inline_bytes_max: Some(0), chunk_bytes_max: Some(65_536), ..PutOptions::default() }
}

/// Bytes that differ from each other.
pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 13 + i / 256) as u8).collect()
}

/// Uploads, as their callers use them.
impl Bed {
    /// Opens an upload in chunks of 64 KiB.
    pub fn begin(&self, key: &str) -> String {
        block_on(self.store.begin(key, &chunked())).unwrap()
    }

    pub fn append(&self, name: &str, offset: u64, bytes: &[u8]) -> Result<UploadStatus, Error> {
        block_on(self.store.append(name, offset, SliceSource::new(bytes, 10_000)))
    }

    pub fn commit(&self, name: &str) -> Result<ObjectInfo, Error> {
        block_on(self.store.commit_upload(name))
    }

    /// Where an upload stands.
    pub fn offset(&self, name: &str) -> u64 {
        block_on(self.store.status(name)).unwrap().offset
    }
}
