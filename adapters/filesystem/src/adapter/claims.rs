//! Claims: who may change a key, where there are no locks.
//!
//! A conditional write is a check and a write, with nothing in between. Several instances
//! and processes share the directory, WASI has no locks, and any of them may be stopped,
//! or gone, at any moment. So a writer claims a key's bucket, in steps that the file system
//! does at once or not at all:
//!
//! 1. It makes a directory `tmp/ID` with one file in it, `ID`: what is to be written. `ID`
//!    is drawn at random.
//! 2. It renames the directory to `claims/BUCKET`. That takes the place of an empty
//!    directory, and fails if there is one that is not empty: the file in it is the claim.
//! 3. It checks the condition.
//! 4. It renames the file to where the value belongs. That writes the value and gives the
//!    claim back, in one step. A delete renames the value to the claim's file instead, in
//!    the directory that it has open, and removes that file then.
//!
//! Who finds the same claim there for [`STALE_MS`] takes it to be of a writer that is gone,
//! and removes its file. If that writer was only slow, its step 4 finds no file to rename,
//! or, in a delete, a directory that has been replaced, into which nothing can be put: it
//! fails, and has changed nothing. So between the check and the write nobody else has
//! written the key, however long that took and whoever was wrong about whom. Clocks decide
//! how long a claim is waited for, never whether a write is right.
//!
//! Claims of different keys in one bucket wait for each other, for the moment from step 2
//! to 4: the value is written, and brought to disk, before.

use chunk_store::clock::Clock;
use chunk_store::kv::KvError;

use crate::adapter::failure::Failure;
use crate::adapter::files::Files;

/// Where claims are.
pub(crate) const CLAIMS: &str = "claims";

/// Where values are written.
pub(crate) const TMP: &str = "tmp";

/// How long somebody else's claim may stand before it is removed, in milliseconds. A claim
/// that was too slow fails and is tried again.
const STALE_MS: u64 = 3_000;

/// How long to wait for a bucket in all, in milliseconds: less than the store waits for an
/// operation.
const WAIT_MS_MAX: u64 = 20_000;

/// The first wait for a bucket, in milliseconds, and the longest; each is twice the last.
const PAUSE_MS: (u64, u64) = (1, 20);

/// What is to be written, in a directory of its own.
pub(crate) struct Staged<F: Files> {
    directory: F::Directory,
    /// That of the directory and of the file in it.
    name: String,
    /// The file.
    pub file: F::File,
}

/// A claim that was given: nobody else changes keys of the bucket until it is given back,
/// or taken away.
pub(crate) struct Claim<F: Files> {
    directory: F::Directory,
    name: String,
    /// The file with what is to be written.
    pub file: F::File,
}

/// Writes what is to be written, nothing for a delete.
pub(crate) async fn stage<F: Files>(
    files: &F,
    clock: &impl Clock,
    bytes: Vec<u8>,
) -> Result<Staged<F>, Failure> {
    let name = format!("{:032x}", clock.random());
    let path = format!("{TMP}/{name}");
    files.make_directory(&path).await?;
    let staged = async {
        let directory = files.open_directory(&path).await?;
        let file = files.create(&directory, &name).await?;
        let staged = Staged { directory, name: name.clone(), file };
        match files.write(&staged.file, bytes).await {
            Ok(()) => Ok(staged),
            Err(failure) => {
                // What stays is removed after an hour.
                let _ = files.remove_file(&staged.directory, &name).await;
                Err(failure)
            }
        }
    };
    let staged = staged.await;
    if staged.is_err() {
        let _ = files.remove_directory(&path).await;
    }
    staged
}

