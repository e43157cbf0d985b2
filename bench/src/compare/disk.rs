//! Files and the disk below them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{Advice, fadvise, syncfs};

use super::subject::Result;

/// What a file takes is told in blocks of so many bytes.
const BLOCK_BYTES: u64 = 512;

/// So many bytes of a file.
pub fn read_at(path: &Path, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    File::open(path)?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes.into())
}

/// Waits until all that was written to this file system is on disk, so that it disturbs
/// nobody who is measured next.
pub fn settle(directory: &Path) -> Result {
    Ok(syncfs(File::open(directory)?)?)
}

/// Takes all files below a directory out of the page cache. They are on disk.
pub fn evict(directory: &Path) -> Result {
    each_file(directory, &mut |path| {
        let file = File::open(path)?;
        Ok(fadvise(file, 0, None, Advice::DontNeed)?)
    })
}

/// Makes so much memory this machine's, free to be taken. In a virtual machine, what was free for
/// some seconds has been given back, and whoever takes it next would pay for that.
pub fn claim_memory(directory: &Path, bytes: u64) -> Result {
    let piece = vec![0; 1 << 20];
    let mut file = File::create(directory.join("claim"))?;
    for _ in 0..bytes.div_ceil(piece.len() as u64) {
        file.write_all(&piece)?;
    }
    Ok(file.set_len(0)?)
}

/// Gives back what all files below a directory take, and leaves them, empty. Deleted, they
/// would cost whoever makes files next: ext4 without a journal walks around an inode that was
/// in use a minute ago.
pub fn empty(directory: &Path) -> Result {
    each_file(directory, &mut |path| {
        File::options().write(true).truncate(true).open(path)?;
        Ok(())
    })
}

/// What all files and directories below take.
pub fn allocated_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = fs::metadata(directory)?.blocks() * BLOCK_BYTES;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => allocated_bytes(&entry.path())?,
            false => entry.metadata()?.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}

fn each_file(directory: &Path, work: &mut dyn FnMut(&Path) -> Result) -> Result {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            each_file(&entry.path(), work)?;
        } else if kind.is_file() {
            work(&entry.path())?;
        }
    }
    Ok(())
}
