//! The store itself, over files, as a Rust program would use it.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chunk_store::kv::KvLimits;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store_host::kv::Backend as _;
use chunk_store_host::kv::file::{Durability, FileBackend, FileOptions};
use chunk_store_host::{Body, ChunkStore};

async fn backend(directory: &Path) -> Result<FileBackend, Box<dyn Error + Send + Sync>> {
    // What `file:DIR?sync=none` opens.
    let options = FileOptions { durability: Durability::None, ..FileOptions::default() };
    Ok(FileBackend::open(directory, options).await?)
}

/// What the backend can hold: the plan depends on it.
pub async fn limits(directory: &Path) -> Result<KvLimits, Box<dyn Error + Send + Sync>> {
    Ok(backend(directory).await?.limits())
}

/// The size of an object that fills every buffer of an instance.
const WARM_BYTES: u64 = 64 << 20;

/// What one put and one get took.
pub struct Took {
    /// The put, from the opening of the source to the commit.
    pub put: Duration,
    /// The get, to the last byte.
    pub get: Duration,
    /// The most memory that the guest has had, in bytes.
    pub guest_memory_bytes: usize,
}

/// Stores `source`, in an empty `directory`, and reads it back.
pub async fn put_and_get(
    source: &Path,
    size: u64,
    digest: &blake3::Hash,
    chunks: u64,
    directory: &Path,
) -> Result<Took, Box<dyn Error + Send + Sync>> {
    let store = ChunkStore::new(Arc::new(backend(directory).await?))?;
    // Starts the instance and lets it touch its memory for the first time, which a
    // process does once, not for each object.
    let warm = PutOptions { size: Some(WARM_BYTES.min(size)), ..PutOptions::default() };
    store.put("warm", Body::blocking(File::open(source)?.take(WARM_BYTES.min(size))), warm).await?;

    let begun = Instant::now();
    let file = Body::blocking(File::open(source)?);
    let options = PutOptions { size: Some(size), ..PutOptions::default() };
    let info = store.put("object", file, options).await?;
    let put = begun.elapsed();
    let expected = format!("blake3:{digest}");
    if info.digest != expected || u64::from(info.chunks) != chunks {
        return Err(format!(
            "the store put {} in {} chunks; that should be {expected} in {chunks}",
            info.digest, info.chunks
        )
        .into());
    }

    let begun = Instant::now();
    let mut reader = store.get("object", GetOptions::default()).await?;
    let mut bytes = 0;
    while let Some(piece) = reader.next().await {
        bytes += piece?.len() as u64;
    }
    let get = begun.elapsed();
    if bytes != size {
        return Err(format!("the store gave {bytes} bytes back in place of {size}").into());
    }
    Ok(Took { put, get, guest_memory_bytes: store.guest_memory_bytes() })
}
