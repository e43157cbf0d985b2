//! This project, as a library in the process that asks.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::range::{ByteRange, Span};
use chunk_store_host::kv::{self, Backend};
use chunk_store_host::{Body, ChunkStore, Config};
use chunk_store_tests::redis::{Server, Settings};

use crate::compare::disk;
use crate::compare::subject::{
    Entry, Group, Opening, Result, Role, Site, Small, Source, Subject, Taken, each,
};

use super::redis;

const NAME: &str = "chunk-store";
const NAME_TOGETHER: &str = "chunk-store on all processors";

/// On each kind of place.
pub const ENTRIES: [Entry; 7] = [
    entry(Group::Synced, "the library on `file:DIR`", |site| Box::pin(files(site, "", 1))),
    entry(Group::Cached, "the library on `file:DIR?sync=none`", |site| {
        Box::pin(files(site, "?sync=none", 1))
    }),
    together(Group::Cached, |site| Box::pin(files(site, "?sync=none", processors()))),
    entry(Group::Memory, "the library on `memory:`", |_| Box::pin(memory(1))),
    together(Group::Memory, |_| Box::pin(memory(processors()))),
    entry(Group::Redis, "the library on `redis://`", |_| {
        Box::pin(redis_server(Settings::forgetful()))
    }),
    entry(Group::RedisSynced, "the library on `redis://`", |_| {
        Box::pin(redis_server(Settings::default()))
    }),
];

const fn entry(
    group: Group,
    note: &'static str,
    open: for<'a> fn(&'a Site) -> Opening<'a>,
) -> Entry {
    Entry { group, name: NAME, role: Role::Own, note, bytes_max: u64::MAX, open }
}

const fn together(group: Group, open: for<'a> fn(&'a Site) -> Opening<'a>) -> Entry {
    let note = "the same with `Config::instances_max`: an instance for each processor";
    Entry { name: NAME_TOGETHER, role: Role::Together, ..entry(group, note, open) }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn store(backend: Arc<dyn Backend>, instances_max: usize) -> Result<ChunkStore> {
    Ok(ChunkStore::with_config(backend, &Config { instances_max, ..Config::default() })?)
}

struct Own {
    store: ChunkStore,
    files: Option<PathBuf>,
    server: Option<Server>,
}

async fn files(site: &Site, options: &str, instances_max: usize) -> Result<Box<dyn Subject>> {
    let directory = site.directory.join("store");
    let backend = kv::open(&format!("file:{}{options}", directory.display())).await?;
    let store = store(backend, instances_max)?;
    Ok(Box::new(Own { store, files: Some(directory), server: None }))
}

async fn memory(instances_max: usize) -> Result<Box<dyn Subject>> {
    let store = store(kv::open("memory:").await?, instances_max)?;
    Ok(Box::new(Own { store, files: None, server: None }))
}

async fn redis_server(settings: Settings) -> Result<Box<dyn Subject>> {
    let server = Server::with(settings);
    let store = store(kv::open(&server.url()).await?, 1)?;
    Ok(Box::new(Own { store, files: None, server: Some(server) }))
}

impl Own {
    async fn read(&self, key: &str, range: Option<ByteRange>, bytes: usize) -> Result<Bytes> {
        let mut reader = self.store.get(key, GetOptions { range, ..GetOptions::default() }).await?;
        let mut read = BytesMut::with_capacity(bytes);
        while let Some(piece) = reader.next().await {
            read.extend_from_slice(&piece?);
        }
        Ok(read.freeze())
    }
}

#[async_trait]
impl Subject for Own {
    async fn put(&self, key: &str, source: &Source) -> Result {
        let options = PutOptions { size: Some(source.size), ..PutOptions::default() };
        let info = self.store.put(key, Body::blocking(source.open()?), options).await?;
        match info.digest == format!("blake3:{}", source.digest) {
            true => Ok(()),
            false => Err(format!("the object has the digest {}", info.digest).into()),
        }
    }

    async fn get(&self, key: &str, taken: &mut Taken) -> Result {
        let mut reader = self.store.get(key, GetOptions::default()).await?;
        while let Some(piece) = reader.next().await {
            taken.take(&piece?);
        }
        Ok(())
    }

    async fn range(&self, key: &str, span: Span) -> Result<Option<Bytes>> {
        let range = ByteRange::Between(span.start, span.end);
        self.read(key, Some(range), span.len() as usize).await.map(Some)
    }

    async fn put_small(&self, objects: &[Small]) -> Result<bool> {
        each(objects, |object| Box::pin(self.put_one(object))).await?;
        Ok(true)
    }

    async fn get_small(&self, objects: &[Small]) -> Result<Option<Vec<Bytes>>> {
        each(objects, |object| Box::pin(self.get_one(object))).await.map(Some)
    }

    fn servers(&self) -> Result<Vec<u32>> {
        Ok(self.server.iter().map(Server::pid).collect())
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        match (&self.files, &self.server) {
            (Some(directory), _) => disk::allocated_bytes(directory).map(Some),
            (None, Some(server)) => redis::stored_bytes(server).map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl Own {
    async fn get_one(&self, object: &Small) -> Result<Bytes> {
        self.read(&object.key, None, object.bytes.len()).await
    }

    async fn put_one(&self, object: &Small) -> Result {
        let size = Some(object.bytes.len() as u64);
        let options = PutOptions { size, ..PutOptions::default() };
        self.store.put(&object.key, Cursor::new(object.bytes.clone()), options).await?;
        Ok(())
    }
}
