//! Writing and deleting a value.
//!
//! A set fills a temporary file, takes the key's lock, checks the condition, and
//! renames. The lock makes check and rename one step between all threads and
//! processes that share the directory.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};

use super::Store;
use super::attribute;
use super::durability::sync_directory;
use super::errors::kv_error;

/// How often a set makes its directories again after a delete removed them.
const RENAMES_MAX: usize = 1000;

impl Store {
    /// Writes a value; its limits have been checked.
    pub(super) fn set(
        &self,
        key: &str,
        value: &[u8],
        options: &SetOptions,
    ) -> Result<Outcome, KvError> {
        let failed = |error: Error| kv_error(&error, "write a value", &self.data);
        let path = self.value_path(key);
        let condition = options.condition.as_ref();
        // Who has lost already need not write.
        if !self.holds(&path, condition).map_err(failed)? {
            return Ok(Outcome::Stale);
        }
        let mut temporary = self.temporary(value).map_err(failed)?;
        if let Some(pending) = &self.pending {
            if options.durable {
                pending.settle()?;
            }
            if options.durable || path.exists() {
                temporary.sync().map_err(failed)?;
            }
        }
        let lock = self.lock(key).map_err(failed)?;
        if !self.holds(&path, condition).map_err(failed)? {
            return Ok(Outcome::Stale);
        }
        // Were the file not on disk before it takes the old one's name, a power
        // failure could leave neither value.
        if self.pending.is_some() && path.exists() {
            temporary.sync().map_err(failed)?;
        }
        let is_on_disk = temporary.is_on_disk;
        let file = temporary.rename(&path).map_err(failed)?;
        drop(lock);
        if let Some(pending) = &self.pending {
            let directories = self.directories(&path);
            if options.durable {
                let directories: Vec<PathBuf> = directories.collect();
                pending.write_names(&directories)?;
            } else {
                pending.add((!is_on_disk).then_some(file), directories)?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Deletes a value, and the directories that it leaves empty.
    pub(super) fn delete(
        &self,
        key: &str,
        condition: Option<&Condition>,
    ) -> Result<Outcome, KvError> {
        let path = self.value_path(key);
        self.remove(key, &path, condition)
            .map_err(|error| kv_error(&error, "delete a value", &self.data))
    }

    fn remove(
        &self,
        key: &str,
        path: &Path,
        condition: Option<&Condition>,
    ) -> Result<Outcome, Error> {
        let _lock = self.lock(key)?;
        if !self.holds(path, condition)? {
            return Ok(Outcome::Stale);
        }
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Done),
            Err(error) => return Err(error),
        }
        for directory in self.directories(path) {
            // Not empty, or just removed by someone else; `data` itself stays.
            if directory == self.data || fs::remove_dir(&directory).is_err() {
                if condition.is_some() && self.pending.is_some() {
                    sync_directory(&directory)?;
                }
                break;
            }
        }
        Ok(Outcome::Done)
    }

    /// Takes the lock for writes of a key, until the file is dropped.
    ///
    /// Sets and deletes without a condition take it too: between the check and the
    /// rename of a conditional set they would be undone by a set whose condition
    /// they had just made false.
    pub(super) fn lock(&self, key: &str) -> Result<File, Error> {
        let digest = blake3::hash(key.as_bytes());
        let path = self.locks.join(format!("{:02x}", digest.as_bytes()[0]));
        let mut options = File::options();
        let file = options.create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// The directories that lead to a value, deepest first, `data` last.
    fn directories(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        path.ancestors()
            .skip(1)
            .take_while(|directory| directory.starts_with(&self.data))
            .map(Path::to_path_buf)
    }

    /// The value in a file of its own, without its name yet.
    fn temporary(&self, value: &[u8]) -> Result<Temporary, Error> {
        let path = self.tmp.join(attribute::random_name()?);
        let mut file = File::create_new(&path)?;
        let path = Unnamed { path, is_named: false };
        file.write_all(value)?;
        if self.attributes {
            attribute::write(&file)?;
        }
        Ok(Temporary { file, path, is_on_disk: false })
    }
}

/// A value that has no name yet.
struct Temporary {
    file: File,
    path: Unnamed,
    is_on_disk: bool,
}

impl Temporary {
    fn sync(&mut self) -> Result<(), Error> {
        if !self.is_on_disk {
            self.file.sync_all()?;
            self.is_on_disk = true;
        }
        Ok(())
    }

    /// Gives the file its name, making directories as needed.
    fn rename(mut self, path: &Path) -> Result<File, Error> {
        let parent = path.parent().expect("a value lies in a directory");
        let mut made = Ok(());
        for _ in 0..RENAMES_MAX {
            match fs::rename(&self.path.path, path) {
                Ok(()) => {
                    self.path.is_named = true;
                    return Ok(self.file);
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Err(error) if !self.path.path.exists() => return Err(error),
                Err(_) => {}
            }
            made = fs::create_dir_all(parent);
            match &made {
                Ok(()) => {}
                // A delete of the last value in there was quicker: it was gone before a
                // directory was made below it, or between "it is there" and a look at it.
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {}
                Err(_) => break,
            }
        }
        made?;
        Err(Error::other("its directories were removed again and again"))
    }
}

/// The path of a temporary file, which is removed with it unless it was renamed.
struct Unnamed {
    path: PathBuf,
    is_named: bool,
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if !self.is_named {
            // One that stays is removed by an open an hour later.
            let _ = fs::remove_file(&self.path);
        }
    }
}
