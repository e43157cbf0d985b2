//! An adapter as a backend: a component that exports `kv`, so that the rules of `kv` can be
//! tried on it.

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome, SetOptions,
};
use chunk_store::range::Span;
use chunk_store_host::kv::Backend;
use wasmtime::component::InstancePre;

use self::bindings::KvAdapter;
use self::bindings::exports::streaming::chunk_store::kv;
use crate::guest::Guest;

// What the macro writes is not ours to document.
#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "kv-adapter",
        exports: { "streaming:chunk-store/kv@0.1.0.get-limits": async },
    });
}

/// A running adapter over a host's state `T`.
pub struct Adapter<T: 'static> {
    guest: Guest<T, KvAdapter>,
    limits: KvLimits,
}

impl<T: Send + 'static> Adapter<T> {
    /// Starts one.
    pub async fn start(linked: InstancePre<T>, state: T) -> Self {
        let (guest, limits) = Guest::start(linked, state, |store, instance| {
            Box::pin(async move {
                let exports = KvAdapter::new(&mut *store, instance)?;
                let limits = exports.streaming_chunk_store_kv().call_get_limits(store).await?;
                Ok((exports, limits))
            })
        })
        .await;
        Self { guest, limits: limits.into() }
    }
}

#[async_trait]
impl<T: Send + 'static> Backend for Adapter<T> {
    fn limits(&self) -> KvLimits {
        self.limits.clone()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let (key, part) =
            (key.to_string(), part.map(|Span { start, end }| kv::Span { start, end }));
        let called = self.guest.call(move |accessor, exports| {
            Box::pin(async move {
                exports.streaming_chunk_store_kv().call_get(accessor, key, part).await
            })
        });
        Ok(called.await?.map(|entry| Entry { value: entry.value.into(), version: entry.version }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        let (key, value) = (key.to_string(), value.to_vec());
        let options = kv::SetOptions {
            ttl_seconds: options.ttl_seconds,
            condition: options.condition.map(Into::into),
            summary: options.summary.map(Into::into),
            durable: options.durable,
        };
        let called = self.guest.call(move |accessor, exports| {
            Box::pin(async move {
                exports.streaming_chunk_store_kv().call_set(accessor, key, value, options).await
            })
        });
        Ok(called.await?.into())
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        let (key, condition) = (key.to_string(), condition.map(Into::into));
        let called = self.guest.call(move |accessor, exports| {
            Box::pin(async move {
                exports.streaming_chunk_store_kv().call_delete(accessor, key, condition).await
            })
        });
        Ok(called.await?.into())
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let (prefix, cursor) = (prefix.to_string(), cursor.map(str::to_string));
        let called = self.guest.call(move |accessor, exports| {
            Box::pin(async move {
                let kv = exports.streaming_chunk_store_kv();
                kv.call_list_keys(accessor, prefix, cursor, limit).await
            })
        });
        let page = called.await?;
        let keys = page.keys.into_iter();
        let keys = keys.map(|kv::ListedKey { key, summary }| ListedKey {
            key,
            summary: summary.map(Into::into),
        });
        Ok(KeyPage { keys: keys.collect(), cursor: page.cursor })
    }
}

impl From<kv::Limits> for KvLimits {
    fn from(limits: kv::Limits) -> Self {
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

impl From<kv::Error> for KvError {
    fn from(error: kv::Error) -> Self {
        match error {
            kv::Error::Unavailable(why) => Self::Unavailable(why),
            kv::Error::Throttled(ms) => Self::Throttled(ms),
            kv::Error::Rejected(why) => Self::Rejected(why),
        }
    }
}

impl From<kv::Outcome> for Outcome {
    fn from(outcome: kv::Outcome) -> Self {
        match outcome {
            kv::Outcome::Done => Self::Done,
            kv::Outcome::Stale => Self::Stale,
        }
    }
}

impl From<Condition> for kv::Condition {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Absent => Self::Absent,
            Condition::VersionIs(version) => Self::VersionIs(version),
        }
    }
}
