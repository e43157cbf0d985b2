//! Fetching the chunks of a list ahead of who reads them, each verified, in order.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesOrdered;

use super::Store;
use super::walk::{Fault, Step, Walk};
use crate::budget::Share;
use crate::clock::Clock;
use crate::key::Id;
use crate::kv::{Kv, KvLimits};
use crate::limits::{CLOCK_MARGIN_SECONDS, KV_ATTEMPTS};
use crate::manifest::{Manifest, Node};
use crate::pacing::{self, ReadAhead};
use crate::range::Span;

/// Bytes of a body, with the share of the memory budget that they take. Drop it when they
/// have been passed on: that is the back-pressure. Those of an object are verified.
#[derive(Debug)]
pub struct Piece {
    /// The bytes, at least one.
    pub bytes: Bytes,
    share: Option<Share>,
    /// Whether its reader can fetch it again.
    again: bool,
}

/// Bytes that no budget counts, such as what stands between the parts of a body.
impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, share: None, again: false }
    }
}

impl Piece {
    /// Verified bytes that take this share.
    pub(super) fn new(bytes: Bytes, share: Share) -> Self {
        Self { bytes, share: Some(share), again: true }
    }

    /// The same, but they came along with what is not read twice.
    pub(super) fn once(bytes: Bytes, share: Share) -> Self {
        Self { again: false, ..Self::new(bytes, share) }
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
    span: Span,
    walk: Walk,
    walked: bool,
    /// Found by the walk, waiting for memory.
    waiting: Option<Step>,
    going: FuturesOrdered<LocalBoxFuture<'static, Result<Piece, Fault>>>,
    ahead: ReadAhead,
}

impl<K: Kv + 'static, C: Clock + 'static> Fetches<K, C> {
    /// Bytes of a committed object.
    pub fn of_object(store: &Store<K, C>, manifest: &Manifest, span: Span) -> Self {
        let origin = Origin {
            store: store.clone(),
            lone: manifest.is_lone_chunk(),
            written: manifest.info.modified,
        };
        Self::new(origin, manifest.nodes.clone(), manifest.segments.clone(), span)
    }

    /// Bytes of an upload, where reads are never stale.
    pub fn of_upload(store: &Store<K, C>, nodes: Vec<Node>, segments: Vec<Id>, span: Span) -> Self {
        let origin = Origin { store: store.clone(), lone: false, written: 0 };
        Self::new(origin, nodes, segments, span)
    }

    fn new(origin: Origin<K, C>, nodes: Vec<Node>, segments: Vec<Id>, span: Span) -> Self {
        let limits = origin.store.limits();
        Self {
            ahead: ReadAhead::new(pacing::depth(&limits), origin.store.inner.read_ahead.get()),
            limits,
            origin: Rc::new(origin),
            span,
            walk: Walk::new(nodes, segments, span),
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
        let store = &self.origin.store;
        while self.going.len() < self.ahead.depth() {
            let step = match self.waiting.take() {
                Some(step) => step,
                None if self.walked => break,
                None => match self.walk.next(store).await {
                    Some(step) => step?,
                    None => {
                        self.walked = true;
                        break;
                    }
                },
            };
            let share = if self.going.is_empty() {
                let share = store.take_share(step.node.length, &self.limits).await;
                share.map_err(Fault::Failed)?
            } else {
                match store.budget(&self.limits).try_take(step.node.length) {
                    Some(share) => share,
                    None => {
                        self.waiting = Some(step);
                        break;
                    }
                }
            };
            let origin = self.origin.clone();
            let span = self.span;
            self.going.push_back(Box::pin(async move {
                let Origin { store, lone, written } = &*origin;
                let bytes = store.fetch_patiently(step, *lone, *written).await?;
                let here = Span::new(step.offset, step.offset + step.node.length);
                let wanted = here.intersect(span);
                let from = (wanted.start - step.offset) as usize;
                Ok(Piece::new(bytes.slice(from..from + wanted.len() as usize), share))
            }));
        }
        Ok(())
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
