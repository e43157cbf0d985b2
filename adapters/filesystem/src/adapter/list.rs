//! Listing: reads the directories that a [`Walk`] asks for.

use chunk_store::kv::{KeyPage, KvError};

use crate::Obstacle;
use crate::adapter::FileKv;
use crate::adapter::failure::Failure;
use crate::adapter::files::{Entry, Files};
use crate::names::DATA;
use crate::walk::{Step, Walk};

/// How often a directory is read again that changed while it was read.
const READS_MAX: usize = 50;

impl<F: Files, C> FileKv<F, C> {
    /// A page of at most `limit` keys with the prefix.
    pub async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<KeyPage, KvError> {
        let mut walk = Walk::new(prefix, cursor, limit)?;
        loop {
            let directory = match walk.step() {
                Step::Page(page) => return Ok(page),
                Step::Read(directory) => directory,
            };
            let path = match directory.path() {
                "" => DATA.to_string(),
                below => format!("{DATA}/{below}"),
            };
            let entries = self.entries(&path).await.map_err(|f| f.kv_error("list keys"))?;
            for Entry { name, is_file, is_directory } in entries {
                if let Some(found) = walk.wants(&directory, &name)
                    && (if found.is_value() { is_file } else { is_directory })
                {
                    walk.find(found);
                }
            }
        }
    }

    /// None if the directory is gone, or was never there.
    async fn entries(&self, path: &str) -> Result<Vec<Entry>, Failure> {
        for _ in 0..READS_MAX {
            match self.files.entries(path).await {
                Ok(entries) => return Ok(entries),
                // A prefix without keys.
                Err(Failure::Blocked(Obstacle::InTheWay)) => return Ok(Vec::new()),
                // The directory; or a file in it that was removed when its type was asked
                // for, which ends the reading.
                Err(Failure::NotFound) if self.files.stat(path).await.is_err() => {
                    return Ok(Vec::new());
                }
                Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Other("what is in it changed each time that it was read".into()))
    }
}
