//! Writing the chunks of one segment: several sets under way while the next chunk
//! fills.
//!
//! The segment's record is durable before the first chunk that it covers, so
//! whatever becomes of the write, sweep can find what it left.

use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{Either, LocalBoxFuture, select};
use futures::stream::FuturesUnordered;

use super::Store;
use super::commit::kv_ttl;
use crate::budget::Share;
use crate::chunker::Chunk;
use crate::clock::Clock;
use crate::digest::{Digest, Tree};
use crate::error::Error;
use crate::key::{self, Id, NUMBER_END};
use crate::kv::{Kv, KvLimits, SetOptions};
use crate::limits::GRACE_SECONDS_DEFAULT;
use crate::manifest::paging::{ChunkList, FullPage, list_nodes_max};
use crate::manifest::{Node, Place};
use crate::pacing;
use crate::segment::Segment;

/// A segment being written.
pub(super) struct SegmentWriter<'a, K, C> {
    store: &'a Store<K, C>,
    id: Id,
    record: Segment,
    recorded: bool,
    chunks: u32,
    list: ChunkList,
    tree: Tree,
    sets: FuturesUnordered<LocalBoxFuture<'a, Result<(), Error>>>,
    depth: usize,
    /// Operations that may still be begun, where they are counted.
    operations: Option<u64>,
    ttl_seconds: Option<u32>,
}

/// A segment whose chunks are all acknowledged.
pub(super) struct WrittenSegment {
    /// Its name.
    pub id: Id,
    /// The chunk list.
    pub nodes: Vec<Node>,
    /// The digest of the whole.
    pub digest: Digest,
}

impl<'a, K: Kv + 'a, C: Clock + 'a> SegmentWriter<'a, K, C> {
    /// Begins a segment. `record` covers the chunks that are expected.
    /// `ttl_seconds` is the object's; `operations` how many may be spent on it.
    pub fn new(
        store: &'a Store<K, C>,
        record: Segment,
        limits: &KvLimits,
        ttl_seconds: Option<u32>,
        operations: Option<u64>,
    ) -> Self {
        let id = store.new_id();
        let until_deadline = record.deadline.saturating_sub(store.clock().wall_ms()) / 1000;
        let kept = ttl_seconds
            .map(|ttl| until_deadline + u64::from(ttl) + u64::from(GRACE_SECONDS_DEFAULT));
        Self {
            store,
            id,
            record,
            recorded: false,
            chunks: 0,
            list: ChunkList::new(id, list_nodes_max(limits.value_bytes_max)),
            tree: Tree::default(),
            sets: FuturesUnordered::new(),
            depth: pacing::depth(limits),
            operations,
            ttl_seconds: kv_ttl(limits, kept),
        }
    }

    /// Does `work` while the sets under way go on; ends early with the first of them
    /// that fails.
    pub async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            if self.sets.is_empty() {
                return Ok(work.await);
            }
            match select(work.as_mut(), self.sets.next()).await {
                Either::Left((output, _)) => return Ok(output),
                Either::Right((acknowledged, _)) => acknowledged.transpose()?,
            };
        }
    }

    /// Starts to store a chunk, and the pages that it fills up; waits only while
    /// too many sets are under way. The share of the budget is held until the chunk
    /// is acknowledged.
    pub async fn write(&mut self, chunk: Chunk, share: Share) -> Result<(), Error> {
        let number = self.chunks;
        if number + 1 >= NUMBER_END {
            return Err(Error::LimitExceeded(format!(
                "the object has more than {NUMBER_END} chunks"
            )));
        }
        if self.store.clock().wall_ms() > self.record.deadline {
            // Sweep may have taken the segment for abandoned: what came later would never
            // be found.
            return Err(past_deadline());
        }
        self.chunks += 1;
        let length = chunk.bytes.len() as u64;
        self.tree.push(length, chunk.digest);
        let place = Place::Chunk { segment: self.id, number };
        let pages = self.list.push(Node { length, cv: chunk.digest.cv, place });
        self.cover().await?;
        self.start_set(key::chunk(self.id, number), chunk.bytes, Some(share)).await?;
        for FullPage { number, bytes } in pages {
            self.start_set(key::page(self.id, number), bytes.into(), None).await?;
        }
        Ok(())
    }

    /// Makes sure that the durable record covers what is about to be written.
    async fn cover(&mut self) -> Result<(), Error> {
        if self.record.reserve(self.chunks, self.list.pages()) || !self.recorded {
            // Set even if it fails: the answer may have been lost.
            self.recorded = true;
            let options = SetOptions {
                durable: true,
                ttl_seconds: self.ttl_seconds,
                ..SetOptions::default()
            };
            let record = Bytes::from(self.record.encode());
            let key = key::segment(self.id);
            let store = self.store;
            self.spend(1)?;
            self.alongside(store.kv().set(&key, record, options)).await??;
        }
        Ok(())
    }

    async fn start_set(
        &mut self,
        key: String,
        value: Bytes,
        share: Option<Share>,
    ) -> Result<(), Error> {
        while self.sets.len() >= self.depth {
            self.sets.next().await.transpose()?;
        }
        self.spend(1)?;
        let store = self.store;
        let options = SetOptions { ttl_seconds: self.ttl_seconds, ..SetOptions::default() };
        self.sets.push(Box::pin(async move {
            let acknowledged = store.kv().set(&key, value, options).await;
            drop(share);
            acknowledged
        }));
        Ok(())
    }

    fn spend(&mut self, operations: u64) -> Result<(), Error> {
        let Some(left) = &mut self.operations else { return Ok(()) };
        *left = left.checked_sub(operations).ok_or_else(|| {
            Error::LimitExceeded(
                "the body needs more kv operations than this invocation may make; announce its size, so that larger chunks are planned".to_string(),
            )
        })?;
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub async fn finish(&mut self) -> Result<WrittenSegment, Error> {
        while let Some(acknowledged) = self.sets.next().await {
            acknowledged?;
        }
        let digest = self.tree.root().expect("chunks begin at offset 0");
        let mut nodes = std::mem::replace(&mut self.list, ChunkList::new(self.id, 4)).finish();
        if let [lone] = &mut nodes[..] {
            lone.cv = digest.0;
        }
        Ok(WrittenSegment { id: self.id, nodes, digest })
    }

    /// After a failure: tells sweep that nobody will commit this segment.
    pub async fn abandon(self) {
        drop(self.sets);
        if self.recorded {
            let condemned_at = Some(self.store.clock().wall_ms());
            let record = Segment { condemned_at, ..self.record };
            let value = Bytes::from(record.encode());
            let key = key::segment(self.id);
            let _ = self.store.kv().set_as_hint(&key, value, SetOptions::default()).await;
        }
    }
}

/// The error of a write that may no longer be committed.
pub(super) fn past_deadline() -> Error {
    Error::Unavailable(
        "the write took longer than its deadline allows; nothing was stored".into(),
        None,
    )
}
