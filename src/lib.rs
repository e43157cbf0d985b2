//! A streaming chunk store over any key-value store.
//!
//! Modules in the order data flows.

pub mod ask;
pub mod attempt;
pub mod body;
pub mod budget;
pub mod chunker;
pub mod clock;
#[cfg(all(target_family = "wasm", feature = "guest"))]
pub mod component;
pub mod digest;
pub mod error;
pub mod key;
pub mod kv;
pub mod limits;
pub mod manifest;
pub mod metrics;
pub mod object;
pub mod pacing;
pub mod plan;
pub mod range;
pub mod record;
pub mod segment;
pub mod store;
pub mod stripe;
pub mod upload;
#[cfg(all(target_family = "wasm", feature = "wasi"))]
pub mod wasi;
