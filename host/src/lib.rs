//! Runs the chunk-store component on wasmtime, over any [`kv::Backend`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use chunk_store_host::{ChunkStore, kv};
//! use chunk_store::object::{GetOptions, PutOptions};
//!
//! let store = ChunkStore::new(kv::open("file:./data").await?)?;
//! let file = tokio::fs::File::open("film.mp4").await?;
//! let info = store.put("film", file, PutOptions::default()).await?;
//! println!("{} bytes, {}", info.size, info.digest);
//!
//! let mut reader = store.get("film", GetOptions::default()).await?;
//! tokio::io::copy(&mut reader, &mut tokio::io::stdout()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Data flows through `body` into the guest, from the guest into a backend, and
//! back. One instance serves all operations of a [`ChunkStore`] at once, or several share
//! them; each runs on a thread of its own (`instance`), and is replaced when it traps.

mod allocator;
mod bindings;
mod body;
pub mod copy;
mod engine;
mod error;
mod instance;
#[cfg(test)]
mod instructions;
pub mod kv;
mod operations;
pub mod otlp;
mod reader;
pub mod serve;
mod served;
mod store;
mod surroundings;
mod trace;

pub use allocator::keep_freed_memory;
pub use body::Body;
pub use error::Error;
pub use operations::TARGET as OPERATIONS_TARGET;
pub use reader::ObjectReader;
pub use store::uploads::UploadReader;
pub use store::{ChunkStore, Config};

/// The component that the host runs, as it was built: for embedding elsewhere.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/store.wasm"));

/// The same with HTTP in front: what [`serve`] runs.
pub static GATEWAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gateway.wasm"));
