//! What is compared: one trait, that every way of keeping objects has.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::range::Span;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

/// How measuring ended; errors come from many crates.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many small objects are under way.
pub const SMALL_AT_ONCE: usize = 16;

/// A way of keeping objects, opened on a place of its own.
///
/// What it cannot do it does not: `None`, and the table has a gap.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Stores the source under a key; returns when it is as durable as the group says.
    async fn put(&self, key: &str, source: &Source) -> Result;

    /// Reads it back, from the first byte to the last.
    async fn get(&self, key: &str, taken: &mut Taken) -> Result;

    /// Reads these bytes of it.
    async fn range(&self, _key: &str, _span: Span) -> Result<Option<Bytes>> {
        Ok(None)
    }

    /// Stores these, up to [`SMALL_AT_ONCE`] under way; whether it did.
    async fn put_small(&self, _objects: &[Small]) -> Result<bool> {
        Ok(false)
    }

    /// Reads them back, in their order.
    async fn get_small(&self, _objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        Ok(None)
    }

    /// The processes that serve it.
    fn servers(&self) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }

    /// How many bytes everything that it keeps takes.
    async fn stored_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

/// A subject as it is listed: what it is, and how it is opened.
pub struct Entry {
    /// What it is compared with.
    pub group: Group,
    /// Its name in the group.
    pub name: &'static str,
    /// What it is there for.
    pub role: Role,
    /// What there is to know of its figures; of one that verifies nothing, why it may be ahead.
    pub note: &'static str,
    /// The largest object that it takes.
    pub bytes_max: u64,
    /// Opens it.
    pub open: for<'a> fn(&'a Site) -> Opening<'a>,
}

/// A subject that is being opened.
pub type Opening<'a> = BoxFuture<'a, Result<Box<dyn Subject>>>;

impl Entry {
    /// `GROUP/NAME`, as filters and commands name it.
    pub fn path(&self) -> String {
        format!("{}/{}", self.group.name(), self.short_name())
    }

    /// `NAME` of it.
    pub fn short_name(&self) -> String {
        self.name.replace(' ', "-")
    }
}

/// What a subject is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This project.
    Own,
    /// The same, with an instance for each processor.
    Together,
    /// The same work by a loop, without the component: what bars are shares of.
    Floor,
    /// Less work than that: for information.
    Bound,
    /// Somebody else's, that verifies what it gives back.
    Verifying,
    /// Somebody else's, that does not.
    Plain,
}

/// What is compared with each other: the same kind of place, the same durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Files, on disk when a put returns; gets read from the disk.
    Synced,
    /// Files in the page cache.
    Cached,
    /// This process's memory, or a server's.
    Memory,
    /// Redis, in memory.
    Redis,
    /// Redis that has each write on disk before it answers.
    RedisSynced,
    /// Over HTTP on loopback, from files in the page cache.
    Http,
    /// Programs, a process for each object, on files in the page cache.
    Cli,
}

impl Group {
    /// All, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Synced,
        Self::Cached,
        Self::Memory,
        Self::Redis,
        Self::RedisSynced,
        Self::Http,
        Self::Cli,
    ];

    /// Its name in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Cached => "cached",
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::RedisSynced => "redis-synced",
            Self::Http => "http",
            Self::Cli => "cli",
        }
    }

    /// Its title on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Synced => "Files on disk",
            Self::Cached => "Files in the page cache",
            Self::Memory => "Memory",
            Self::Redis => "Redis, nothing on disk",
            Self::RedisSynced => "Redis, every write on disk (appendfsync always)",
            Self::Http => "Over HTTP, files in the page cache",
            Self::Cli => "Programs, files in the page cache",
        }
    }

    /// Whether it is measured where time is short.
    pub fn is_quick(self) -> bool {
        self != Self::RedisSynced
    }

    /// Whether what was put is taken out of the page cache before it is read.
    pub fn is_cold(self) -> bool {
        self == Self::Synced
    }
}

