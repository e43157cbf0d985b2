//! Reading a value, and its version: the digest of its bytes.
//!
//! Reads claim nothing and write nothing; who reads goes on reading the value that it has
//! opened.

use chunk_store::kv::{Condition, Entry};
use chunk_store::range::Span;

use crate::adapter::FileKv;
use crate::adapter::failure::Failure;
use crate::adapter::files::Files;

/// How much of a value is read at once of which only the digest is wanted.
const DIGEST_BYTES: u64 = 1 << 20;

impl<F: Files, C> FileKv<F, C> {
    /// The value at a path, or the part of it.
    pub async fn read(&self, path: &str, part: Option<Span>) -> Result<Option<Entry>, Failure> {
        let (file, size) = match self.files.open(path).await {
            Ok(opened) => opened,
            Err(Failure::NotFound) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let span = part.unwrap_or(Span::new(0, size));
        let (start, end) = (span.start.min(size), span.end.min(size));
        let bytes = self.files.read(&file, start, (end - start) as usize).await?;
        let version = match end - start == size {
            true => blake3::hash(&bytes),
            false => self.digest(&file, size).await?,
        };
        Ok(Some(Entry { value: bytes.into(), version: Some(version.to_hex().to_string()) }))
    }

    /// Whether the condition holds of the value at a path; lasting only under a claim.
    pub async fn holds(&self, path: &str, condition: Option<&Condition>) -> Result<bool, Failure> {
        let Some(condition) = condition else {
            return Ok(true);
        };
        let (file, size) = match self.files.open(path).await {
            Ok(opened) => opened,
            Err(Failure::NotFound) => return Ok(*condition == Condition::Absent),
            Err(failure) => return Err(failure),
        };
        Ok(match condition {
            Condition::Absent => false,
            Condition::VersionIs(version) => {
                self.digest(&file, size).await?.to_hex().as_str() == version
            }
        })
    }

    async fn digest(&self, file: &F::File, size: u64) -> Result<blake3::Hash, Failure> {
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while offset < size {
            let count = (size - offset).min(DIGEST_BYTES);
            hasher.update(&self.files.read(file, offset, count as usize).await?);
            offset += count;
        }
        Ok(hasher.finalize())
    }
}
