//! Fetching the chunks of a list ahead of who reads them, each verified, in order.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesOrdered;

use super::Store;
use super::measure::Ahead;
use super::walk::{Fault, Step, Walk};
use crate::budget::{Member, Share};
use crate::clock::Clock;
use crate::key::Id;
use crate::kv::{Kv, KvLimits};
use crate::limits::{CLOCK_MARGIN_SECONDS, KV_ATTEMPTS};
use crate::manifest::{Manifest, Node};
use crate::pacing::ahead::ReadAhead;
use crate::pacing::{Direction, Transfer};
use crate::range::Span;
use crate::stripe::Cut;

/// Bytes of a body, with the share of the memory budget that they take. Drop it when they
/// have been passed on: that is the back-pressure. Those of an object are verified.
#[derive(Debug)]
pub struct Piece {
    /// The bytes, at least one.
    pub bytes: Bytes,
    /// Where they begin in the object; of others, nothing.
    pub(super) offset: u64,
    share: Option<Share>,
    /// Whether its reader can fetch it again.
    again: bool,
}

/// Bytes that no budget counts, such as what stands between the parts of a body.
impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, offset: 0, share: None, again: false }
    }
}

impl Piece {
    /// Verified bytes of an object that take this share.
    fn new(bytes: Bytes, offset: u64, share: Share) -> Self {
        Self { bytes, offset, share: Some(share), again: true }
    }

    /// The same, but they came along with what is not read twice.
    pub(super) fn once(bytes: Bytes, offset: u64, share: Option<Share>) -> Self {
        Self { bytes, offset, share, again: false }
    }

    /// Whether what is not passed on of it may be put back into where it came from.
    pub fn may_be_put_back(&self) -> bool {
        self.again
    }

    /// The bytes, and what has to be dropped when they have been passed on.
    pub fn into_parts(self) -> (Bytes, Option<Share>) {
        (self.bytes, self.share)
    }
}

/// Where the chunks of a list come from.
#[derive(Debug)]
struct Origin<K, C> {
    store: Store<K, C>,
    /// The one chunk listed is checked by the digest of the whole.
    lone: bool,
    /// When the list was written, by its writer's clock.
    written: u64,
}

/// The chunks of a list on their way out.
pub(super) struct Fetches<K, C> {
    origin: Rc<Origin<K, C>>,
    limits: KvLimits,
    cut: Cut,
    walk: Walk,
    /// The chunk that the walk has come to, and what is still to be looked at of it.
    chunk: Option<(Step, Span)>,
    walked: bool,
    /// Bytes of a chunk that come next and wait for memory.
    waiting: Option<(Step, Span)>,
    asked: Ahead,
    going: FuturesOrdered<LocalBoxFuture<'static, Result<Piece, Fault>>>,
    ahead: ReadAhead,
    member: Member,
    transfer: Transfer,
}

impl<K: Kv + 'static, C: Clock + 'static> Fetches<K, C> {
    /// Bytes of a committed object.
    pub fn of_object(store: &Store<K, C>, manifest: &Manifest, cut: Cut) -> Self {
        let origin = Origin {
            store: store.clone(),
            lone: manifest.is_lone_chunk(),
            written: manifest.info.modified,
        };
        Self::new(origin, manifest.nodes.clone(), manifest.segments.clone(), cut)
    }

    /// Bytes of an upload, where reads are never stale.
    pub fn of_upload(store: &Store<K, C>, nodes: Vec<Node>, segments: Vec<Id>, span: Span) -> Self {
        let origin = Origin { store: store.clone(), lone: false, written: 0 };
        Self::new(origin, nodes, segments, span.into())
    }

    fn new(origin: Origin<K, C>, nodes: Vec<Node>, segments: Vec<Id>, cut: Cut) -> Self {
        let store = &origin.store;
        let limits = store.limits();
        // Those that have come and wait for one before them are not under way any more.
        let depth_max = 2 * limits.concurrency_max as usize;
        Self {
            ahead: ReadAhead::new(depth_max, store.inner.read_ahead.get()),
            asked: Ahead::new(store),
            member: store.budget(&limits).join(),
            transfer: Transfer::new(store.kv().pacing(), Direction::Read),
            limits,
            origin: Rc::new(origin),
            cut,
            walk: Walk::new(nodes, segments, cut),
            chunk: None,
            walked: false,
            waiting: None,
            going: FuturesOrdered::new(),
        }
    }