impl<F: Files> Staged<F> {
    /// Claims the bucket of a key.
    pub async fn claim(
        self,
        files: &F,
        clock: &impl Clock,
        key: &str,
    ) -> Result<Claim<F>, KvError> {
        let bucket = bucket(key);
        let own = format!("{TMP}/{}", self.name);
        let begun = clock.monotonic_ns();
        let mut pause_ms = PAUSE_MS.0;
        let mut standing = Standing::default();
        loop {
            let claimed = files.rename((files.root(), &own), (files.root(), &bucket)).await;
            match claimed {
                Ok(()) => {
                    let Self { directory, name, file } = self;
                    return Ok(Claim { directory, name, file });
                }
                Err(Failure::Taken) => {}
                Err(failure) => {
                    self.discard(files).await;
                    return Err(failure.kv_error("claim a key"));
                }
            }
            let now = clock.monotonic_ns();
            if now - begun > WAIT_MS_MAX * 1_000_000 {
                self.discard(files).await;
                return Err(KvError::Unavailable(format!(
                    "keys of the bucket {bucket} are being written all the time"
                )));
            }
            let holder = holder(files, &bucket).await;
            if let Some(stale) = standing.stale(holder, now) {
                // Whether by us or by somebody else, it is gone then.
                let _ = files.remove_file(files.root(), &format!("{bucket}/{stale}")).await;
                continue;
            }
            clock.sleep_ms(pause_ms).await;
            pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
        }
    }

    /// Removes it. What stays is removed after an hour.
    pub async fn discard(&self, files: &F) {
        let _ = files.remove_file(&self.directory, &self.name).await;
        let _ = files.remove_directory(&format!("{TMP}/{}", self.name)).await;
    }
}

impl<F: Files> Claim<F> {
    /// Makes what was staged the file at `path`, which ends the claim.
    /// [`Failure::NotFound`]: the claim was taken away, or the path's directory is missing;
    /// nothing was changed.
    pub async fn put(&self, files: &F, path: &str) -> Result<(), Failure> {
        files.rename((&self.directory, &self.name), (files.root(), path)).await
    }

    /// Whether nobody has taken it away.
    pub async fn stands(&self, files: &F, key: &str) -> bool {
        files.stat(&format!("{}/{}", bucket(key), self.name)).await.is_ok()
    }

    /// Removes the file at `path`, which ends the claim. [`Failure::NotFound`]: the claim
    /// was taken away, or there is no such file; nothing was changed.
    pub async fn remove(self, files: &F, path: &str) -> Result<(), Failure> {
        files.rename((files.root(), path), (&self.directory, &self.name)).await?;
        self.give_back(files).await;
        Ok(())
    }

    /// Ends it. One that stays is taken for that of a writer that is gone.
    pub async fn give_back(self, files: &F) {
        let _ = files.remove_file(&self.directory, &self.name).await;
    }
}

/// Where the claim on a key is.
fn bucket(key: &str) -> String {
    format!("{CLAIMS}/{:02x}", blake3::hash(key.as_bytes()).as_bytes()[0])
}

/// The claim on a bucket; `None` if there is none by now, or it cannot be told.
async fn holder<F: Files>(files: &F, bucket: &str) -> Option<String> {
    let entries = files.entries(bucket).await.ok()?;
    entries.into_iter().next().map(|entry| entry.name)
}

/// How long the same claim has been seen.
#[derive(Default)]
struct Standing {
    seen: Option<(String, u64)>,
}

impl Standing {
    /// The claim, if it has been standing for too long; `holder` is what stands now.
    fn stale(&mut self, holder: Option<String>, now_ns: u64) -> Option<String> {
        match (self.seen.take(), holder) {
            (Some((name, since)), Some(holder)) if name == holder => {
                if now_ns - since >= STALE_MS * 1_000_000 {
                    return Some(name);
                }
                self.seen = Some((name, since));
            }
            (_, Some(holder)) => self.seen = Some((holder, now_ns)),
            (_, None) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_stale_that_stands_unchanged_for_long_enough() {
        let mut standing = Standing::default();
        let mut at = |holder: Option<&str>, ms: u64| {
            standing.stale(holder.map(String::from), ms * 1_000_000)
        };
        assert_eq!(at(Some("a"), 0), None);
        assert_eq!(at(Some("a"), STALE_MS - 1), None);
        assert_eq!(at(Some("b"), STALE_MS), None, "another one");
        assert_eq!(at(None, STALE_MS + 1), None);
        assert_eq!(
            at(Some("b"), STALE_MS + 2),
            None,
            "it was away: nobody knows what came between"
        );
        assert_eq!(at(Some("b"), 2 * STALE_MS + 2).as_deref(), Some("b"));
    }
}
