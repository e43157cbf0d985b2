//! `cacache`: a cache on disk, by content, in the process that asks.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use cacache::{SyncReader, WriteOpts};

use crate::compare::disk;
use crate::compare::subject::{
    Entry, Group, Result, Role, Site, Small, Source, Subject, Taken, each_blocking,
};

/// So much is moved at once.
const PIECE_BYTES: usize = 1 << 20;

/// Beside the store on files that are not synced, as its own are not.
pub const ENTRIES: [Entry; 1] = [Entry {
    group: Group::Cached,
    name: "cacache",
    role: Role::Verifying,
    note: "SHA-256 of the whole, known good only at its end; one file; reads no ranges",
    bytes_max: u64::MAX,
    open: |site| Box::pin(open(site)),
}];

async fn open(site: &Site) -> Result<Box<dyn Subject>> {
    Ok(Box::new(Cacache { cache: site.directory.join("cacache") }))
}

struct Cacache {
    cache: PathBuf,
}

impl Cacache {
    fn put_all(&self, key: &str, source: &Source) -> Result {
        let size = usize::try_from(source.size)?;
        let mut writer = WriteOpts::new().size(size).open_sync(&self.cache, key)?;
        let mut file = source.open()?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => writer.write_all(&piece[..count])?,
            }
        }
        writer.commit()?;
        Ok(())
    }

    fn get_all(&self, key: &str, taken: &mut Taken) -> Result {
        let mut reader = SyncReader::open(&self.cache, key)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match reader.read(&mut piece)? {
                0 => break,
                count => taken.take(&piece[..count]),
            }
        }
        reader.check()?;
        Ok(())
    }
}

#[async_trait]
impl Subject for Cacache {
    async fn put(&self, key: &str, source: &Source) -> Result {
        tokio::task::block_in_place(|| self.put_all(key, source))
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        tokio::task::block_in_place(|| self.get_all(key, taken))
    }

    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        each_blocking(objects, |object| {
            cacache::write_sync(&self.cache, &object.key, &object.bytes)?;
            Ok(())
        })?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        let get = |object: &Small| Ok(cacache::read_sync(&self.cache, &object.key)?.into());
        each_blocking(objects, get).map(Some)
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        disk::allocated_bytes(&self.cache).map(Some)
    }
}