    /// The next bytes, in order; `None` after the last. After a fault there is nothing
    /// more to come.
    pub async fn next(&mut self) -> Option<Result<Piece, Fault>> {
        if let Err(fault) = self.fetch_ahead().await {
            return Some(Err(fault));
        }
        let piece = self.head().await;
        self.asked.came(piece.as_ref().is_some_and(Result::is_ok));
        let store = &self.origin.store;
        self.ahead.delivered(store.clock().monotonic_ns());
        store.inner.read_ahead.set(Some(self.ahead.depth()));
        piece
    }

    /// Waits for the first that is under way.
    async fn head(&mut self) -> Option<Result<Piece, Fault>> {
        let clock = self.origin.store.clock();
        let mut idle_since = None;
        poll_fn(|cx| {
            if let Some(since) = idle_since.take() {
                self.ahead.idled(clock.monotonic_ns() - since);
            }
            // Digesting what has come is done in here.
            let polled = self.going.poll_next_unpin(cx);
            if polled.is_pending() {
                idle_since = Some(clock.monotonic_ns());
            }
            polled
        })
        .await
    }

    /// Begins fetches up to the depth, as far as memory is free; one at least.
    async fn fetch_ahead(&mut self) -> Result<(), Fault> {
        while self.going.len() < self.ahead.depth()
            && self.transfer.may_begin(self.limits.concurrency_max)
        {
            let Some((step, wanted)) = self.next_wanted().await? else { break };
            let share = if self.going.is_empty() {
                let share = self.origin.store.take_share(step.node.length, &self.limits).await;
                self.member.holds(share.map_err(Fault::Failed)?)
            } else {
                match self.member.try_take(step.node.length) {
                    Some(share) => share,
                    None => {
                        self.waiting = Some((step, wanted));
                        break;
                    }
                }
            };
            let origin = self.origin.clone();
            self.asked.for_chunk(step.node.length, !self.going.is_empty());
            let moving = self.transfer.begin();
            self.going.push_back(Box::pin(async move {
                let Origin { store, lone, written } = &*origin;
                let bytes = store.fetch_patiently(step, *lone, *written).await?;
                drop(moving);
                let from = (wanted.start - step.offset) as usize;
                let bytes = bytes.slice(from..from + wanted.len() as usize);
                Ok(Piece::new(bytes, wanted.start, share))
            }));
        }
        Ok(())
    }

    /// The next bytes that are wanted, and the chunk that holds them. A chunk with several
    /// runs of a stripe in it comes once for each.
    async fn next_wanted(&mut self) -> Result<Option<(Step, Span)>, Fault> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        loop {
            if let Some((step, rest)) = self.chunk.take()
                && let Some(wanted) = self.cut.first_in(rest)
            {
                self.chunk = Some((step, Span::new(wanted.end, rest.end)));
                return Ok(Some((step, wanted)));
            }
            if self.walked {
                return Ok(None);
            }
            match self.walk.next(&self.origin.store).await {
                Some(step) => self.chunk = Some(step.map(|step| (step, step.span()))?),
                None => self.walked = true,
            }
        }
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// Fetches a chunk of what was written at this time; where reads can be stale, a
    /// chunk of something young may not be visible yet and is asked for again.
    pub(super) async fn fetch_patiently(
        &self,
        step: Step,
        lone: bool,
        written: u64,
    ) -> Result<Bytes, Fault> {
        let mut failures = 0;
        loop {
            let fault = match self.fetch(step, lone).await {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            failures += 1;
            let last = failures >= KV_ATTEMPTS.attempts_max;
            if last || matches!(fault, Fault::Failed(_)) || !is_young(self, written) {
                return Err(fault);
            }
            self.kv().back_off(failures).await;
        }
    }
}

/// Whether something was written so lately that reads may not see all of it. The time
/// is by the writer's clock.
pub(super) fn is_young<K: Kv, C: Clock>(store: &Store<K, C>, written: u64) -> bool {
    let staleness_ms = u64::from(store.limits().staleness_ms);
    let age_ms = store.clock().wall_ms().saturating_sub(written);
    staleness_ms > 0 && age_ms < staleness_ms + 1000 * CLOCK_MARGIN_SECONDS
}
