//! Reading an object: chunks are fetched ahead, verified, and given out in order.
//! No byte leaves before its chunk has been verified.

use std::rc::Rc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesOrdered;

use super::Store;
use super::load::check_precondition;
use super::walk::{Fault, Step, Walk};
use crate::budget::Share;
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Kv, KvLimits};
use crate::limits::{CLOCK_MARGIN_SECONDS, INLINE_BYTES_DEFAULT, KV_ATTEMPTS};
use crate::manifest::paging::HEADER_BYTES;
use crate::manifest::{Manifest, codec};
use crate::object::{Content, GetOptions};
use crate::pacing;
use crate::range::Span;

/// Verified bytes of an object, with the share of the memory budget that they
/// take. Drop it when they have been passed on.
#[derive(Debug)]
pub struct Piece {
    /// The bytes, at least one.
    pub bytes: Bytes,
    share: Share,
}

impl Piece {
    /// The bytes, and what has to be dropped when they have been passed on.
    pub fn into_parts(self) -> (Bytes, Share) {
        (self.bytes, self.share)
    }
}

/// The body of an object on its way out.
pub struct Reader<K, C> {
    store: Store<K, C>,
    manifest: Rc<Manifest>,
    limits: KvLimits,
    span: Span,
    walk: Walk,
    walked: bool,
    /// Found by the walk, waiting for memory.
    waiting: Option<Step>,
    fetches: FuturesOrdered<LocalBoxFuture<'static, Result<Piece, Error>>>,
    inline: Option<Piece>,
}

impl<K: Kv + 'static, C: Clock + 'static> Store<K, C> {
    /// Opens an object for reading, whole or in part.
    ///
    /// [`Error::NotFound`] where there is none, [`Error::PreconditionFailed`],
    /// [`Error::RangeNotSatisfiable`]; later errors come from the reader.
    pub async fn get(
        &self,
        key: &str,
        options: &GetOptions,
    ) -> Result<(Content, Reader<K, C>), Error> {
        let limits = self.limits();
        self.check_key(key, &limits)?;
        // The content may come along with the manifest.
        let share = self.take_share(INLINE_BYTES_DEFAULT + HEADER_BYTES, &limits).await?;
        let stored = self.load_whole(key).await?;
        let current = self.current(key, &stored)?;
        check_precondition(options.precondition.as_ref(), current)?;
        let manifest = current.ok_or(Error::NotFound)?.clone();
        let size = manifest.info.size;
        let span = match options.range {
            Some(range) => range.resolve(size)?,
            None => Span::new(0, size),
        };
        let inline = match (manifest.is_inline(), stored) {
            (true, Some(stored)) => {
                codec::inline_content(&manifest, &stored.content)
                    .map_err(|why| Error::Corrupt(format!("{key:?} cannot be read: {why}")))?;
                let bytes = stored.content.slice(span.start as usize..span.end as usize);
                Some(Piece { bytes, share })
            }
            _ => None,
        };
        let content = Content { info: manifest.info.clone(), part: span };
        let reader = Reader {
            store: self.clone(),
            walk: Walk::new(&manifest, span),
            walked: inline.is_some(),
            manifest: Rc::new(manifest),
            limits,
            span,
            waiting: None,
            fetches: FuturesOrdered::new(),
            inline,
        };
        Ok((content, reader))
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Reader<K, C> {
    /// The next bytes, in order; `None` after the last. An error ends it: what came
    /// before was right, what is missing is not delivered.
    pub async fn next(&mut self) -> Option<Result<Piece, Error>> {
        if let Some(piece) = self.inline.take().filter(|piece| !piece.bytes.is_empty()) {
            return Some(Ok(piece));
        }
        if let Err(error) = self.fetch_ahead().await {
            self.walked = true;
            self.fetches.clear();
            return Some(Err(error));
        }
        let piece = self.fetches.next().await?;
        if piece.is_err() {
            self.walked = true;
            self.fetches.clear();
        }
        Some(piece)
    }

    /// Begins fetches up to the depth, as far as memory is free; one at least.
    async fn fetch_ahead(&mut self) -> Result<(), Error> {
        let depth = pacing::depth(&self.limits);
        while self.fetches.len() < depth {
            let step = match self.waiting.take() {
                Some(step) => step,
                None if self.walked => break,
                None => match self.walk.next(&self.store).await {
                    Some(Ok(step)) => step,
                    Some(Err(fault)) => {
                        return Err(explain(&self.store, &self.manifest, fault).await);
                    }
                    None => {
                        self.walked = true;
                        break;
                    }
                },
            };
            let share = if self.fetches.is_empty() {
                self.store.take_share(step.node.length, &self.limits).await?
            } else {
                match self.store.budget(&self.limits).try_take(step.node.length) {
                    Some(share) => share,
                    None => {
                        self.waiting = Some(step);
                        break;
                    }
                }
            };
            let store = self.store.clone();
            let manifest = self.manifest.clone();
            let span = self.span;
            self.fetches.push_back(Box::pin(async move {
                let bytes = fetch_patiently(&store, &manifest, step).await?;
                let here = Span::new(step.offset, step.offset + step.node.length);
                let wanted = here.intersect(span);
                let from = (wanted.start - step.offset) as usize;
                let bytes = bytes.slice(from..from + wanted.len() as usize);
                Ok(Piece { bytes, share })
            }));
        }
        Ok(())
    }
}

/// Fetches a chunk; where reads can be stale, a chunk of a young object may not be
/// visible yet and is asked for again.
async fn fetch_patiently<K: Kv, C: Clock>(
    store: &Store<K, C>,
    manifest: &Manifest,
    step: Step,
) -> Result<Bytes, Error> {
    let mut failures = 0;
    loop {
        let fault = match store.fetch(step, manifest.is_lone_chunk()).await {
            Ok(bytes) => return Ok(bytes),
            Err(fault) => fault,
        };
        failures += 1;
        let last = failures >= KV_ATTEMPTS.attempts_max;
        if last || matches!(fault, Fault::Failed(_)) || !is_young(store, manifest) {
            return Err(explain(store, manifest, fault).await);
        }
        store.kv().back_off(failures).await;
    }
}

/// What a fault means: the object may have been replaced since its manifest was
/// read, or not be visible as a whole yet.
async fn explain<K: Kv, C: Clock>(store: &Store<K, C>, manifest: &Manifest, fault: Fault) -> Error {
    if let Fault::Failed(error) = fault {
        return error;
    }
    let key = &manifest.info.key;
    match store.load_header(key).await {
        Err(error) => return error,
        Ok(stored) => match store.current(key, &stored) {
            Ok(Some(now)) if now.info.generation == manifest.info.generation => {}
            Ok(_) => return Error::Replaced,
            Err(error) => return error,
        },
    }
    let what = format!("{key:?} cannot be read: {}", fault.describe());
    if is_young(store, manifest) {
        return Error::Unavailable(what, Some(u64::from(store.limits().staleness_ms)));
    }
    Error::Corrupt(what)
}

/// Whether the object was committed so lately that reads may not see all of it. The
/// commit's time is by the writer's clock.
fn is_young<K: Kv, C: Clock>(store: &Store<K, C>, manifest: &Manifest) -> bool {
    let staleness_ms = u64::from(store.limits().staleness_ms);
    let age_ms = store.clock().wall_ms().saturating_sub(manifest.info.modified);
    staleness_ms > 0 && age_ms < staleness_ms + 1000 * CLOCK_MARGIN_SECONDS
}
