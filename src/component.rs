//! The component: the store over an imported `kv`, and what the world `store` exports of it.
//! Generated types are named in this module and nowhere else.
//!
//! Whoever is linked with it exports `metrics`; the rest only with the feature `component`.

mod convert;
#[cfg(feature = "component")]
mod exports;
#[cfg(feature = "component")]
mod parameters;
pub mod sending;
mod set;

use bytes::Bytes;

use self::bindings::exports::streaming::chunk_store::metrics;
use self::bindings::streaming::chunk_store::kv as imported;
use crate::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use crate::range::Span;
use crate::store::Store;
use crate::wasi::WasiClock;

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        // The world `store` less what `exports` has.
        inline: "
            package streaming:chunk-store-core;

            world part {
                import streaming:chunk-store/kv@0.1.0;
                import wasi:clocks/monotonic-clock@0.3.0;
                import wasi:clocks/system-clock@0.3.0;
                import wasi:random/random@0.3.0;
                export streaming:chunk-store/metrics@0.1.0;
            }
        ",
        path: "wit",
        with: {
            "wasi:clocks/types@0.3.0": wasip3::clocks::types,
            "wasi:clocks/monotonic-clock@0.3.0": wasip3::clocks::monotonic_clock,
            "wasi:clocks/system-clock@0.3.0": wasip3::clocks::system_clock,
            "wasi:random/random@0.3.0": wasip3::random::random,
        },
        generate_all,
    });
}

bindings::export!(Component with_types_in bindings);

struct Component;

thread_local! {
    /// One store for the instance: operations share its memory budget.
    static STORE: Store<ImportedKv, WasiClock> = Store::new(ImportedKv, WasiClock);
}

/// The instance's store, for what is linked with it into one component.
pub fn store() -> Store<ImportedKv, WasiClock> {
    STORE.with(Store::clone)
}

impl metrics::Guest for Component {
    fn read() -> metrics::Snapshot {
        store().metrics().into()
    }

    fn take_ended() -> metrics::EndedOperations {
        store().take_ended().into()
    }
}

/// The kv that the component imports.
#[derive(Debug)]
pub struct ImportedKv;

impl Kv for ImportedKv {
    fn limits(&self) -> KvLimits {
        imported::get_limits().into()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let part = part.map(|Span { start, end }| imported::Span { start, end });
        let entry = imported::get(key.to_string(), part).await?;
        Ok(entry.map(Into::into))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        Ok(set::set(key.to_string(), value, options).await?.into())
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        Ok(imported::delete(key.to_string(), condition.map(Into::into)).await?.into())
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let cursor = cursor.map(str::to_string);
        Ok(imported::list_keys(prefix.to_string(), cursor, limit).await?.into())
    }
}
