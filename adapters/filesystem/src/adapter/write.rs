//! Writing and deleting a value, under a claim on its key.

use chunk_store::clock::Clock;
use chunk_store::kv::{Condition, KvError, Outcome, SetOptions};

use crate::Obstacle;
use crate::adapter::claims::{Claim, stage};
use crate::adapter::durability::sync_directory;
use crate::adapter::failure::Failure;
use crate::adapter::files::Files;
use crate::adapter::{FileKv, path};
use crate::names;

/// How often a set makes its directories again after a delete removed them.
const RENAMES_MAX: usize = 1000;

/// What is said of a claim that was taken for that of a writer that is gone.
pub(crate) const TOO_SLOW: &str =
    "the write took too long between its check and its end; nothing was changed";

impl<F: Files, C: Clock> FileKv<F, C> {
    /// Writes a value.
    pub async fn write(
        &self,
        key: &str,
        value: Vec<u8>,
        options: &SetOptions,
    ) -> Result<Outcome, KvError> {
        let failed = |failure: Failure| failure.kv_error("write a value");
        let (files, path) = (&self.files, path(key));
        let condition = options.condition.as_ref();
        // Who has lost already need not write.
        if !self.holds(&path, condition).await.map_err(failed)? {
            return Ok(Outcome::Stale);
        }
        self.prepare().await.map_err(failed)?;
        let staged = stage(files, &self.clock, value).await.map_err(failed)?;
        let mut is_on_disk = false;
        // Were the file not on disk before it takes an old one's name, a power failure
        // could leave neither value.
        if options.durable || files.stat(&path).await.is_ok() {
            let synced = async {
                if options.durable {
                    self.pending.settle(files).await?;
                }
                files.sync(&staged.file).await.map_err(failed)
            };
            if let Err(error) = synced.await {
                staged.discard(files).await;
                return Err(error);
            }
            is_on_disk = true;
        }
        let claim = staged.claim(files, &self.clock, key).await?;
        match self.put(&claim, key, &path, condition, is_on_disk).await {
            Ok(Outcome::Done) => {}
            stopped => {
                claim.give_back(files).await;
                return stopped.map_err(failed);
            }
        }
        let directories = directories(&path);
        if options.durable {
            self.pending.write_names(files, directories).await?;
        } else {
            self.pending.add(files, (!is_on_disk).then_some(claim.file), directories).await?;
        }
        Ok(Outcome::Done)
    }

    /// Checks the condition and gives the file its name, making directories as needed.
    async fn put(
        &self,
        claim: &Claim<F>,
        key: &str,
        path: &str,
        condition: Option<&Condition>,
        is_on_disk: bool,
    ) -> Result<Outcome, Failure> {
        let files = &self.files;
        if !self.holds(path, condition).await? {
            return Ok(Outcome::Stale);
        }
        if !is_on_disk && files.stat(path).await.is_ok() {
            files.sync(&claim.file).await?;
        }
        for _ in 0..RENAMES_MAX {
            match claim.put(files, path).await {
                Ok(()) => return Ok(Outcome::Done),
                Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
            if !claim.stands(files, key).await {
                return Err(Failure::Other(TOO_SLOW.into()));
            }
            for directory in directories(path).iter().rev() {
                match files.make_directory(directory).await {
                    // A delete of the last value in there may have been quicker.
                    Ok(()) | Err(Failure::Taken | Failure::NotFound) => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
        Err(Failure::Other("its directories were removed again and again".into()))
    }

    /// Deletes a value, and the directories that it leaves empty.
    pub async fn remove(
        &self,
        key: &str,
        condition: Option<&Condition>,
    ) -> Result<Outcome, KvError> {
        let failed = |failure: Failure| failure.kv_error("delete a value");
        let (files, path) = (&self.files, path(key));
        // Who has lost already, or has nothing to delete, need not claim.
        if !self.holds(&path, condition).await.map_err(failed)? {
            return Ok(Outcome::Stale);
        }
        match files.stat(&path).await {
            Ok(found) if found.is_directory => {
                return Err(failed(Failure::Blocked(Obstacle::InTheWay)));
            }
            Ok(_) => {}
            Err(Failure::NotFound) => {
                return Ok(match condition {
                    Some(Condition::VersionIs(_)) => Outcome::Stale,
                    None | Some(Condition::Absent) => Outcome::Done,
                });
            }
            Err(failure) => return Err(failed(failure)),
        }
        self.prepare().await.map_err(failed)?;
        let staged = stage(files, &self.clock, Vec::new()).await.map_err(failed)?;
        let claim = staged.claim(files, &self.clock, key).await?;
        match self.holds(&path, condition).await {
            Ok(true) if condition != Some(&Condition::Absent) => {}
            outcome => {
                claim.give_back(files).await;
                return Ok(if outcome.map_err(failed)? { Outcome::Done } else { Outcome::Stale });
            }
        }
        match claim.remove(files, &path).await {
            Ok(()) => {}
            Err(Failure::NotFound) => {
                // Either way nothing was changed. Without a condition another's delete will do.
                let is_gone = files.stat(&path).await == Err(Failure::NotFound);
                return match condition.is_none() && is_gone {
                    true => Ok(Outcome::Done),
                    false => Err(failed(Failure::Other(TOO_SLOW.into()))),
                };
            }
            Err(failure) => return Err(failed(failure)),
        }
        self.clear_away(&path, condition.is_some()).await.map_err(failed)?;
        Ok(Outcome::Done)
    }

    /// Removes the directories that a value has left empty; if it is to be durable, brings
    /// to disk that it is gone.
    async fn clear_away(&self, path: &str, durable: bool) -> Result<(), Failure> {
        for directory in directories(path) {
            // Not empty, or just removed by someone else; `data` itself stays.
            if directory == names::DATA || self.files.remove_directory(&directory).await.is_err() {
                if durable {
                    sync_directory(&self.files, &directory).await?;
                }
                break;
            }
        }
        Ok(())
    }
}

/// The directories that lead to a value, deepest first, `data` last.
fn directories(path: &str) -> Vec<String> {
    let ends = path.match_indices('/').map(|(at, _)| path[..at].to_string());
    let mut directories: Vec<String> = ends.collect();
    directories.reverse();
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_named_from_the_deepest_up() {
        assert_eq!(directories("data/a"), ["data"]);
        assert_eq!(directories("data/a+/b+/c"), ["data/a+/b+", "data/a+", "data"]);
    }
}
