//! Exports a [`Kv`] as the interface `kv` of a component: an adapter, to be composed below
//! a store.
//!
//! An adapter is a crate for `wasm32-unknown-unknown` that implements [`Kv`] over an
//! interface of its host, and names it:
//!
//! ```ignore
//! chunk_store_adapter::export!(MyKv, MyKv::new());
//! ```
//!
//! What its host cannot do, it says in its [limits]: no expiry, no conditions, no
//! summaries. Values are the bytes that were set and nothing beside them, so that an object
//! can be copied key by key from one platform to another. Over a platform that can do no
//! more than get, set and delete whole values an adapter implements [`Plain`] only.
//!
//! [`Kv`]: chunk_store::kv::Kv
//! [limits]: chunk_store::kv::KvLimits

mod checked;
#[cfg(target_family = "wasm")]
mod component;
mod listing;
mod plain;
mod settings;

pub use checked::Checked;
#[cfg(target_family = "wasm")]
pub use component::{Adapter, Component, bindings};
pub use plain::{Plain, PlainKv};
pub use settings::Settings;

/// Exports a [`Kv`](chunk_store::kv::Kv): its type, and the expression that makes the one
/// of an instance.
#[macro_export]
macro_rules! export {
    ($kv:ty, $make:expr) => {
        struct ExportedKv;

        impl $crate::Adapter for ExportedKv {
            type Kv = $kv;

            fn kv() -> &'static $crate::Checked<$kv> {
                thread_local! {
                    static KV: &'static $crate::Checked<$kv> =
                        Box::leak(Box::new($crate::Checked::new($make)));
                }
                KV.with(|kv| *kv)
            }
        }

        type ExportedComponent = $crate::Component<ExportedKv>;
        $crate::bindings::export!(ExportedComponent with_types_in $crate::bindings);
    };
}
