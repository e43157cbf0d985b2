//! A streaming chunk store over any key-value store.
//!
//! Modules in the order data flows.

pub mod attempt;
pub mod body;
pub mod budget;
pub mod chunker;
pub mod clock;
#[cfg(target_family = "wasm")]
pub mod component;
pub mod digest;
pub mod error;
pub mod key;
pub mod kv;
pub mod limits;
pub mod manifest;
pub mod object;
pub mod pacing;
pub mod plan;
pub mod range;
pub mod record;
pub mod segment;
pub mod store;
pub mod upload;
