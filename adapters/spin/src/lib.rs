//! The adapter over `spin:key-value@3.0.0`: exports `kv`, to be composed below a store.
//!
//! Spin keeps whole values by key, and says nothing of what it can hold: the environment
//! may ([`Settings`]). What it has none of (expiry, conditions, summaries, parts of values)
//! the store does without; a page of a listing reads all keys.
//!
//! [`Settings`]: https://docs.rs/chunk-store-adapter

#[cfg(target_family = "wasm")]
mod component;
