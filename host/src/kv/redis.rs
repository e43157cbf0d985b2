//! Values in Redis: one server, or a cluster.
//!
//! Where each thing lies, and how a value is framed, says `layout`: every key has one of
//! 16 tags, and all that belongs to it lies in the tag's slot. Every write is one script
//! (`scripts`), so it is atomic, in a cluster too, and it carries a deadline, so that it
//! cannot land long after its caller gave up. Listings merge the indexes of the tags
//! (`list`); the database is never scanned.
//!
//! Large values go up under a name of their own, as plain bytes; the script that makes
//! one the key's value only renames it. Lua never sees it, and it goes over a
//! connection of its own (`lane`). A write that does not end leaves a draft, which
//! expires after a minute.
//!
//! On failure: what only the owner of the server can mend is rejected with a line that
//! says how, the rest is unavailable. Nothing that may have landed is sent again.
//!
//! `durable` cannot be asked for: the server's settings decide what a crash takes, and
//! [`Backend::warnings`] tells when that may be something.

mod address;
mod errors;
mod lane;
mod layout;
mod list;
mod scripts;
mod server;
mod servers;
mod tls;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions, checks};
use chunk_store::range::Span;
use redis::{Pipeline, Value};

use self::address::Url;
use self::errors::{Trouble, odd};
use self::lane::{Link, RESPONSE_TIMEOUT, Weight};
use self::layout::{Framed, HEAD_BYTES, Head, SUMMARY_BYTES_MAX, Version, cut};
use self::scripts::{ANY, DONE, LATE, LOST, STALE, Script};
use self::servers::Servers;
use super::{Backend, MEMORY_BYTES_MAX_DEFAULT, OpenError};

const KEY_BYTES_MAX: u32 = 1024;
const TTL_SECONDS_MIN: u32 = 1;
const CONCURRENCY_MAX: u32 = 16;

/// A write does nothing later than [`RESPONSE_TIMEOUT`] after it was begun, by the
/// server's clock; the rest is for clocks that do not run alike.
const WRITE_LAG_MS_MAX: u32 = 30_000;

/// Values from this size on are large: they go by a connection for such, and are set
/// by way of a draft.
const LARGE_BYTES: usize = 64 << 10;

/// A span that begins before is read from the value's beginning: one command, and the
/// version comes with it.
const HEAD_SPAN_BYTES: u64 = 4 << 10;

/// A draft is gone after so long; the deadline of the write is over well before.
const DRAFT_MS: u64 = 60_000;

/// A key-value store in Redis.
#[derive(Clone)]
pub struct RedisBackend {
    servers: Arc<Servers>,
    value_bytes_max: u64,
    warnings: Vec<String>,
}

impl RedisBackend {
    /// Opens the store that a URL names; see [`open`](super::open) for the forms. The
    /// servers are asked for their settings now.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let url = Url::parse(url)?;
        let servers = Arc::new(Servers::new(url.address, url.cluster));
        let mut value_bytes_max = u64::MAX;
        let mut warnings = Vec::new();
        let nodes = servers.owners().await.map_err(|(place, why)| why.open_error(&place))?;
        for node in nodes {
            let trouble = |why: Trouble| why.open_error(&node.place);
            if !url.cluster && server::is_in_cluster(&node).await.map_err(trouble)? {
                return Err(trouble(Trouble::wrong_kind("it is part of a cluster")));
            }
            let report = server::examine(&node).await.map_err(trouble)?;
            value_bytes_max = value_bytes_max.min(report.value_bytes_max);
            warnings.extend(report.warnings.into_iter().filter(|_| url.warn));
        }
        Ok(Self { servers, value_bytes_max, warnings })
    }

    /// Sends commands for a key; gives the last answer.
    async fn call(
        &self,
        key: &str,
        weight: Weight,
        commands: impl Fn(&Link, &mut Pipeline) + Send + Sync,
    ) -> Result<Value, KvError> {
        let answers = self.servers.call(layout::tag(key), weight, |link| {
            let mut pipeline = Pipeline::new();
            commands(link, &mut pipeline);
            pipeline
        });
        answers.await?.pop().ok_or_else(odd)
    }
}

/// What a write's condition is to a script; `None` for one that no value meets.
fn condition_argument(condition: Option<&Condition>) -> Option<Vec<u8>> {
    match condition {
        None => Some(ANY.to_vec()),
        Some(Condition::Absent) => Some(Vec::new()),
        Some(Condition::VersionIs(version)) => Some(Version::of_text(version)?.0.to_vec()),
    }
}

/// What a write's answer says.
fn outcome(answer: Value) -> Result<Outcome, KvError> {
    match lane::text(answer).as_deref() {
        Some(DONE) => Ok(Outcome::Done),
        Some(STALE) => Ok(Outcome::Stale),
        Some(LATE) => {
            Err(KvError::Unavailable("redis got the write too late, and has not made it".into()))
        }
        Some(LOST) => Err(KvError::Unavailable(
            "redis lost the value before it was complete; it may be short of memory".into(),
        )),
        _ => Err(odd()),
    }
}

/// The entry for bytes `start..end` of a value, from its stored bytes.
fn entry(stored: Vec<u8>, span: Span) -> Result<Option<Entry>, KvError> {
    if stored.is_empty() {
        return Ok(None);
    }
    let head = Head::decode(&stored)?;
    let before = head.bytes() as u64;
    let end = before.saturating_add(span.end);
    let value = cut(&Bytes::from(stored), before.saturating_add(span.start), end);
    Ok(Some(Entry { value, version: Some(head.version.to_text()) }))
}

