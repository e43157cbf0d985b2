//! A key-value store of one's own: a map. What the five functions promise is in `wit/kv.wit`.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use wasmtime::component::{Accessor, HasSelf, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::streaming::chunk_store::kv::{
    self, Condition, Entry, Error, KeyPage, Limits, ListedKey, Outcome, SetOptions, Span,
};

/// What an instance of the store has.
pub struct Host {
    pub wasi: WasiCtx,
    pub table: ResourceTable,
    pub values: BTreeMap<String, Vec<u8>>,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl kv::Host for Host {
    /// Less than a map could do: what is not promised the store does without.
    fn get_limits(&mut self) -> Limits {
        Limits {
            value_bytes_max: 64 << 20,
            key_bytes_max: 1024,
            summary_bytes_max: 0,
            ttl_seconds_min: None,
            staleness_ms: 0,
            write_lag_ms_max: 0,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: 8,
            memory_bytes_max: 16 << 20,
            ranged_get: false,
            conditional_write: false,
        }
    }
}

impl<T: 'static> kv::HostWithStore<T> for HasSelf<Host> {
    async fn get(
        accessor: &Accessor<T, Self>,
        key: String,
        _: Option<Span>,
    ) -> Result<Option<Entry>, Error> {
        let value = accessor.with(|mut host| host.get().values.get(&key).cloned());
        Ok(value.map(|value| Entry { value, version: None }))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        key: String,
        value: Vec<u8>,
        _: SetOptions,
    ) -> Result<Outcome, Error> {
        accessor.with(|mut host| host.get().values.insert(key, value));
        Ok(Outcome::Done)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        key: String,
        _: Option<Condition>,
    ) -> Result<Outcome, Error> {
        accessor.with(|mut host| host.get().values.remove(&key));
        Ok(Outcome::Done)
    }

    async fn list_keys(
        accessor: &Accessor<T, Self>,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<KeyPage, Error> {
        Ok(accessor.with(|mut host| {
            let first = cursor.map_or(Included(prefix.clone()), Excluded);
            let keys = host.get().values.range((first, Unbounded)).map(|(key, _)| key);
            let with_prefix = keys.take_while(|key| key.starts_with(&prefix));
            let keys: Vec<String> = with_prefix.take(limit as usize).cloned().collect();
            let full = keys.len() == limit as usize;
            let cursor = keys.last().filter(|_| full).cloned();
            let listed = keys.into_iter().map(|key| ListedKey { key, summary: None });
            KeyPage { keys: listed.collect(), cursor }
        }))
    }
}
