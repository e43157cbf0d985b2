//! How far an append has come, written down while it goes on: the record of the upload
//! names all chunks up to the first that is not acknowledged yet.
//!
//! A checkpoint follows another no sooner than after a rest in proportion to what the
//! last one took, so that a fast body is not slowed down, and one that comes slowly can
//! be followed chunk by chunk.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::Store;
use super::upload::Held;
use crate::clock::Clock;
use crate::error::Error;
use crate::key::Id;
use crate::kv::{Kv, KvLimits};
use crate::limits::{
    CHECKPOINT_CHUNKS_COUNTED, CHECKPOINT_REST_FACTOR, CHECKPOINT_REST_MS, LEASE_MS,
};
use crate::manifest::Node;
use crate::manifest::paging::ChunkList;
use crate::upload::Upload;

/// The journal of one append.
pub(super) struct Journal<'a, K, C> {
    store: &'a Store<K, C>,
    limits: KvLimits,
    held: Held,
    /// All that is acknowledged, and the segments it lies in.
    list: ChunkList,
    segments: Vec<Id>,
    offset: u64,
    /// Chunks settled since the last checkpoint began.
    settled: u64,
    going: Option<LocalBoxFuture<'a, Result<Option<Held>, Error>>>,
    /// When the checkpoint that is going began, or it was last seen that nobody else
    /// has changed the upload; in milliseconds of the monotonic clock.
    began_ms: u64,
    seen_ms: u64,
    /// Until the next checkpoint may begin.
    rest: Option<LocalBoxFuture<'a, ()>>,
}

impl<'a, K: Kv + 'a, C: Clock + 'a> Journal<'a, K, C> {
    /// Begins where what these nodes list ends, in a new segment. They are those of the
    /// upload, less what is superseded.
    pub fn new(
        store: &'a Store<K, C>,
        limits: KvLimits,
        held: Held,
        list: ChunkList,
        segments: Vec<Id>,
        offset: u64,
    ) -> Self {
        let now = store.clock().monotonic_ns() / 1_000_000;
        Self {
            store,
            limits,
            held,
            list,
            segments,
            offset,
            settled: 0,
            going: None,
            began_ms: now,
            seen_ms: now,
            rest: None,
        }
    }

    /// Takes note of the next chunk: it and all before it are acknowledged.
    pub fn settled(&mut self, chunk: Node) {
        self.offset += chunk.length;
        self.settled += 1;
        // Its pages have been written by whoever wrote the chunk.
        self.list.push(chunk);
    }

    /// Goes on with the checkpoint that is going, or begins one if it is time.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        loop {
            if let Some(going) = &mut self.going {
                let Poll::Ready(ended) = going.poll_unpin(cx) else { return Ok(()) };
                self.ended(ended)?;
            }
            if self.offset <= self.held.upload.offset {
                return Ok(());
            }
            let counted = self.limits.operations_max.is_some();
            if counted && self.settled < CHECKPOINT_CHUNKS_COUNTED {
                return Ok(());
            }
            if let Some(rest) = &mut self.rest
                && rest.poll_unpin(cx).is_pending()
            {
                return Ok(());
            }
            self.rest = None;
            self.begin();
        }
    }

    fn begin(&mut self) {
        let next = Upload {
            offset: self.offset,
            segments: self.segments.clone(),
            nodes: self.list.clone().finish(),
            ..self.held.upload.clone()
        };
        let (store, held, limits) = (self.store, self.held.clone(), self.limits.clone());
        self.began_ms = self.now_ms();
        self.settled = 0;
        self.going =
            Some(Box::pin(async move { store.replace_upload(&held, next, &limits).await }));
    }

    fn ended(&mut self, ended: Result<Option<Held>, Error>) -> Result<(), Error> {
        self.going = None;
        let Some(held) = ended? else { return Err(self.overtaken()) };
        self.held = held;
        self.seen_ms = self.began_ms;
        let took_ms = self.now_ms() - self.began_ms;
        let rest_ms = CHECKPOINT_REST_MS
            .max(CHECKPOINT_REST_FACTOR * took_ms)
            .max(u64::from(self.limits.rewrite_interval_ms));
        let clock = self.store.clock();
        self.rest = Some(Box::pin(clock.sleep_ms(rest_ms)));
        Ok(())
    }

    /// Refuses to go on if somebody else has changed the upload. Called before each
    /// chunk: looks only if the last look is long ago.
    pub async fn check_still_ours(&mut self) -> Result<(), Error> {
        if self.now_ms() - self.seen_ms < LEASE_MS {
            return Ok(());
        }
        if let Some(going) = self.going.take() {
            let ended = going.await;
            return self.ended(ended);
        }
        let now_ms = self.now_ms();
        if !self.store.is_still(&self.held, &self.limits).await? {
            return Err(self.overtaken());
        }
        self.seen_ms = now_ms;
        Ok(())
    }

    /// Writes down all that is settled, and gives the upload as it then stands.
    pub async fn finish(mut self) -> Result<Upload, Error> {
        if let Some(going) = self.going.take() {
            let ended = going.await;
            self.ended(ended)?;
        }
        if self.offset > self.held.upload.offset {
            if let Some(rest) = self.rest.take()
                && self.limits.rewrite_interval_ms > 0
            {
                rest.await;
            }
            self.begin();
            let ended = self.going.take().expect("just begun").await;
            self.ended(ended)?;
        }
        Ok(self.held.upload)
    }

    fn overtaken(&self) -> Error {
        Error::OffsetMismatch(self.held.upload.offset)
    }

    fn now_ms(&self) -> u64 {
        self.store.clock().monotonic_ns() / 1_000_000
    }
}
