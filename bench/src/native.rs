//! What a program without the store would do: read, digest, write; read, digest.
//!
//! One thread and plain `std`. The chunks have the sizes of the store's plan and lie
//! in files of the same names; each is written beside and renamed, as the file backend
//! does it. It sets no attributes and takes no locks, which flatters it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chunk_store::plan::Plan;

/// Read and digested at once, so that bytes are digested while they are in the cache.
const PIECE_BYTES: usize = 1 << 20;

/// Where the chunks lie below the directory: those of the segment 0.
const SEGMENT: &str = "data/c+/00000000000000000000000000000000+";

fn chunk_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(SEGMENT).join(format!("{number:08}"))
}

/// Copies `source` into chunk files below `directory`; gives its digest.
pub fn put(
    source: &Path,
    size: u64,
    plan: &Plan,
    directory: &Path,
) -> io::Result<(blake3::Hash, Duration)> {
    let temporary = directory.join("tmp");
    let begun = Instant::now();
    fs::create_dir_all(directory.join(SEGMENT))?;
    fs::create_dir_all(&temporary)?;
    let mut source = File::open(source)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::new();
    let (mut offset, mut number) = (0, 0);
    while offset < size {
        let bytes = plan.chunk_bytes(offset).min(size - offset) as usize;
        if buffer.len() < bytes {
            buffer.resize(bytes, 0);
        }
        for piece in buffer[..bytes].chunks_mut(PIECE_BYTES) {
            source.read_exact(piece)?;
            hasher.update(piece);
        }
        let unnamed = temporary.join(number.to_string());
        File::create_new(&unnamed)?.write_all(&buffer[..bytes])?;
        fs::rename(unnamed, chunk_path(directory, number))?;
        offset += bytes as u64;
        number += 1;
    }
    Ok((hasher.finalize(), begun.elapsed()))
}

/// Reads back what [`put`] wrote; gives its digest.
pub fn get(size: u64, directory: &Path) -> io::Result<(blake3::Hash, Duration)> {
    let begun = Instant::now();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut offset, mut number) = (0, 0);
    while offset < size {
        let mut chunk = File::open(chunk_path(directory, number))?;
        loop {
            let bytes = chunk.read(&mut buffer)?;
            if bytes == 0 {
                break;
            }
            hasher.update(&buffer[..bytes]);
            offset += bytes as u64;
        }
        number += 1;
    }
    Ok((hasher.finalize(), begun.elapsed()))
}

/// Digests a file; reading it is not counted.
pub fn digest(source: &Path, buffer: &mut [u8]) -> io::Result<(blake3::Hash, Duration)> {
    let mut file = File::open(source)?;
    let mut hasher = blake3::Hasher::new();
    let mut took = Duration::ZERO;
    loop {
        let length = file.read(buffer)?;
        if length == 0 {
            return Ok((hasher.finalize(), took));
        }
        let begun = Instant::now();
        hasher.update(&buffer[..length]);
        took += begun.elapsed();
    }
}
