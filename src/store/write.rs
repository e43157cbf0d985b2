//! Writing the chunks of one segment: several sets under way while the next chunk
//! fills.
//!
//! The segment's record is durable before the first chunk that it covers, so
//! whatever becomes of the write, sweep can find what it left.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{LocalBoxFuture, select};
use futures::stream::FuturesUnordered;

use super::Store;
use super::commit::kv_ttl;
use super::journal::Journal;
use super::upload::Held;
use crate::budget::Share;
use crate::chunker::Chunk;
use crate::clock::Clock;
use crate::digest::{Digest, Tree};
use crate::error::Error;
use crate::key::{self, Id, NUMBER_END};
use crate::kv::{Kv, KvLimits, SetOptions};
use crate::limits::{
    APPEND_OPERATIONS, CHECKPOINT_CHUNKS_COUNTED, CHECKPOINT_OPERATIONS, GRACE_SECONDS_DEFAULT,
    KV_ATTEMPTS,
};
use crate::manifest::paging::{ChunkList, FullPage, list_nodes_max};
use crate::manifest::{Node, Place};
use crate::pacing::{Direction, Transfer};
use crate::segment::Segment;
use crate::upload::Upload;

/// A segment being written.
pub(super) struct SegmentWriter<'a, K, C> {
    store: &'a Store<K, C>,
    id: Id,
    record: Segment,
    recorded: bool,
    /// Until when a record that was given up may land, by the monotonic clock.
    record_lands_until_ns: u64,
    write_lag_ms_max: u32,
    chunks: u32,
    list: ChunkList,
    /// Of a segment that is the whole object.
    tree: Tree,
    /// Each gives the number of its set.
    sets: FuturesUnordered<LocalBoxFuture<'a, Result<u64, Error>>>,
    /// Sets begun, and what each of those stores that is not behind `settled`; a page
    /// comes before the chunk that made it full.
    begun: u64,
    unsettled: VecDeque<Unsettled>,
    /// Where an append writes down how far everything before is acknowledged.
    journal: Option<Journal<'a, K, C>>,
    /// Its part of what all have under way.
    transfer: Transfer,
    useful_max: u32,
    /// Operations that may still be begun, where they are counted.
    operations: Option<u64>,
    ttl_seconds: Option<u32>,
}

/// A set that was begun.
struct Unsettled {
    /// The chunk that it stores; none for a page.
    chunk: Option<Node>,
    acknowledged: bool,
}

