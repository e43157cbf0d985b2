//! Where it is measured, and with what.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A directory, and the object in it.
pub struct Place {
    /// Removed at the end.
    pub directory: tempfile::TempDir,
    /// Cargo's.
    pub target: PathBuf,
    /// A file of `size` bytes with this digest.
    pub source: PathBuf,
    /// See [`Place::source`].
    pub size: u64,
    /// See [`Place::source`].
    pub digest: blake3::Hash,
}

impl Place {
    /// In this directory, or below cargo's.
    pub fn new(directory: Option<&Path>, size: u64) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // The program lies in <target>/release.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or("the program lies nowhere")?.to_path_buf();
        let directory =
            tempfile::Builder::new().prefix("bench-").tempdir_in(directory.unwrap_or(&target))?;
        let source = directory.path().join("source");
        let digest = write_source(&source, size)?;
        Ok(Self { directory, target, source, size, digest })
    }
}

/// Writes `size` bytes that do not compress, the same in every run; gives their digest.
pub fn write_source(path: &Path, size: u64) -> Result<blake3::Hash, Box<dyn Error + Send + Sync>> {
    let mut random = blake3::Hasher::new_derive_key("chunk-store bench source").finalize_xof();
    let mut file = File::create_new(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let piece = &mut buffer[..left.min(1 << 20) as usize];
        random.fill(piece);
        hasher.update(piece);
        file.write_all(piece)?;
        left -= piece.len() as u64;
    }
    // Written back now rather than in the middle of a measurement.
    file.sync_all()?;
    Ok(hasher.finalize())
}
