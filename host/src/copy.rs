//! Copying objects from one store to another: between backends, or between
//! namespaces of one.
//!
//! The keys of both sides are listed in order and merged (`listing`), so nothing is
//! asked of the destination for an object that it does not have, and no key is
//! probed that nobody has written. An object that the destination has as it is at
//! the source is left alone; any other is streamed from a get into a put that
//! announces its size and digest (`object`). Several are under way at once, as far as
//! the destination's memory goes.
//!
//! Content, digest, etag, media type and metadata stay the same, chunk boundaries
//! need not. The moment of expiry stays within a second, or the time that the object
//! took to be sent: a put takes a time to live, counted from its commit, and that is
//! rounded down. Commit time and generation are the copy's own. Nothing is deleted.
//!
//! On failure: an object that cannot be copied is reported and the rest goes on; a
//! store that fails object after object, or cannot be listed, ends the copy. A copy
//! that ended early is begun again and goes on; an object that was cut off is
//! sent from its beginning.

mod listing;
mod object;
mod progress;

use std::fmt;
use std::sync::Arc;

use chunk_store::error::Error as StoreError;
use chunk_store::object::{ObjectInfo, ObjectSummary};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use self::listing::Listing;
use self::object::Copier;
pub use self::progress::CopyProgress;
use self::progress::Counters;
use crate::error::Error;
use crate::store::ChunkStore;

/// So many objects are under way at once; fewer where they are large.
pub const OBJECTS_AT_ONCE: usize = 16;

/// After so many objects in a row that a store could not serve, or would not take,
/// the copy is given up: the rest would fare no better, two minutes each.
pub const REFUSED_IN_A_ROW_MAX: u32 = 16;

/// How often an object is tried that was replaced while it was read, or whose store
/// trapped or does not know whether it has it; and a listing that a trap took along.
const ATTEMPTS_MAX: u32 = 4;

/// What to copy, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Only keys that begin so.
    pub prefix: String,
    /// Whether an object that is at the destination stays as it is there, even if it
    /// differs. Where objects appear there meanwhile this takes a platform with
    /// conditional writes.
    pub keep_existing: bool,
    /// Whether only to find out what would be copied.
    pub dry_run: bool,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// The object.
    pub key: String,
    /// What became of it.
    pub outcome: CopyOutcome,
}

/// What can become of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It is at the destination now.
    Copied {
        /// As it is at the destination.
        info: ObjectInfo,
        /// Whether another object was there before.
        replaced: bool,
    },
    /// It would have been copied; only with [`CopyOptions::dry_run`].
    WouldCopy {
        /// As it is at the source.
        summary: ObjectSummary,
        /// Whether another object is there.
        replaces: bool,
    },
    /// The destination had it already as it is at the source (carried): size, etag
    /// and expiry say so, content is not compared.
    AlreadyThere(ObjectSummary),
    /// The destination has another one under this key, which was to be kept.
    Kept,
    /// It was deleted, or has expired, since it was listed, or has less than a second
    /// left.
    Gone,
    /// It could not be copied.
    Failed(CopyError),
}

/// One of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where objects come from.
    Source,
    /// Where they go.
    Destination,
}

impl Side {
    fn failed(self, error: Error) -> CopyError {
        CopyError { side: self, error }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Destination => "destination",
        })
    }
}

/// Why an object, or the rest of them, could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{side}: {error}")]
pub struct CopyError {
    /// Which store failed.
    pub side: Side,
    /// What it says.
    pub error: Error,
}

impl CopyError {
    /// Whether it says more of the store than of the object.
    fn is_refusal(&self) -> bool {
        match &self.error {
            Error::Store(StoreError::Unavailable(..)) => true,
            // A full disk, say; a source may refuse one object and give the next.
            Error::Store(StoreError::Denied(_)) => self.side == Side::Destination,
            _ => false,
        }
    }
}

/// Objects on their way from one store to another. It goes on while
/// [`Copies::next`] is awaited; dropped, it gives up what is under way.
pub struct Copies {
    listing: Listing,
    copier: Arc<Copier>,
    running: FuturesUnordered<BoxFuture<'static, CopyReport>>,
    counters: Arc<Counters>,
    refused_in_a_row: u32,
    /// Takes on no more objects.
    ending: bool,
    /// Why it ends before the last object.
    error: Option<CopyError>,
}

impl ChunkStore {
    /// Copies objects to another store, or to another namespace of the same: the
    /// destination comes to have every object with the prefix as it is here. Needs a
    /// tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(old: chunk_store_host::ChunkStore, new: chunk_store_host::ChunkStore) {
    /// use chunk_store_host::copy::{CopyOptions, CopyOutcome};
    ///
    /// let mut copies = old.copy_to(&new, CopyOptions::default());
    /// while let Some(report) = copies.next().await {
    ///     match report {
    ///         Ok(report) => println!("{}: {:?}", report.key, report.outcome),
    ///         Err(error) => eprintln!("stopped: {error}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn copy_to(&self, to: &ChunkStore, options: CopyOptions) -> Copies {
        let counters = Arc::new(Counters::default());
        Copies {
            listing: Listing::start(self.clone(), to.clone(), &options.prefix, counters.clone()),
            copier: Arc::new(Copier::new(self.clone(), to.clone(), options, counters.clone())),
            running: FuturesUnordered::new(),
            counters,
            refused_in_a_row: 0,
            ending: false,
            error: None,
        }
    }
}

impl Copies {
    /// What became of the next object, in the order in which they end; `None` after
    /// the last. An error is the last item: a store could not be listed, or
    /// failed [`REFUSED_IN_A_ROW_MAX`] objects in a row. Objects that were not
    /// reported by then were not copied. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<CopyReport, CopyError>> {
        loop {
            let has_room = !self.ending && self.running.len() < OBJECTS_AT_ONCE;
            tokio::select! {
                listed = self.listing.next(), if has_room => match listed {
                    Ok(Some(listed)) => {
                        let copier = self.copier.clone();
                        self.running.push(Box::pin(async move { copier.copy(listed).await }));
                    }
                    Ok(None) => self.ending = true,
                    Err(error) => self.end(error),
                },
                Some(report) = self.running.next() => {
                    self.watch_for_refusals(&report);
                    return Some(Ok(report));
                }
                else => return self.error.take().map(Err),
            }
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> CopyProgress {
        self.counters.progress()
    }

    fn watch_for_refusals(&mut self, report: &CopyReport) {
        match &report.outcome {
            CopyOutcome::Failed(error) if error.is_refusal() => {
                self.refused_in_a_row += 1;
                if self.refused_in_a_row == REFUSED_IN_A_ROW_MAX {
                    self.end(error.clone());
                }
            }
            _ => self.refused_in_a_row = 0,
        }
    }

    fn end(&mut self, error: CopyError) {
        self.ending = true;
        self.error.get_or_insert(error);
    }
}
