//! What has been acknowledged and is not on disk yet.
//!
//! A set that need not be durable leaves its open file and its directories here. A
//! durable one first has all of that written to disk ([`Pending::settle`]) and
//! only then names its own file: whatever a crash leaves, a durable value never
//! stands without the values acknowledged before it.
//!
//! Files are written to disk from the moment on that they are here, by a few threads, so
//! that little is left for the durable set to wait for: the chunks of an object go to disk
//! while the next ones are digested. The list is bounded: whoever makes it too long writes
//! the oldest to disk. `order` is held shared for both and exclusively by a durable set,
//! which so waits for what others took from the list and have not written yet.
//!
//! On failure: a file whose write-back failed once may pass a second `fsync`
//! without being on disk. So after one failure every durable set of this instance
//! fails; opening the directory again begins anew.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;

use chunk_store::kv::KvError;

use super::errors::kv_error;

/// Most files that wait, each of which keeps a handle open.
const FILES_MAX: usize = 64;

/// How many files are written to disk at once.
const LANES: usize = 4;

/// Most directories that wait; the values of one object share theirs.
const DIRECTORIES_MAX: usize = 1024;

/// The list, one for each open store.
pub(super) struct Pending {
    /// The directory of the values, for messages.
    data: PathBuf,
    waiting: Mutex<Waiting>,
    order: RwLock<()>,
}

#[derive(Default)]
struct Waiting {
    files: VecDeque<File>,
    /// All directories between a waiting value and `data/`, that one included: no
    /// matter who made them, the value is lost if one of them is.
    directories: BTreeSet<PathBuf>,
    /// Threads that write files to disk.
    lanes: usize,
    /// Why acknowledged values may be lost.
    failure: Option<KvError>,
}

impl Pending {
    /// Nothing that waits; the values will lie below `data`.
    pub(super) fn new(data: PathBuf) -> Self {
        Self { data, waiting: Mutex::default(), order: RwLock::default() }
    }

    /// Adds a value that has been named: its file, unless that is on disk
    /// already, and its directories.
    pub(super) fn add(
        self: &Arc<Self>,
        file: Option<File>,
        directories: impl IntoIterator<Item = PathBuf>,
    ) -> Result<(), KvError> {
        {
            let mut waiting = self.waiting();
            waiting.files.extend(file);
            waiting.directories.extend(directories);
            self.open_lane(&mut waiting);
            if !waiting.has_too_many_files() && !waiting.has_too_many_directories() {
                return Ok(());
            }
        }
        let _others_too = self.order.read().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.waiting();
        let file = match waiting.has_too_many_files() {
            true => waiting.files.pop_front(),
            false => None,
        };
        let directories = match waiting.has_too_many_directories() {
            true => std::mem::take(&mut waiting.directories),
            false => BTreeSet::new(),
        };
        drop(waiting);
        self.write_out(file, &directories)
    }

    /// Begins to write to disk what waits, if nobody does.
    fn open_lane(self: &Arc<Self>, waiting: &mut Waiting) {
        if waiting.files.is_empty() || waiting.lanes == LANES {
            return;
        }
        let pending = self.clone();
        let thread = thread::Builder::new().name("chunk-store sync".to_string());
        // Without a thread all waits for who settles.
        if thread.spawn(move || pending.work_off()).is_ok() {
            waiting.lanes += 1;
        }
    }

    /// Writes files to disk until none waits.
    fn work_off(&self) {
        loop {
            let _others_too = self.order.read().unwrap_or_else(PoisonError::into_inner);
            let mut waiting = self.waiting();
            let Some(file) = waiting.files.pop_front() else {
                waiting.lanes -= 1;
                return;
            };
            drop(waiting);
            // A failure is noted for who settles.
            let _ = self.write_out([file], []);
        }
    }

    /// Returns once everything added before is on disk.
    pub(super) fn settle(&self) -> Result<(), KvError> {
        let _alone = self.order.write().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.waiting();
        if let Some(failure) = &waiting.failure {
            return Err(failure.clone());
        }
        let files = std::mem::take(&mut waiting.files);
        let directories = std::mem::take(&mut waiting.directories);
        drop(waiting);
        self.write_at_once(files)?;
        self.write_out(None, &directories)
    }

    /// Writes files to disk, several at once.
    fn write_at_once(&self, files: VecDeque<File>) -> Result<(), KvError> {
        let lanes = LANES.min(files.len());
        let files = Mutex::new(files);
        let next = || files.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let lane = || self.write_out(std::iter::from_fn(next), []);
        thread::scope(|scope| {
            // Without threads this one writes them all: files that were taken off the list and
            // not written would be lost to everybody's next durable set.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, lane).ok();
            let others: Vec<_> = (1..lanes).map_while(spawn).collect();
            let written = lane();
            let others = others.into_iter().map(|other| other.join().expect("it does not panic"));
            others.fold(written, Result::and)
        })
    }

    /// Returns once the names in these directories are on disk.
    pub(super) fn write_names(&self, directories: &[PathBuf]) -> Result<(), KvError> {
        self.write_out(None, directories)
    }

    fn write_out<'a>(
        &self,
        files: impl IntoIterator<Item = File>,
        directories: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Result<(), KvError> {
        let written = (|| {
            for file in files {
                file.sync_all()
                    .map_err(|error| kv_error(&error, "bring a value to disk", &self.data))?;
            }
            for directory in directories {
                sync_directory(directory)
                    .map_err(|error| kv_error(&error, "bring names to disk", directory))?;
            }
            Ok(())
        })();
        if let Err(error) = &written {
            self.waiting().failure.get_or_insert_with(|| {
                KvError::Rejected(format!(
                    "values may be lost, open the store again to go on: {error}"
                ))
            });
        }
        written
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn has_too_many_files(&self) -> bool {
        self.files.len() > FILES_MAX
    }

    fn has_too_many_directories(&self) -> bool {
        self.directories.len() > DIRECTORIES_MAX
    }
}

/// Writes a directory's names to disk; none if it is gone, with all values in it.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some network file systems have no such thing.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_settling_empties_it() {
        let directory = tempfile::tempdir().unwrap();
        let pending = Arc::new(Pending::new(directory.path().into()));
        for count in 0..3 * FILES_MAX {
            let file = File::create(directory.path().join(count.to_string())).unwrap();
            let directories =
                (0..20).map(|level| directory.path().join(format!("{count}-{level}")));
            pending.add(Some(file), directories).unwrap();
            assert!(pending.waiting().files.len() <= FILES_MAX);
            assert!(pending.waiting().directories.len() <= DIRECTORIES_MAX);
        }
        pending.settle().unwrap();
        assert!(pending.waiting().files.is_empty());
        assert!(pending.waiting().directories.is_empty());
    }

    #[test]
    fn after_a_failure_nothing_is_called_durable() {
        let directory = tempfile::tempdir().unwrap();
        let pending = Pending::new(directory.path().into());
        let blocked = directory.path().join("file/below");
        File::create(directory.path().join("file")).unwrap();
        assert!(pending.write_names(&[blocked]).is_err());
        let error = pending.settle().unwrap_err();
        assert!(error.to_string().contains("open the store again"), "{error}");
    }
}
