//! The world `kv-adapter`. Generated types are named in this module and nowhere else.

use std::marker::PhantomData;

use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions, checks,
};

use self::bindings::exports::streaming::chunk_store::kv;
use crate::Checked;

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "kv-adapter",
        pub_export_macro: true,
    });
}

/// What a component exports.
pub trait Adapter: 'static {
    /// The kv.
    type Kv: Kv + 'static;

    /// The one of this instance.
    fn kv() -> &'static Checked<Self::Kv>;
}

/// The exports of a component, served from its adapter.
pub struct Component<A>(PhantomData<A>);

impl<A: Adapter> kv::Guest for Component<A> {
    fn get_limits() -> kv::Limits {
        A::kv().limits().into()
    }

    async fn get(key: String, part: Option<kv::Span>) -> Result<Option<kv::Entry>, kv::Error> {
        let part = part.map(|kv::Span { start, end }| checks::span(start, end)).transpose()?;
        let entry = A::kv().get(&key, part).await?;
        Ok(entry.map(Into::into))
    }

    async fn set(
        key: String,
        value: Vec<u8>,
        options: kv::SetOptions,
    ) -> Result<kv::Outcome, kv::Error> {
        Ok(A::kv().set(&key, value.into(), options.into()).await?.into())
    }

    async fn delete(
        key: String,
        condition: Option<kv::Condition>,
    ) -> Result<kv::Outcome, kv::Error> {
        Ok(A::kv().delete(&key, condition.map(Into::into)).await?.into())
    }

    async fn list_keys(
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<kv::KeyPage, kv::Error> {
        Ok(A::kv().list_keys(&prefix, cursor.as_deref(), limit).await?.into())
    }
}

impl From<KvLimits> for kv::Limits {
    fn from(limits: KvLimits) -> Self {
        Self {
            value_bytes_max: limits.value_bytes_max,
            key_bytes_max: limits.key_bytes_max,
            summary_bytes_max: limits.summary_bytes_max,
            ttl_seconds_min: limits.ttl_seconds_min,
            staleness_ms: limits.staleness_ms,
            write_lag_ms_max: limits.write_lag_ms_max,
            rewrite_interval_ms: limits.rewrite_interval_ms,
            operations_max: limits.operations_max,
            concurrency_max: limits.concurrency_max,
            memory_bytes_max: limits.memory_bytes_max,
            ranged_get: limits.ranged_get,
            conditional_write: limits.conditional_write,
        }
    }
}

impl From<KvError> for kv::Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Unavailable(why) => Self::Unavailable(why),
            KvError::Throttled(ms) => Self::Throttled(ms),
            KvError::Rejected(why) => Self::Rejected(why),
        }
    }
}

impl From<Entry> for kv::Entry {
    fn from(entry: Entry) -> Self {
        Self { value: entry.value.into(), version: entry.version }
    }
}

impl From<kv::SetOptions> for SetOptions {
    fn from(options: kv::SetOptions) -> Self {
        Self {
            ttl_seconds: options.ttl_seconds,
            condition: options.condition.map(Into::into),
            summary: options.summary.map(Bytes::from),
            durable: options.durable,
        }
    }
}

impl From<kv::Condition> for Condition {
    fn from(condition: kv::Condition) -> Self {
        match condition {
            kv::Condition::Absent => Self::Absent,
            kv::Condition::VersionIs(version) => Self::VersionIs(version),
        }
    }
}

impl From<Outcome> for kv::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Stale => Self::Stale,
        }
    }
}

impl From<KeyPage> for kv::KeyPage {
    fn from(page: KeyPage) -> Self {
        let keys = page.keys.into_iter().map(|listed| kv::ListedKey {
            key: listed.key,
            summary: listed.summary.map(Into::into),
        });
        Self { keys: keys.collect(), cursor: page.cursor }
    }
}
