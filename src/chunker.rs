//! Cuts a body into chunks as it arrives. Pure.
//!
//! Where it cuts depends on the plan and the offset only, never on how the body
//! was split on its way. The body is read straight into the chunk being filled
//! ([`Chunker::take_buffer`]), and digested while it is still in the cache.

use bytes::Bytes;

use crate::digest::{ChunkDigest, ChunkHasher};
use crate::plan::Plan;

/// One piece of an object, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the object.
    pub offset: u64,
    /// Its bytes, at least one.
    pub bytes: Bytes,
    /// What vouches for them.
    pub digest: ChunkDigest,
}

/// A body on its way into chunks.
#[derive(Debug)]
pub struct Chunker {
    plan: Plan,
    /// Where the chunk being filled begins.
    offset: u64,
    buffer: Vec<u8>,
    /// Of the bytes in the buffer; none before the first of them.
    hasher: Option<ChunkHasher>,
}

impl Chunker {
    /// Begins at `offset` of an object: 0, or where a whole chunk ends.
    pub fn new(plan: Plan, offset: u64) -> Self {
        Self { plan, offset, buffer: Vec::new(), hasher: None }
    }

    /// How many bytes it has taken in.
    pub fn taken(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    /// How many bytes the chunk being filled holds when it is full.
    pub fn chunk_bytes(&self) -> u64 {
        self.plan.chunk_bytes(self.offset)
    }

    /// See [`Plan::suit`]; the chunk being filled stays as it is.
    pub fn suit(&mut self, at_once: Option<u32>) {
        if self.buffer.is_empty() {
            self.plan.suit(at_once);
        }
    }

    /// Lends the chunk being filled out, to be read into: its spare capacity is what
    /// the chunk lacks, or `bytes_max` if the body is known to end before that (at
    /// least one byte). It has to come back through [`Chunker::fill`].
    pub fn take_buffer(&mut self, bytes_max: u64) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let lacks = self.chunk_bytes() - buffer.len() as u64;
        buffer.reserve_exact(lacks.min(bytes_max.max(1)) as usize);
        buffer
    }

    /// Takes the buffer back with more bytes behind those it had; gives the chunks
    /// that are now full: none or one, more only if more was read than was lacking.
    pub fn fill(&mut self, buffer: Vec<u8>, had: usize) -> Vec<Chunk> {
        self.buffer = buffer;
        let mut full = Vec::new();
        let mut digested = had;
        while let Some(surplus) = self.surplus() {
            let rest = self.buffer.split_off(self.buffer.len() - surplus);
            self.digest(digested);
            full.extend(self.cut());
            self.buffer = rest;
            digested = 0;
        }
        self.digest(digested);
        full
    }

    /// Digests the buffer from here on.
    fn digest(&mut self, from: usize) {
        if from < self.buffer.len() {
            let hasher = self.hasher.get_or_insert_with(|| ChunkHasher::new(self.offset));
            hasher.update(&self.buffer[from..]);
        }
    }

    /// How many bytes too many the chunk being filled holds, if it is full.
    fn surplus(&self) -> Option<usize> {
        self.buffer.len().checked_sub(self.chunk_bytes() as usize)
    }

    /// Takes bytes that lie elsewhere in; they are copied.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Chunk> {
        let mut full = Vec::new();
        while !bytes.is_empty() {
            let mut buffer = self.take_buffer(u64::MAX);
            let had = buffer.len();
            let lacks = self.chunk_bytes() as usize - had;
            let (now, later) = bytes.split_at(lacks.min(bytes.len()));
            buffer.extend_from_slice(now);
            full.extend(self.fill(buffer, had));
            bytes = later;
        }
        full
    }

    /// The last chunk, unless the body ended with a full one (or was empty).
    pub fn finish(&mut self) -> Option<Chunk> {
        self.cut()
    }

    fn cut(&mut self) -> Option<Chunk> {
        let hasher = self.hasher.take()?;
        let chunk = Chunk {
            offset: self.offset,
            digest: hasher.finish(),
            bytes: Bytes::from(std::mem::take(&mut self.buffer)),
        };
        self.offset += chunk.bytes.len() as u64;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{Digest, Tree};
    use crate::kv::KvLimits;

    fn plan(chunk_bytes_max: u32) -> Plan {
        let limits = KvLimits {
            value_bytes_max: 1 << 20,
            key_bytes_max: 512,
            summary_bytes_max: 0,
            ttl_seconds_min: None,
            staleness_ms: 0,
            write_lag_ms_max: 0,
            rewrite_interval_ms: 0,
            operations_max: None,
            concurrency_max: 1,
            memory_bytes_max: 4 << 20,
            ranged_get: false,
            conditional_write: false,
        };
        Plan::new(None, &limits, Some(chunk_bytes_max)).unwrap()
    }

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i * 7 + i / 255) as u8).collect()
    }

    fn cut<'a>(plan: Plan, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Chunk> {
        let mut chunker = Chunker::new(plan, 0);
        let mut chunks: Vec<Chunk> = pieces.flat_map(|piece| chunker.push(piece)).collect();
        chunks.extend(chunker.finish());
        chunks
    }

    #[test]
    fn any_split_of_the_input_gives_the_same_chunks() {
        let content = content(1_300_001);
        let whole = cut(plan(1 << 18), [&content[..]].into_iter());
        for size in [1, 37, 255, 4096, 65_536, 262_143, 262_144, 262_145] {
            assert_eq!(cut(plan(1 << 18), content.chunks(size)), whole, "pieces of {size}");
        }
        let joined: Vec<u8> = whole.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        assert_eq!(joined, content);
    }

    #[test]
    fn a_body_that_ends_with_a_full_chunk_has_no_empty_one_behind() {
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072] {
            let chunks = cut(plan(1 << 16), [&content(size)[..]].into_iter());
            assert_eq!(chunks.len(), size.div_ceil(65_536), "{size} bytes");
        }
    }

    #[test]
    fn reading_into_its_buffer_is_the_same_as_pushing() {
        let content = content(700_000);
        let pushed = cut(plan(1 << 18), content.chunks(1000));
        let mut chunker = Chunker::new(plan(1 << 18), 0);
        let mut chunks = Vec::new();
        let mut rest = &content[..];
        while !rest.is_empty() {
            let mut buffer = chunker.take_buffer(1_000_000);
            let had = buffer.len();
            // A reader may give less than asked for, and more than is lacking.
            let (now, later) = rest.split_at(rest.len().min(300_000));
            buffer.extend_from_slice(now);
            rest = later;
            chunks.extend(chunker.fill(buffer, had));
        }
        chunks.extend(chunker.finish());
        assert_eq!(chunks, pushed);
    }

    proptest! {
        #[test]
        fn chunks_add_up_to_the_content_and_its_digest(
            size in 0usize..600_000,
            splits in proptest::collection::vec(1usize..100_000, 1..40),
        ) {
            let content = content(size);
            let mut rest = &content[..];
            let mut pieces = Vec::new();
            for split in splits {
                let (now, later) = rest.split_at(split.min(rest.len()));
                pieces.push(now);
                rest = later;
            }
            pieces.push(rest);
            let chunks = cut(plan(1 << 17), pieces.into_iter());
            let mut tree = Tree::default();
            let mut joined = Vec::new();
            for chunk in &chunks {
                prop_assert_eq!(chunk.offset, joined.len() as u64);
                joined.extend_from_slice(&chunk.bytes);
                tree.push(chunk.bytes.len() as u64, chunk.digest);
            }
            prop_assert_eq!(tree.root(), Some(Digest::of(&content)));
            prop_assert_eq!(joined, content);
        }
    }
}
