//! Runs the chunk-store component on wasmtime.

pub mod kv;
