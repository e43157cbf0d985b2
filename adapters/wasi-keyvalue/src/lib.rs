//! The adapter over `wasi:keyvalue@0.2.0-draft2`: exports `kv`, to be composed below a store.
//!
//! Only `store` of that package is used. Its `batch` is Redis' `KEYS` in Spin; its `atomics`
//! set on a condition and do not delete on one, and `kv` takes both or none. So an object is
//! written without conditions, as with the adapter over `spin:key-value`, and the environment
//! says what the platform holds in the same variables.
//!
//! The package's calls do not suspend: while one goes on, the instance stands still.

#[cfg(target_family = "wasm")]
mod component;
