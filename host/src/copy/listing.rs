//! What there is to copy: the listings of both sides, merged by key.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::vec;

use chunk_store::error::Error as StoreError;
use chunk_store::limits::LIST_LIMIT_MAX;
use chunk_store::object::{ListOptions, ListedObject, ObjectPage, ObjectSummary};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::progress::Counters;
use super::{ATTEMPTS_MAX, CopyError, Side};
use crate::error::Error;
use crate::store::ChunkStore;

/// So many objects are listed ahead of the copying, for totals that are known early.
/// With keys of the greatest length they take some 10 MiB.
const LISTED_AHEAD_MAX: usize = 8192;

/// An object of the source.
#[derive(Debug)]
pub(super) struct Listed {
    pub key: String,
    /// `None` where its manifest could not be read.
    pub here: Option<ObjectSummary>,
    pub there: There,
}

/// What the destination's listing says of a key.
#[derive(Debug)]
pub(super) enum There {
    Nothing,
    /// There is something, and the platform keeps no summaries.
    Something,
    Object(ObjectSummary),
}

/// The objects of the source, listed ahead by a task of its own.
pub(super) struct Listing {
    listed: mpsc::Receiver<Listed>,
    task: Option<JoinHandle<Result<(), CopyError>>>,
}

impl Listing {
    pub fn start(from: ChunkStore, to: ChunkStore, prefix: &str, counters: Arc<Counters>) -> Self {
        let (sender, listed) = mpsc::channel(LISTED_AHEAD_MAX);
        // Details of the source tell sizes and etags for one read of each manifest;
        // at the destination that is paid only for keys that both sides have.
        let merge = Merge {
            here: Keys::new(from, Side::Source, prefix, true),
            there: Keys::new(to, Side::Destination, prefix, false),
            next_there: None,
        };
        let task = Some(tokio::spawn(list(merge, sender, counters)));
        Self { listed, task }
    }

    /// The next object; `None` after the last, an error if not all could be listed.
    pub async fn next(&mut self) -> Result<Option<Listed>, CopyError> {
        if let Some(listed) = self.listed.recv().await {
            return Ok(Some(listed));
        }
        let Some(task) = &mut self.task else { return Ok(None) };
        let ended = task.await;
        self.task = None;
        match ended.map_err(JoinError::try_into_panic) {
            Ok(listed) => listed.map(|()| None),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => {
                let why = "the runtime is shutting down".to_string();
                Err(Side::Source.failed(Error::Store(StoreError::Unavailable(why, None))))
            }
        }
    }
}

async fn list(
    mut merge: Merge,
    sender: mpsc::Sender<Listed>,
    counters: Arc<Counters>,
) -> Result<(), CopyError> {
    while let Some(listed) = merge.next().await? {
        counters.found(listed.here.as_ref().map_or(0, |here| here.size));
        if sender.send(listed).await.is_err() {
            // Nobody copies any more.
            return Ok(());
        }
    }
    counters.found_all();
    Ok(())
}

struct Merge {
    here: Keys,
    there: Keys,
    /// The first key of the destination that may still be one of the source.
    next_there: Option<ListedObject>,
}

impl Merge {
    async fn next(&mut self) -> Result<Option<Listed>, CopyError> {
        let Some(here) = self.here.next().await? else { return Ok(None) };
        let there = match self.find_there(&here.key).await? {
            None => There::Nothing,
            Some(ListedObject { summary: None, .. }) => There::Something,
            Some(ListedObject { summary: Some(summary), .. }) => There::Object(summary),
        };
        Ok(Some(Listed { key: here.key, here: here.info.and(here.summary), there }))
    }

    /// Both listings are in order, so what lies before the key is passed over for good.
    async fn find_there(&mut self, key: &str) -> Result<Option<ListedObject>, CopyError> {
        loop {
            match self.next_there.take() {
                Some(there) if there.key == key => return Ok(Some(there)),
                Some(there) if there.key.as_str() > key => {
                    self.next_there = Some(there);
                    return Ok(None);
                }
                _ => self.next_there = self.there.next().await?,
            }
            if self.next_there.is_none() {
                return Ok(None);
            }
        }
    }
}

/// A listing, page by page.
struct Keys {
    store: ChunkStore,
    side: Side,
    /// With the cursor of the next page.
    options: ListOptions,
    page: vec::IntoIter<ListedObject>,
    was_last: bool,
}

impl Keys {
    fn new(store: ChunkStore, side: Side, prefix: &str, details: bool) -> Self {
        let options = ListOptions {
            prefix: prefix.to_string(),
            limit: LIST_LIMIT_MAX,
            details,
            ..ListOptions::default()
        };
        Self { store, side, options, page: Vec::new().into_iter(), was_last: false }
    }

    async fn next(&mut self) -> Result<Option<ListedObject>, CopyError> {
        loop {
            if let Some(object) = self.page.next() {
                return Ok(Some(object));
            }
            if self.was_last {
                return Ok(None);
            }
            let page = self.list().await.map_err(|error| self.side.failed(error))?;
            self.was_last = page.cursor.is_none();
            self.options.cursor = page.cursor;
            self.page = page.objects.into_iter();
        }
    }

    /// The next page. An object that traps the store may take a listing along.
    async fn list(&self) -> Result<ObjectPage, Error> {
        for _ in 1..ATTEMPTS_MAX {
            match self.store.list(self.options.clone()).await {
                Err(Error::Trap(_)) => {}
                listed => return listed,
            }
        }
        self.store.list(self.options.clone()).await
    }
}