/// What an append keeps of an upload: all but a last chunk that it supersedes.
pub(super) struct Kept {
    /// The chunks.
    pub nodes: Vec<Node>,
    /// The segments they lie in, and their pages.
    pub segments: Vec<Id>,
    /// Where they end.
    pub offset: u64,
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
            record_lands_until_ns: 0,
            write_lag_ms_max: limits.write_lag_ms_max,
            chunks: 0,
            list: ChunkList::new(id, list_nodes_max(limits.value_bytes_max)),
            tree: Tree::default(),
            sets: FuturesUnordered::new(),
            begun: 0,
            unsettled: VecDeque::new(),
            journal: None,
            transfer: Transfer::new(store.kv().pacing(), Direction::Write),
            useful_max: limits.concurrency_max,
            operations,
            ttl_seconds: kv_ttl(limits, kept),
        }
    }

    /// Begins a segment of an upload, behind what is kept of it.
    pub fn append(
        store: &'a Store<K, C>,
        record: Segment,
        limits: &KvLimits,
        held: Held,
        kept: Kept,
    ) -> Self {
        let operations = limits.operations_max.map(|left| {
            let spare = u64::from(left).saturating_sub(APPEND_OPERATIONS);
            spare * CHECKPOINT_CHUNKS_COUNTED / (CHECKPOINT_CHUNKS_COUNTED + CHECKPOINT_OPERATIONS)
        });
        let ttl_seconds = held.upload.options.ttl_seconds;
        let writer = Self::new(store, record, limits, ttl_seconds, operations);
        let nodes_max = list_nodes_max(limits.value_bytes_max);
        let list = ChunkList::resume(writer.id, nodes_max, kept.nodes);
        let mut segments = kept.segments;
        segments.push(writer.id);
        segments.sort_unstable();
        let journal =
            Journal::new(store, limits.clone(), held, list.clone(), segments, kept.offset);
        Self { list, journal: Some(journal), ..writer }
    }

    /// Does `work` while the sets under way go on; ends early with the first of them
    /// that fails.
    pub async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut work = pin!(work);
        poll_fn(|cx| match self.poll_under_way(cx) {
            Ok(()) => work.as_mut().poll(cx).map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }

    /// Waits until at most so many sets are under way.
    async fn at_most(&mut self, sets: usize) -> Result<(), Error> {
        poll_fn(|cx| match self.poll_under_way(cx) {
            Ok(()) if self.sets.len() > sets => Poll::Pending,
            ended => Poll::Ready(ended),
        })
        .await
    }

    /// Waits until one of the sets under way has ended, if there are any.
    pub async fn one_less(&mut self) -> Result<(), Error> {
        self.at_most(self.sets.len().saturating_sub(1)).await
    }

    /// Whether no set is under way.
    pub fn is_idle(&self) -> bool {
        self.sets.is_empty()
    }

    fn poll_under_way(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Poll::Ready(Some(acknowledged)) = self.sets.poll_next_unpin(cx) {
            self.acknowledged(acknowledged?);
        }
        match &mut self.journal {
            Some(journal) => journal.poll(cx),
            None => Ok(()),
        }
    }

    fn acknowledged(&mut self, number: u64) {
        let settled = self.begun - self.unsettled.len() as u64;
        self.unsettled[(number - settled) as usize].acknowledged = true;
        while self.unsettled.front().is_some_and(|first| first.acknowledged) {
            let settled = self.unsettled.pop_front();
            if let (Some(journal), Some(chunk)) = (&mut self.journal, settled.and_then(|s| s.chunk))
            {
                journal.settled(chunk);
            }
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
            return Err(match self.journal {
                None => past_deadline(),
                Some(_) => Error::NotFound,
            });
        }
        if let Some(journal) = &mut self.journal {
            journal.check_still_ours().await?;
        }
        self.chunks += 1;
        self.store.measure_chunk("written", chunk.bytes.len());
        let length = chunk.bytes.len() as u64;
        if self.journal.is_none() {
            self.tree.push(length, chunk.digest);
        }
        let place = Place::Chunk { segment: self.id, number };
        let node = Node { length, cv: chunk.digest.cv, place };
        let pages = self.list.push(node);
        self.cover().await?;
        for FullPage { number, bytes } in pages {
            self.start_set(key::page(self.id, number), bytes.into(), None, None).await?;
        }
        self.start_set(key::chunk(self.id, number), chunk.bytes, Some(node), Some(share)).await
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
            self.spend(1).await?;
            self.outlast_record().await?;
            if self.alongside(store.kv().set_and_tell(&key, record, options)).await?? {
                let lag_ns = u64::from(self.write_lag_ms_max) * 1_000_000;
                self.record_lands_until_ns = store.clock().monotonic_ns() + lag_ns;
            }
        }
        Ok(())
    }

    /// Waits until no record that was given up can land any more: it would take the next
    /// one back, and what that covers besides would never be found.
    async fn outlast_record(&mut self) -> Result<(), Error> {
        let clock = self.store.clock();
        let left_ns = self.record_lands_until_ns.saturating_sub(clock.monotonic_ns());
        if left_ns == 0 {
            return Ok(());
        }
        self.alongside(clock.sleep_ms(left_ns.div_ceil(1_000_000))).await
    }

    async fn start_set(
        &mut self,
        key: String,
        value: Bytes,
        chunk: Option<Node>,
        share: Option<Share>,
    ) -> Result<(), Error> {
        while !self.transfer.may_begin(self.useful_max) {
            self.one_less().await?;
        }
        self.spend(1).await?;
        let store = self.store;
        let options = SetOptions { ttl_seconds: self.ttl_seconds, ..SetOptions::default() };
        let number = self.begun;
        self.begun += 1;
        self.unsettled.push_back(Unsettled { chunk, acknowledged: false });
        let moving = self.transfer.begin();
        self.sets.push(Box::pin(async move {
            let acknowledged = store.kv().set(&key, value, options).await;
            drop((share, moving));
            acknowledged.map(|()| number)
        }));
        Ok(())
    }

    async fn spend(&mut self, operations: u64) -> Result<(), Error> {
        let Some(left) = self.operations else { return Ok(()) };
        if let Some(left) = left.checked_sub(operations) {
            self.operations = Some(left);
            return Ok(());
        }
        if self.journal.is_none() {
            return Err(Error::LimitExceeded(
                "the body needs more kv operations than this invocation may make; announce its size, so that larger chunks are planned".to_string(),
            ));
        }
        // Only what is acknowledged is kept, and what is under way is paid for.
        self.at_most(0).await?;
        Err(Error::Unavailable(
            "this invocation may make no more kv operations; what was stored is kept: go on in another".to_string(),
            None,
        ))
    }

    /// Waits until everything is acknowledged; for a segment that is the whole object.
    pub async fn finish(&mut self) -> Result<WrittenSegment, Error> {
        self.at_most(0).await?;
        let digest = self.tree.root().expect("chunks begin at offset 0");
        let mut nodes = std::mem::replace(&mut self.list, ChunkList::new(self.id, 4)).finish();
        if let [lone] = &mut nodes[..] {
            lone.cv = digest.0;
        }
        Ok(WrittenSegment { id: self.id, nodes, digest })
    }

    /// Waits until everything is acknowledged and written down, and gives the upload as
    /// it then stands; of an append.
    pub async fn finish_append(&mut self) -> Result<Upload, Error> {
        self.at_most(0).await?;
        self.journal.take().expect("only an append has one").finish().await
    }

    /// After a failure: writes down what was acknowledged, as far as that goes.
    pub async fn salvage(self) {
        drop(self.sets);
        if let Some(journal) = self.journal {
            let patience = pin!(self.store.clock().sleep_ms(KV_ATTEMPTS.timeout_ms));
            select(pin!(journal.finish()), patience).await;
        }
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