/// Where a subject may put what it needs.
#[derive(Debug, Clone)]
pub struct Site {
    /// A directory of its own, removed with all that is in it.
    pub directory: PathBuf,
    /// The program `chunk-store`.
    pub program: PathBuf,
    /// Cargo's directory for files of tests, where programs keep compiled code.
    pub tmp: PathBuf,
}

/// The object that is stored: a file in the page cache.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub size: u64,
    /// Of these bytes.
    pub digest: blake3::Hash,
}

impl Source {
    /// The file, opened.
    pub fn open(&self) -> Result<File> {
        Ok(File::open(&self.path)?)
    }
}

/// A small object.
#[derive(Debug, Clone)]
pub struct Small {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Takes what a get gives.
pub struct Taken {
    begun: Instant,
    /// How long the first byte took, where it was seen.
    pub first_byte: Option<Duration>,
    /// How many came.
    pub bytes: u64,
    hasher: Option<blake3::Hasher>,
}

impl Taken {
    /// Counts the bytes, from now on, and digests them if they are to be checked.
    pub fn new(checked: bool) -> Self {
        let hasher = checked.then(blake3::Hasher::new);
        Self { begun: Instant::now(), first_byte: None, bytes: 0, hasher }
    }

    /// The next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        if self.first_byte.is_none() && !bytes.is_empty() {
            self.first_byte = Some(self.begun.elapsed());
        }
        self.bytes += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    /// All came in this file, nobody saw the first byte come.
    pub fn take_file(&mut self, file: &mut File) -> Result {
        let Some(hasher) = &mut self.hasher else {
            self.bytes += file.metadata()?.len();
            return Ok(());
        };
        let before = hasher.count();
        hasher.update_reader(file)?;
        self.bytes += hasher.count() - before;
        Ok(())
    }

    /// Whether these were the source's.
    pub fn check(&self, source: &Source) -> Result {
        if self.bytes != source.size {
            return Err(format!("{} of {} bytes came back", self.bytes, source.size).into());
        }
        match &self.hasher {
            Some(hasher) if hasher.finalize() != source.digest => {
                Err("what came back is not what was stored".into())
            }
            _ => Ok(()),
        }
    }
}

/// Does this for all objects, [`SMALL_AT_ONCE`] under way; gives the results in their order.
pub fn each<'a, T: Send + 'a>(
    objects: &'a [Small],
    work: impl Fn(&'a Small) -> BoxFuture<'a, Result<T>>,
) -> BoxFuture<'a, Result<Vec<T>>> {
    let all: Vec<_> = objects.iter().map(work).collect();
    Box::pin(stream::iter(all).buffered(SMALL_AT_ONCE).try_collect())
}

/// The same with a blocking call, on as many threads.
pub fn each_blocking<T: Send>(
    objects: &[Small],
    work: impl Fn(&Small) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let part = objects.len().div_ceil(SMALL_AT_ONCE).max(1);
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let parts: Vec<_> = objects
                .chunks(part)
                .map(|part| scope.spawn(|| part.iter().map(&work).collect::<Result<Vec<T>>>()))
                .collect();
            let mut all = Vec::with_capacity(objects.len());
            for part in parts {
                all.extend(part.join().expect("it does not panic")?);
            }
            Ok(all)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source { path: PathBuf::new(), size: 5, digest: blake3::hash(b"hello") }
    }

    #[test]
    fn other_bytes_and_too_few_are_noticed() {
        for (pieces, right) in
            [(["hel", "lo"], true), (["hel", "l0"], false), (["hel", "l"], false)]
        {
            let mut taken = Taken::new(true);
            pieces.iter().for_each(|piece| taken.take(piece.as_bytes()));
            assert_eq!(taken.check(&source()).is_ok(), right, "{pieces:?}");
            assert!(taken.first_byte.is_some());
        }
    }
}
