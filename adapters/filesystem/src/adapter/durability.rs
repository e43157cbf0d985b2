//! What has been acknowledged by this instance and is not on disk yet.
//!
//! A set that need not be durable leaves its open file and its directories here. A
//! durable one first has all of that written to disk ([`Pending::settle`]) and
//! only then names its own file: whatever a crash leaves, a durable value never
//! stands without the values acknowledged before it.
//!
//! The list is bounded: whoever makes it too long writes the oldest to disk. `order`
//! is held shared for that and exclusively by a durable set, which so waits for
//! what others took from the list and have not written yet.
//!
//! On failure: a file whose write-back failed once may pass a second sync without being
//! on disk. So after one failure every durable set of this instance fails; another instance
//! begins anew.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

use chunk_store::kv::KvError;
use tokio::sync::RwLock;

use crate::adapter::failure::Failure;
use crate::adapter::files::Files;

/// Most files that wait, each of which keeps a handle open.
const FILES_MAX: usize = 64;

/// Most directories that wait; the values of one object share theirs.
const DIRECTORIES_MAX: usize = 1024;

/// The list, one for each instance.
pub(crate) struct Pending<F: Files> {
    waiting: RefCell<Waiting<F>>,
    order: RwLock<()>,
}

struct Waiting<F: Files> {
    files: VecDeque<F::File>,
    /// All directories between a waiting value and `data`, that one included: no
    /// matter who made them, the value is lost if one of them is.
    directories: BTreeSet<String>,
    /// Why acknowledged values may be lost.
    failure: Option<KvError>,
}

impl<F: Files> Pending<F> {
    /// Nothing that waits.
    pub fn new() -> Self {
        let waiting =
            Waiting { files: VecDeque::new(), directories: BTreeSet::new(), failure: None };
        Self { waiting: RefCell::new(waiting), order: RwLock::new(()) }
    }

    /// Adds a value that has been named: its file, unless that is on disk already, and its
    /// directories.
    pub async fn add(
        &self,
        files: &F,
        file: Option<F::File>,
        directories: Vec<String>,
    ) -> Result<(), KvError> {
        {
            let mut waiting = self.waiting.borrow_mut();
            waiting.files.extend(file);
            waiting.directories.extend(directories);
            if !waiting.has_too_many_files() && !waiting.has_too_many_directories() {
                return Ok(());
            }
        }
        let _others_too = self.order.read().await;
        let (file, directories) = self.waiting.borrow_mut().take_surplus();
        self.write_out(files, file, directories).await
    }

    /// Returns once everything added before is on disk.
    pub async fn settle(&self, files: &F) -> Result<(), KvError> {
        let _alone = self.order.write().await;
        let (waiting, directories) = {
            let mut waiting = self.waiting.borrow_mut();
            if let Some(failure) = &waiting.failure {
                return Err(failure.clone());
            }
            (std::mem::take(&mut waiting.files), std::mem::take(&mut waiting.directories))
        };
        self.write_out(files, waiting, directories).await
    }

    /// Returns once the names in these directories are on disk.
    pub async fn write_names(&self, files: &F, directories: Vec<String>) -> Result<(), KvError> {
        self.write_out(files, None, directories).await
    }

    async fn write_out(
        &self,
        files: &F,
        waiting: impl IntoIterator<Item = F::File>,
        directories: impl IntoIterator<Item = String>,
    ) -> Result<(), KvError> {
        let written = async {
            for file in waiting {
                files.sync(&file).await.map_err(|f| f.kv_error("bring a value to disk"))?;
            }
            for directory in directories {
                let synced = sync_directory(files, &directory).await;
                synced.map_err(|failure| failure.kv_error("bring names to disk"))?;
            }
            Ok(())
        };
        let written = written.await;
        if let Err(error) = &written {
            let lost = format!("values may be lost: {error}");
            self.waiting.borrow_mut().failure.get_or_insert(KvError::Rejected(lost));
        }
        written
    }
}

impl<F: Files> Waiting<F> {
    fn has_too_many_files(&self) -> bool {
        self.files.len() > FILES_MAX
    }

    fn has_too_many_directories(&self) -> bool {
        self.directories.len() > DIRECTORIES_MAX
    }

    fn take_surplus(&mut self) -> (Option<F::File>, BTreeSet<String>) {
        let file = match self.has_too_many_files() {
            true => self.files.pop_front(),
            false => None,
        };
        let directories = match self.has_too_many_directories() {
            true => std::mem::take(&mut self.directories),
            false => BTreeSet::new(),
        };
        (file, directories)
    }
}

/// Brings a directory's names to disk; none if it is gone, with all values in it.
pub(crate) async fn sync_directory<F: Files>(files: &F, path: &str) -> Result<(), Failure> {
    use crate::Obstacle::Unsupported;
    match files.sync_directory(path).await {
        // Some network file systems have no such thing.
        Err(Failure::NotFound | Failure::Blocked(Unsupported)) => Ok(()),
        result => result,
    }
}