#[async_trait]
impl Backend for RedisBackend {
    fn limits(&self) -> KvLimits {
        KvLimits {
            value_bytes_max: self.value_bytes_max,
            key_bytes_max: KEY_BYTES_MAX,
            summary_bytes_max: SUMMARY_BYTES_MAX as u32,
            ttl_seconds_min: Some(TTL_SECONDS_MIN),
            staleness_ms: 0,
            write_lag_ms_max: WRITE_LAG_MS_MAX,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: CONCURRENCY_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX_DEFAULT,
            ranged_get: true,
            conditional_write: true,
        }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        checks::key(key, &self.limits())?;
        match part {
            None => self.whole(key).await,
            Some(span) => {
                // Nothing lies behind, and Redis counts in signed numbers.
                let cut = |at: u64| at.min(self.value_bytes_max);
                self.part(key, Span::new(cut(span.start), cut(span.end))).await
            }
        }
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        checks::key(key, &self.limits())?;
        checks::value(&value, &options, &self.limits())?;
        if value.len() < LARGE_BYTES {
            return self.write(key, value, options, deadline).await;
        }
        // A request is a copy of what it is made from, of megabytes here.
        let (backend, key) = (self.clone(), key.to_string());
        let write = async move { backend.write(&key, value, options, deadline).await };
        lane::on_movers(write).await.map_err(KvError::Unavailable)?
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        checks::key(key, &self.limits())?;
        let Some(condition) = condition_argument(condition.as_ref()) else {
            return Ok(Outcome::Stale);
        };
        let tag = layout::tag(key);
        let answer = self.call(key, Weight::Small, |link, commands| {
            let mut delete = link.script(Script::Delete, 3);
            delete.arg(layout::value_key(key)).arg(layout::index_key(tag));
            delete.arg(layout::expiry_key(tag));
            delete.arg(link.server_ms(deadline)).arg(&condition).arg(key);
            commands.add_command(delete);
        });
        outcome(answer.await?)
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let limit = checks::page(limit)?;
        if prefix.len() as u64 > u64::from(KEY_BYTES_MAX) {
            return Ok(KeyPage::default());
        }
        list::list(&self.servers, prefix, cursor, limit).await
    }
}

impl RedisBackend {
    /// Sets a value; it has been checked.
    async fn write(
        &self,
        key: &str,
        value: Bytes,
        options: SetOptions,
        deadline: Instant,
    ) -> Result<Outcome, KvError> {
        let Some(condition) = condition_argument(options.condition.as_ref()) else {
            return Ok(Outcome::Stale);
        };
        let version = Version::random();
        let summary = options.summary.as_deref().unwrap_or_default();
        let framed = Framed { version, summary, value: &value };
        let ttl_ms = options.ttl_seconds.map_or(0, |s| u64::from(s.max(TTL_SECONDS_MIN)) * 1000);
        let tag = layout::tag(key);
        let draft = (value.len() >= LARGE_BYTES).then(|| layout::draft_key(tag, &version));
        let weight = if draft.is_some() { Weight::Large } else { Weight::Small };
        let answer = self.call(key, weight, |link, commands| {
            let mut write = match &draft {
                Some(draft) => {
                    commands.cmd("SET").arg(draft).arg(&framed).arg("PX").arg(DRAFT_MS);
                    link.script(Script::Commit, 4)
                }
                None => link.script(Script::Set, 3),
            };
            write.arg(layout::value_key(key)).arg(layout::index_key(tag));
            write.arg(layout::expiry_key(tag)).arg(&draft);
            write.arg(link.server_ms(deadline)).arg(&condition).arg(key).arg(ttl_ms);
            if draft.is_none() {
                write.arg(&framed);
            }
            commands.add_command(write);
        });
        outcome(answer.await?)
    }

    async fn whole(&self, key: &str) -> Result<Option<Entry>, KvError> {
        let answer = self.call(key, Weight::Large, |_, commands| {
            commands.cmd("GET").arg(layout::value_key(key));
        });
        match answer.await? {
            Value::Nil => Ok(None),
            Value::BulkString(stored) => entry(stored, Span::new(0, u64::MAX)),
            _ => Err(odd()),
        }
    }

    /// A span reads up to a summary's length more than was asked for: how much lies
    /// before the value's bytes is known only when the head is there.
    async fn part(&self, key: &str, span: Span) -> Result<Option<Entry>, KvError> {
        let weight = match span.end - span.start >= LARGE_BYTES as u64 {
            true => Weight::Large,
            false => Weight::Small,
        };
        let before_max = (HEAD_BYTES + SUMMARY_BYTES_MAX) as u64;
        if span.start < HEAD_SPAN_BYTES {
            let answer = self.call(key, weight, |_, commands| {
                let range = commands.cmd("GETRANGE").arg(layout::value_key(key));
                range.arg(0).arg(before_max + span.end - 1);
            });
            return match answer.await? {
                Value::BulkString(stored) => entry(stored, span),
                _ => Err(odd()),
            };
        }
        let answer = self.call(key, weight, |link, commands| {
            let mut part = link.script(Script::Part, 1);
            part.arg(layout::value_key(key));
            part.arg(HEAD_BYTES as u64 + span.start).arg(before_max + span.end - 1);
            commands.add_command(part);
        });
        let parts = match answer.await? {
            Value::Array(parts) => <[Value; 2]>::try_from(parts).map_err(|_| odd())?,
            _ => return Err(odd()),
        };
        let [Value::BulkString(head), Value::BulkString(stored)] = parts else {
            return Err(odd());
        };
        if head.is_empty() {
            return Ok(None);
        }
        // What was read begins as far into the stored bytes as a head without summary.
        let head = Head::decode(&head)?;
        let (start, length) = (head.summary_bytes as u64, span.end - span.start);
        let value = cut(&Bytes::from(stored), start, start + length);
        Ok(Some(Entry { value, version: Some(head.version.to_text()) }))
    }
}
