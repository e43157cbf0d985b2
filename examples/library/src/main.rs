//! Stores a file, and writes its first bytes to standard output:
//!
//! ```sh
//! cargo run --release --bin example-library -- film.mp4
//! ```

use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::range::ByteRange;
use chunk_store_host::{Body, ChunkStore, kv};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a file")?;
    let store = ChunkStore::new(kv::open("file:./data").await?)?;

    let file = Body::blocking(std::fs::File::open(path)?);
    let info = store.put("film", file, PutOptions::default()).await?;
    eprintln!("{} bytes, {}", info.size, info.digest);

    let first = GetOptions { range: Some(ByteRange::Between(0, 100)), ..GetOptions::default() };
    let mut reader = store.get("film", first).await?;
    tokio::io::copy(&mut reader, &mut tokio::io::stdout()).await?;
    Ok(())
}
