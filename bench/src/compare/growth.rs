//! What changes as something grows: the object, how many operations there are at once, how
//! many objects a listing holds. Each measurement in a process of its own.

mod discard;

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chunk_store::object::{GetOptions, ListOptions, PutOptions};
use chunk_store_host::{Body, ChunkStore, kv};
use chunk_store_tests::random;
use chunk_store_tests::redis::{Server, Settings};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use self::discard::{Discard, Source};
use super::subject::Result;
use super::usage;

/// What is measured.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Growth {
    /// An object of so many bytes.
    Size { bytes: u64 },
    /// So many operations at once.
    AtOnce { operations: usize },
    /// A listing of so many objects, on `memory`, `files` or `redis`.
    Listing { kv: String, objects: u32 },
}

/// An object that grows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Sized {
    /// The object's size.
    pub bytes: u64,
    /// For each byte in.
    pub put_ns: f64,
    /// And out.
    pub get_ns: f64,
    /// The most memory that the process has had.
    pub memory_bytes: u64,
    /// The most that the guest has had.
    pub guest_bytes: u64,
    /// Of kv for the put, and for the get.
    pub put_operations: u64,
    /// See there.
    pub get_operations: u64,
    /// Set for the object besides its content.
    pub described_bytes: u64,
}

/// Operations at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct AtOnce {
    /// How many.
    pub operations: usize,
    /// All of them together.
    pub put_bytes_per_second: f64,
    /// See there.
    pub get_bytes_per_second: f64,
    /// The most memory that the process has had.
    pub memory_bytes: u64,
}

/// A listing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Listing {
    /// How many objects.
    pub objects: u32,
    /// The first page of 1000.
    pub first_page_ms: f64,
    /// All pages.
    pub keys_per_second: f64,
}

const KEY: &str = "object";

/// Puts and gets an object of this size.
pub async fn size(bytes: u64) -> Result<Sized> {
    let kv = Arc::new(Discard::new());
    let store = ChunkStore::new(kv.clone())?;
    // Buffers and code, as everywhere.
    put(&store, "warm", 64 << 20).await?;
    get(&store, "warm", 64 << 20).await?;
    kv.take_counts();
    let own = [std::process::id()];
    usage::reset_peaks(&own)?;
    let begun = Instant::now();
    put(&store, KEY, bytes).await?;
    let put_took = begun.elapsed();
    let (put_operations, described_bytes) = kv.take_counts();
    let begun = Instant::now();
    get(&store, KEY, bytes).await?;
    let get_took = begun.elapsed();
    let (get_operations, _) = kv.take_counts();
    let per_byte = |took: std::time::Duration| took.as_secs_f64() * 1e9 / bytes as f64;
    Ok(Sized {
        bytes,
        put_ns: per_byte(put_took),
        get_ns: per_byte(get_took),
        memory_bytes: usage::peak_bytes(&own)?,
        guest_bytes: store.guest_memory_bytes() as u64,
        put_operations,
        get_operations,
        described_bytes,
    })
}

async fn put(store: &ChunkStore, key: &str, bytes: u64) -> Result {
    let options = PutOptions { size: Some(bytes), ..PutOptions::default() };
    store.put(key, Body::blocking(Source::new(bytes)), options).await?;
    Ok(())
}

async fn get(store: &ChunkStore, key: &str, bytes: u64) -> Result {
    let mut reader = store.get(key, GetOptions::default()).await?;
    let mut read = 0;
    while let Some(piece) = reader.next().await {
        read += piece?.len() as u64;
    }
    match read == bytes {
        true => Ok(()),
        false => Err(format!("{read} of {bytes} bytes came back").into()),
    }
}

/// So many objects are moved, of this size each, however many at once.
const OBJECTS: usize = 64;
const OBJECT_BYTES: u64 = 4 << 20;

/// Puts and gets objects on files in the page cache, so many at once.
pub async fn at_once(operations: usize, directory: &Path) -> Result<AtOnce> {
    let url = format!("file:{}?sync=none", directory.join("store").display());
    let store = &ChunkStore::new(kv::open(&url).await?)?;
    let content = Bytes::from(random::bytes(1, OBJECT_BYTES));
    let put = |number: usize| {
        let options = PutOptions { size: Some(OBJECT_BYTES), ..PutOptions::default() };
        let (key, content) = (format!("object-{number}"), content.clone());
        async move {
            store.put(&key, Body::blocking(Cursor::new(content)), options).await?;
            Result::Ok(())
        }
    };
    put(OBJECTS).await?;
    let own = [std::process::id()];
    usage::reset_peaks(&own)?;
    let begun = Instant::now();
    all(operations, put).await?;
    let put_took = begun.elapsed();
    let begun = Instant::now();
    all(
        operations,
        |number| async move { get(store, &format!("object-{number}"), OBJECT_BYTES).await },
    )
    .await?;
    let get_took = begun.elapsed();
    let bytes = OBJECTS as f64 * OBJECT_BYTES as f64;
    Ok(AtOnce {
        operations,
        put_bytes_per_second: bytes / put_took.as_secs_f64(),
        get_bytes_per_second: bytes / get_took.as_secs_f64(),
        memory_bytes: usage::peak_bytes(&own)?,
    })
}

async fn all<F: Future<Output = Result>>(at_once: usize, work: impl Fn(usize) -> F) -> Result {
    stream::iter(0..OBJECTS).map(work).buffer_unordered(at_once).try_collect().await
}

/// How many objects are put at once, to be listed.
const FILLING: usize = 32;

/// Lists so many objects on a kv of this kind.
pub async fn listing(kind: &str, objects: u32, directory: &Path) -> Result<Listing> {
    let (url, _server) = match kind {
        "memory" => ("memory:".to_string(), None),
        "files" => (format!("file:{}?sync=none", directory.join("store").display()), None),
        "redis" => {
            let server = Server::with(Settings::forgetful());
            (server.url(), Some(server))
        }
        other => return Err(format!("{other:?} is no kind of kv here").into()),
    };
    let store = &ChunkStore::new(kv::open(&url).await?)?;
    let put = |number: u32| async move {
        let key = format!("{:03}/object-{number:07}", number % 1000);
        let options = PutOptions { size: Some(8), ..PutOptions::default() };
        store.put(&key, Cursor::new(u64::from(number).to_le_bytes()), options).await?;
        Result::Ok(())
    };
    let fill = stream::iter(0..objects).map(put).buffer_unordered(FILLING);
    fill.try_collect::<()>().await?;
    let begun = Instant::now();
    let (mut listed, mut cursor, mut first_page) = (0, None, None);
    loop {
        let options = ListOptions {
            prefix: String::new(),
            delimiter: None,
            cursor,
            limit: 1000,
            details: false,
        };
        let page = store.list(options).await?;
        first_page.get_or_insert_with(|| begun.elapsed());
        listed += page.objects.len();
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if listed != objects as usize {
        return Err(format!("{listed} of {objects} objects are listed").into());
    }
    Ok(Listing {
        objects,
        first_page_ms: first_page.unwrap_or_default().as_secs_f64() * 1e3,
        keys_per_second: f64::from(objects) / begun.elapsed().as_secs_f64(),
    })
}
