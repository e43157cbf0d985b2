//! Listing: reads the directories that a [`Walk`] asks for.
//!
//! A walk finds more than a page in a large directory. It is kept for whoever asks for the
//! next page, who need not read the directory again if it has not changed: all of a huge one
//! would be read for each page.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chunk_store::kv::{KeyPage, KvError};
use chunk_store_filesystem::walk::{Found, Step, Walk};

use super::errors::kv_error;

/// How many walks are kept, each of some thousand entries: one for each listing that is under
/// way.
const KEPT_MAX: usize = 2;

/// Times of change are as coarse as two seconds (FAT): a directory that changed less long
/// before it was read may have changed after it too, and show the same time.
const SETTLED: Duration = Duration::from_secs(3);

/// Walks that have ended a page and can go on.
#[derive(Default)]
pub(super) struct Listings(Mutex<Vec<Listing>>);

/// A walk, where it stands, and what it has read.
struct Listing {
    prefix: String,
    /// Of the next page; `None` before the first.
    cursor: Option<String>,
    walk: Walk,
    read: Vec<Read>,
}

/// A directory as it was read.
struct Read {
    directory: Found,
    path: PathBuf,
    /// When it had changed; `None` if that says nothing.
    modified: Option<SystemTime>,
}

impl Listings {
    /// A page of at most `limit` keys with the prefix.
    pub(super) fn page(
        &self,
        data: &Path,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<KeyPage, KvError> {
        let mut listing = match self.take(prefix, cursor) {
            Some(kept) => kept,
            None => {
                let walk = Walk::new(prefix, cursor, limit)?;
                Listing { prefix: prefix.into(), cursor: None, walk, read: Vec::new() }
            }
        };
        listing.walk.limit_to(limit);
        let page = listing.page(data)?;
        listing.cursor = page.cursor.clone();
        self.keep(listing);
        Ok(page)
    }

    /// The walk that has come this far, if what it has found is still there.
    fn take(&self, prefix: &str, cursor: Option<&str>) -> Option<Listing> {
        cursor?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |one: &Listing| one.prefix == prefix && one.cursor.as_deref() == cursor;
        let at = kept.iter().position(is_it)?;
        let listing = kept.remove(at);
        drop(kept);
        listing.read.iter().all(Read::is_as_it_was).then_some(listing)
    }

    fn keep(&self, mut listing: Listing) {
        let Listing { walk, read, .. } = &mut listing;
        read.retain(|one| walk.has_left_of(&one.directory));
        // One without anything left would read what a new one reads.
        if read.is_empty() || read.iter().any(|one| one.modified.is_none()) {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        kept.push(listing);
    }
}

impl Listing {
    fn page(&mut self, data: &Path) -> Result<KeyPage, KvError> {
        loop {
            match self.walk.step() {
                Step::Page(page) => return Ok(page),
                Step::Read(directory) => {
                    let path = data.join(directory.path());
                    let modified = settled(&path);
                    read(&mut self.walk, &directory, &path)
                        .map_err(|error| kv_error(&error, "list keys", &path))?;
                    self.read.push(Read { directory, path, modified });
                }
            }
        }
    }
}

impl Read {
    fn is_as_it_was(&self) -> bool {
        self.modified.is_some() && modified(&self.path) == self.modified
    }
}

/// When a directory changed last.
fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// The same, if a change from now on shows.
fn settled(path: &Path) -> Option<SystemTime> {
    modified(path).filter(|at| at.elapsed().is_ok_and(|ago| ago > SETTLED))
}

fn read(walk: &mut Walk, directory: &Found, path: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        // Emptied and removed since it was found, or a prefix without keys.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(found) = name.to_str().and_then(|name| walk.wants(directory, name)) else {
            continue;
        };
        let file_type = match entry.file_type() {
            Ok(file_type) => file_type,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if (found.is_value() && file_type.is_file()) || (!found.is_value() && file_type.is_dir()) {
            walk.find(found);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_no_key_has_are_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        fs::write(data.join("a"), "").unwrap();
        fs::create_dir(data.join("b+")).unwrap();
        fs::write(data.join("b+/c"), "").unwrap();
        fs::write(data.join("e+"), "").unwrap();
        fs::create_dir(data.join("f")).unwrap();
        fs::create_dir(data.join("plain")).unwrap();
        fs::write(data.join("plain/x"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", data.join("link")).unwrap();
        let page = Listings::default().page(data, "", None, 10).unwrap();
        let keys: Vec<_> = page.keys.into_iter().map(|listed| listed.key).collect();
        assert_eq!(keys, ["a", "b/c"]);
    }
    /// A directory of the values `00` to `99`, which nobody has changed for a minute.
    fn hundred() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..100 {
            fs::write(directory.path().join(format!("{number:02}")), "").unwrap();
        }
        rest(directory.path());
        directory
    }

    fn rest(directory: &Path) {
        let then = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(directory).unwrap().set_modified(then).unwrap();
    }

    fn keys(page: &KeyPage) -> Vec<&str> {
        page.keys.iter().map(|listed| listed.key.as_str()).collect()
    }

    fn kept(listings: &Listings) -> usize {
        listings.0.lock().unwrap().len()
    }

    #[test]
    fn a_page_behind_another_reads_nothing_again() {
        let directory = hundred();
        let listings = Listings::default();
        let first = listings.page(directory.path(), "", None, 10).unwrap();
        assert_eq!(kept(&listings), 1);
        // Seen by nobody who does not read the directory.
        fs::remove_file(directory.path().join("10")).unwrap();
        let kept_at = listings.0.lock().unwrap()[0].read[0].modified.unwrap();
        fs::File::open(directory.path()).unwrap().set_modified(kept_at).unwrap();
        let second = listings.page(directory.path(), "", first.cursor.as_deref(), 5).unwrap();
        assert_eq!(keys(&second), ["10", "11", "12", "13", "14"]);
        let third = listings.page(directory.path(), "", second.cursor.as_deref(), 100).unwrap();
        assert_eq!((keys(&third)[0], third.keys.len(), &third.cursor), ("15", 85, &None));
        assert_eq!(kept(&listings), 0, "there is nothing left");
    }

    #[test]
    fn what_has_changed_is_read_again() {
        let directory = hundred();
        let listings = Listings::default();
        let mut page = listings.page(directory.path(), "", None, 10).unwrap();
        for (change, wanted) in [("removed", "11"), ("added", "20+"), ("at once", "300")] {
            match change {
                "removed" => fs::remove_file(directory.path().join("10")).unwrap(),
                "added" => fs::write(directory.path().join("20%2B"), "").unwrap(),
                // While it changes, nothing is kept.
                _ => {
                    assert_eq!(kept(&listings), 0);
                    fs::write(directory.path().join("300"), "").unwrap();
                }
            }
            page = listings.page(directory.path(), "", page.cursor.as_deref(), 10).unwrap();
            assert!(keys(&page).contains(&wanted), "{change}: {:?}", keys(&page));
        }
    }

    #[test]
    fn few_walks_are_kept() {
        let directory = hundred();
        let listings = Listings::default();
        for prefix in ["", "1", "2", "3"] {
            let page = listings.page(directory.path(), prefix, None, 3).unwrap();
            assert_eq!(page.keys.len(), 3);
        }
        assert_eq!(kept(&listings), KEPT_MAX);
        // Another cursor than that of the page is not the walk's.
        let page = listings.page(directory.path(), "3", Some("a31"), 3).unwrap();
        assert_eq!(keys(&page), ["32", "33", "34"]);
    }
}
