//! Reading an object: chunks are fetched ahead, verified, and given out in order.
//! No byte leaves before its chunk has been verified.

use bytes::Bytes;

use super::Store;
pub use super::fetch::Piece;
use super::fetch::{Fetches, is_young};
use super::load::{Stored, check_precondition};
use super::measure::Delivery;
use super::walk::Fault;
use crate::budget::Share;
use crate::clock::Clock;
use crate::error::Error;
use crate::kv::{Kv, KvLimits};
use crate::limits::INLINE_BYTES_DEFAULT;
use crate::manifest::paging::HEADER_BYTES;
use crate::manifest::{Manifest, codec};
use crate::object::{Content, GetOptions};
use crate::range::Span;
use crate::stripe::{Cut, Stripe};

/// The body of an object on its way out.
pub struct Reader<K, C> {
    store: Store<K, C>,
    manifest: Manifest,
    inline: Option<Inline>,
    /// None where the content lies in the manifest, and after an error.
    fetches: Option<Fetches<K, C>>,
    /// What has not been given out yet.
    left: Cut,
    delivery: Delivery,
}

/// Content that came along with the manifest.
struct Inline {
    content: Bytes,
    share: Share,
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
        let mut delivery = Delivery::begin(self, "get", key);
        let opened = delivery.around(self.open(key, options)).await;
        let (manifest, cut, inline) = opened.inspect_err(|error| delivery.ended(Some(error)))?;
        let part = cut.part;
        if cut.first().is_none() {
            delivery.ended(None);
        }
        let content = Content { info: manifest.info.clone(), part };
        let fetches = inline.is_none().then(|| Fetches::of_object(self, &manifest, cut));
        let store = self.clone();
        Ok((content, Reader { store, manifest, inline, fetches, left: cut, delivery }))
    }

    /// The manifest, what is asked for, and all content where it came along.
    async fn open(
        &self,
        key: &str,
        options: &GetOptions,
    ) -> Result<(Manifest, Cut, Option<Inline>), Error> {
        let limits = self.limits();
        self.check_key(key, &limits)?;
        options.stripe.map_or(Ok(()), Stripe::check)?;
        let (stored, share) = self.load_to_read(key, options.stripe, &limits).await?;
        let current = self.current(key, &stored)?;
        check_precondition(options.precondition.as_ref(), current)?;
        let manifest = current.ok_or(Error::NotFound)?.clone();
        let size = manifest.info.size;
        let span = match options.range {
            Some(range) => range.resolve(size)?,
            None => Span::new(0, size),
        };
        let inline = match (manifest.is_inline(), stored, share) {
            (true, Some(stored), Some(share)) => {
                codec::inline_content(&manifest, &stored.content)
                    .map_err(|why| Error::Corrupt(format!("{key:?} cannot be read: {why}")))?;
                Some(Inline { content: stored.content, share })
            }
            _ => None,
        };
        Ok((manifest, Cut::new(span, options.stripe), inline))
    }

    /// The value under a key, and the memory for the content that may come along with it.
    ///
    /// Who reads a later stripe waits for no memory to open it. Whoever reads the first holds
    /// chunks by then, and is read from once all are open: two readers that have begun with
    /// different instances would wait for each other.
    async fn load_to_read(
        &self,
        key: &str,
        stripe: Option<Stripe>,
        limits: &KvLimits,
    ) -> Result<(Option<Stored>, Option<Share>), Error> {
        if stripe.is_some_and(|stripe| stripe.index > 0) {
            let stored = self.load_header(key).await?;
            let manifest = stored.as_ref().and_then(|stored| stored.manifest.as_ref().ok());
            if !manifest.is_some_and(Manifest::is_inline) {
                return Ok((stored, None));
            }
        }
        let share = self.take_share(INLINE_BYTES_DEFAULT + HEADER_BYTES, limits).await?;
        Ok((self.load_whole(key).await?, Some(share)))
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Reader<K, C> {
    /// The next bytes, in order; `None` after the last. An error ends it: what came
    /// before was right, what is missing is not delivered.
    pub async fn next(&mut self) -> Option<Result<Piece, Error>> {
        let scope = self.delivery.scope();
        scope.around(self.advance()).await
    }

    async fn advance(&mut self) -> Option<Result<Piece, Error>> {
        let wanted = self.left.first()?;
        let next = match self.inline.take() {
            Some(inline) => Ok(self.part_of(inline, wanted)),
            None => self.fetches.as_mut()?.next().await?,
        };
        let fault = match next {
            Ok(piece) => {
                let end = piece.offset + piece.bytes.len() as u64;
                self.left.part.start = end;
                self.delivery.delivered(piece.offset, end);
                if self.left.first().is_none() {
                    self.delivery.ended(None);
                }
                return Some(Ok(piece));
            }
            Err(fault) => fault,
        };
        self.fetches = None;
        let error = explain(&self.store, &self.manifest, fault).await;
        self.delivery.ended(Some(&error));
        Some(Err(error))
    }

    /// What is wanted of content that is at hand, whose share goes with the last of it.
    fn part_of(&mut self, inline: Inline, wanted: Span) -> Piece {
        let bytes = inline.content.slice(wanted.start as usize..wanted.end as usize);
        let rest = Span::new(wanted.end, self.left.part.end);
        if self.left.first_in(rest).is_none() {
            return Piece::once(bytes, wanted.start, Some(inline.share));
        }
        self.inline = Some(inline);
        Piece::once(bytes, wanted.start, None)
    }

    /// Takes back the last `bytes` bytes that were given out, of a piece that
    /// [may be](Piece::may_be_put_back): their memory, and that of what was read ahead, is
    /// free at once, and they are fetched and verified again when the next are asked for.
    pub fn put_back(&mut self, bytes: u64) {
        self.left.part.start -= bytes;
        if self.fetches.is_some() {
            self.fetches = Some(Fetches::of_object(&self.store, &self.manifest, self.left));
        }
    }
}

/// What a fault means: the object may have been replaced since its manifest was
/// read, or not be visible as a whole yet.
pub(super) async fn explain<K: Kv, C: Clock>(
    store: &Store<K, C>,
    manifest: &Manifest,
    fault: Fault,
) -> Error {
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
    if is_young(store, manifest.info.modified) {
        return Error::Unavailable(what, Some(u64::from(store.limits().staleness_ms)));
    }
    Error::Corrupt(what)
}
