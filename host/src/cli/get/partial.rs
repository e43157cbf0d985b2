//! A file that comes to be in more than one go: what has been written lies beside it,
//! under a name that tells of which content it is the beginning, until it is whole.
//!
//! Bytes are verified before they are written. What an earlier command left may have been
//! damaged since (by a power failure, say), so a file that was gone on with is compared with
//! the object's digest as a whole before it gets its name.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use blake3::Hasher;
use chunk_store::object::ObjectInfo;
use chunk_store::range::Span;
use chunk_store_host::ChunkStore;

use super::copy;
use super::file::{Target, Written};
use super::reading::Reading;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::transfer::Transfer;

/// Of objects from this size on what was written is kept after an interruption; below,
/// reading all of it again costs less than the care.
pub const KEPT_BYTES_MIN: u64 = 64 << 20;

const ADVICE: &str = "what has been written is kept beside the file: give --resume to go on";

/// So many bytes of the file's name are in that of the partial one, which must not be
/// longer than names can be.
const NAME_BYTES_MAX: usize = 200;

/// Hexadecimal digits of the digest in the name.
const DIGEST_DIGITS: usize = 16;

/// The beginning of a file, locked.
struct Partial {
    path: PathBuf,
    file: File,
    /// How much an earlier command wrote.
    had: u64,
}

/// Writes an object to a file, from its beginning or, with `resume`, from where an earlier
/// command was cut off.
pub async fn write(
    store: &ChunkStore,
    reading: Reading,
    target: &Target<'_>,
    resume: bool,
    transfer: &Transfer,
    output: &Output,
) -> Result<Written, Failure> {
    let info = reading.whole_object().expect("a partial file is of a whole object").clone();
    remove_others(target, &info).map_err(|error| target.cannot(error))?;
    let mut partial = Partial::open(target, &info, resume)?;
    output.advise(Some(ADVICE.to_string()));
    let written = match partial.had {
        0 => partial.begin(reading, target, transfer).await,
        _ => {
            // With what it has read ahead it would hold the memory that the rest needs.
            drop(reading);
            partial.go_on(store, &info, target, transfer).await
        }
    };
    output.advise(None);
    let finished = written.and_then(|received_bytes| {
        target.keep_permissions(&partial.file).map_err(|error| target.cannot(error))?;
        fs::rename(&partial.path, target.path).map_err(|error| target.cannot(error))?;
        Ok(Written { part: Span::new(0, info.size), info, received_bytes })
    });
    finished.map_err(|failure| partial.failed(failure))
}

impl Partial {
    /// Opens the partial file of this content, without what is there unless `resume`.
    fn open(target: &Target<'_>, info: &ObjectInfo, resume: bool) -> Result<Self, Failure> {
        let cannot = |error| target.cannot(error);
        let path = target.directory().join(name(target.path, Some(info)));
        let file = loop {
            let mut options = File::options();
            let options = options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(cannot)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::local(format!(
                        "another command is writing {}: wait for it, or give another name",
                        target.shown
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            // Whoever held the lock may have finished: then this file has its name now.
            if is_at(&file, &path).map_err(cannot)? {
                break file;
            }
        };
        if !resume {
            file.set_len(0).map_err(cannot)?;
        }
        let had = file.metadata().map_err(cannot)?.len();
        if had > info.size {
            file.set_len(info.size).map_err(cannot)?;
        }
        Ok(Self { path, file, had: had.min(info.size) })
    }

    async fn begin(
        &mut self,
        mut reading: Reading,
        target: &Target<'_>,
        transfer: &Transfer,
    ) -> Result<u64, Failure> {
        copy(&mut reading, &mut self.file, target.shown, transfer).await?;
        Ok(reading.ended().1.len())
    }

    async fn go_on(
        &mut self,
        store: &ChunkStore,
        info: &ObjectInfo,
        target: &Target<'_>,
        transfer: &Transfer,
    ) -> Result<u64, Failure> {
        let cannot = |error| target.cannot(error);
        transfer.begins_at(self.had);
        let mut digesting = self.digesting().await.map_err(cannot)?;
        if self.had < info.size {
            let mut reading = Reading::rest(store, info, self.had).await?;
            copy(&mut reading, &mut digesting, target.shown, transfer).await?;
        }
        if format!("blake3:{}", digesting.hasher.finalize()) != info.digest {
            return Err(Failure {
                name: "corrupt",
                message: format!(
                    "what an earlier command had written of {} was damaged since, and has been removed: run this again",
                    target.shown
                ),
                code: 10,
            });
        }
        Ok(info.size - self.had)
    }

    /// Digests what is there; what is written goes behind it.
    async fn digesting(&self) -> io::Result<Digesting> {
        let mut file = self.file.try_clone()?;
        let digested = tokio::task::spawn_blocking(move || {
            file.seek(SeekFrom::Start(0))?;
            let mut hasher = Hasher::new();
            hasher.update_reader(&mut file)?;
            io::Result::Ok(Digesting { file, hasher })
        });
        digested.await.map_err(io::Error::other)?
    }

    /// What can be gone on with is kept.
    fn failed(self, failure: Failure) -> Failure {
        let hopeless = ["corrupt", "replaced", "not-found", "precondition-failed"];
        let written = self.file.metadata().map_or(0, |metadata| metadata.len());
        if written == 0 || hopeless.contains(&failure.name) {
            let _ = fs::remove_file(&self.path);
            return failure;
        }
        Failure { message: format!("{}; {ADVICE}", failure.message), ..failure }
    }
}

/// A file, and the digest of all that is in it.
struct Digesting {
    file: File,
    hasher: Hasher,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// `.NAME.DIGEST.part`, or without the digest what all partial files of NAME begin with.
fn name(path: &Path, info: Option<&ObjectInfo>) -> OsString {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut bytes = [b".", &name[..name.len().min(NAME_BYTES_MAX)], b"."].concat();
    if let Some(info) = info {
        let hex = info.digest.trim_start_matches("blake3:");
        bytes.extend_from_slice(&hex.as_bytes()[..DIGEST_DIGITS]);
        bytes.extend_from_slice(b".part");
    }
    OsString::from_vec(bytes)
}

/// Removes what earlier commands left of other contents that the object had.
fn remove_others(target: &Target<'_>, info: &ObjectInfo) -> io::Result<()> {
    let (prefix, own) = (name(target.path, None), name(target.path, Some(info)));
    for entry in fs::read_dir(target.directory())? {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
        let Some(hex) = rest.and_then(|rest| rest.strip_suffix(b".part")) else { continue };
        let is_partial = hex.len() == DIGEST_DIGITS && hex.iter().all(u8::is_ascii_hexdigit);
        if is_partial && name != own && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(there) => Ok(there.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
