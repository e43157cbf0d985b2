//! kv in files, below one directory: its layout, for every program that reads or writes
//! one, and an adapter that gives `kv` over `wasi:filesystem`.
//!
//! | in the directory | what |
//! |---|---|
//! | `data/` | the values: each file holds a value's bytes and nothing else; [`names`] says which |
//! | `tmp/` | values that are being written; what is older than an hour is removed |
//! | `claims/` | who is about to change which keys, of the adapter (`adapter/claims`) |
//! | `locks/` | the same, of the host's backend `file:` |
//!
//! So a directory that `chunk-store --kv file:DIR` writes is read by the adapter, and the
//! other way round. What differs: WASI has no extended attributes, in which the host's
//! backend keeps the version. In the adapter that is the digest of the value, as it is in the
//! host's backend on file systems without attributes.
//!
//! Writers of one kind keep out of each other's way, threads, instances and processes:
//! the host's by locks, the adapter's by claims, as WASI has no locks. A lock keeps nobody
//! from a claim, so while both kinds write the same object at once, a conditional write of
//! one may undo a write of the other.

#[cfg(any(target_family = "wasm", test))]
mod adapter;
pub mod names;
mod obstacle;
pub mod walk;

pub use obstacle::Obstacle;
