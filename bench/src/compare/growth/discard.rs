//! A kv that keeps no content: what a source of a fixed pattern puts into it, it gives back
//! without having kept it. So objects of any size fit.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::limits::{CHUNK_BYTES_USUAL, FIRST_CHUNK_BYTES};
use chunk_store::range::Span;
use chunk_store_host::kv::Backend;
use chunk_store_host::kv::memory::MemoryBackend;
use chunk_store_tests::random;

/// The content: random bytes, over and over. Each chunk begins where the pattern does, as
/// chunks begin at multiples of the first one's size.
fn pattern() -> Bytes {
    let once = random::bytes(1, FIRST_CHUNK_BYTES);
    once.repeat((CHUNK_BYTES_USUAL / FIRST_CHUNK_BYTES) as usize).into()
}

/// So many bytes of the pattern.
pub struct Source {
    pattern: Bytes,
    offset: usize,
    left: u64,
}

impl Source {
    /// From its beginning.
    pub fn new(size: u64) -> Self {
        Self { pattern: pattern(), offset: 0, left: size }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.pattern[self.offset..];
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let count = buffer.len().min(rest.len()).min(most);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.offset = (self.offset + count) % self.pattern.len();
        self.left -= count as u64;
        Ok(count)
    }
}

/// The kv, for one object.
pub struct Discard {
    kept: MemoryBackend,
    pattern: Bytes,
    /// How long each chunk is, by its number.
    lengths: Mutex<Vec<u32>>,
    operations: AtomicU64,
    described_bytes: AtomicU64,
}

impl Discard {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            kept: MemoryBackend::new(),
            pattern: pattern(),
            lengths: Mutex::default(),
            operations: AtomicU64::new(0),
            described_bytes: AtomicU64::new(0),
        }
    }

    /// How often it was asked since the last time, and how many bytes that are not content
    /// were set.
    pub fn take_counts(&self) -> (u64, u64) {
        let operations = self.operations.swap(0, Ordering::Relaxed);
        (operations, self.described_bytes.swap(0, Ordering::Relaxed))
    }

    fn count(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }
}

/// The number in a chunk's key; `None` of other keys.
fn chunk_number(key: &str) -> Option<usize> {
    key.strip_prefix("c/")?.split_once('/')?.1.parse().ok()
}

#[async_trait]
impl Backend for Discard {
    fn limits(&self) -> KvLimits {
        self.kept.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.count();
        let Some(number) = chunk_number(key) else { return self.kept.get(key, part).await };
        let lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(length) = lengths.get(number) else { return Ok(None) };
        let span = Span::new(0, u64::from(*length));
        let span = part.map_or(span, |part| part.intersect(span));
        let value = self.pattern.slice(span.start as usize..span.end as usize);
        Ok(Some(Entry { value, version: Some("0".to_string()) }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.count();
        let Some(number) = chunk_number(key) else {
            self.described_bytes.fetch_add(value.len() as u64, Ordering::Relaxed);
            return self.kept.set(key, value, options).await;
        };
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        if lengths.len() <= number {
            lengths.resize(number + 1, 0);
        }
        lengths[number] = value.len() as u32;
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.count();
        self.kept.delete(key, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        self.count();
        self.kept.list_keys(prefix, cursor, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_back_what_it_has_not_kept() {
        let kv = Discard::new();
        let mut content = Vec::new();
        Source::new(6 << 20).read_to_end(&mut content).unwrap();
        for (number, span) in [(0, 0..256 << 10), (9, 4 << 20..6 << 20)] {
            let key = chunk_store::key::chunk(chunk_store::key::Id(7), number);
            let value = Bytes::copy_from_slice(&content[span]);
            kv.set(&key, value.clone(), SetOptions::default()).await.unwrap();
            assert_eq!(kv.get(&key, None).await.unwrap().unwrap().value, value);
            let part = kv.get(&key, Some(Span::new(5, 10))).await.unwrap().unwrap();
            assert_eq!(part.value, value.slice(5..10));
        }
        assert_eq!(kv.take_counts(), (6, 0));
    }
}
