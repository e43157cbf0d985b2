//! The digest tree: chunks verified one by one, one plain BLAKE3 for the whole.
//!
//! BLAKE3 is a binary tree over 1 KiB leaves, and a run of bytes whose length is a
//! power of two, at an offset that is a multiple of it, is a whole subtree. The
//! plan cuts chunks only so. Each chunk then has a 32-byte *chaining value* that
//! vouches for it alone, and merging the chaining values gives the same digest
//! that `b3sum` prints for the whole (BLAKE3 specification, section 2.1; crate
//! `blake3`, module `hazmat`). An object of one chunk has no subtree below its
//! root: that chunk is checked against the digest itself.

use std::fmt;
use std::str::FromStr;

use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, max_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};

/// Chunks begin at multiples of this many bytes: a BLAKE3 leaf.
pub const LEAF_BYTES: u64 = 1024;

/// The plain BLAKE3 of an object; prints as `blake3:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes that are all at hand.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blake3:{}", to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = ();

    /// Reads what `Display` writes; upper-case hex digits are taken too.
    fn from_str(text: &str) -> Result<Self, ()> {
        from_hex(text.strip_prefix("blake3:").ok_or(())?).map(Self).ok_or(())
    }
}

/// Lowercase hex digits of 32 bytes.
pub fn to_hex(bytes: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*bytes).to_hex().to_string()
}

/// The 32 bytes that 64 hex digits stand for.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes())
}

/// What vouches for one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkDigest {
    /// Its chaining value, for use below the root of a larger object.
    pub cv: ChainingValue,
    /// The digest it has if it is the whole object; only at offset 0.
    pub whole: Option<Digest>,
}

/// Digests one chunk as its bytes arrive.
#[derive(Debug)]
pub struct ChunkHasher {
    hasher: Hasher,
    offset: u64,
}

impl ChunkHasher {
    /// For the chunk that begins at `offset` of the object, a multiple of
    /// [`LEAF_BYTES`].
    pub fn new(offset: u64) -> Self {
        assert!(offset.is_multiple_of(LEAF_BYTES), "a chunk at offset {offset} is not aligned");
        let mut hasher = Hasher::new();
        hasher.set_input_offset(offset);
        Self { hasher, offset }
    }

    /// Takes the next bytes of the chunk in. All of them together may be no longer
    /// than the lowest set bit of the offset.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// What vouches for the bytes taken in, at least one.
    pub fn finish(&self) -> ChunkDigest {
        ChunkDigest {
            cv: self.hasher.finalize_non_root(),
            whole: (self.offset == 0).then(|| Digest(*self.hasher.finalize().as_bytes())),
        }
    }
}

/// Whether `bytes`, the chunk at `offset`, are the ones that `expected` vouches
/// for. `lone`: the chunk is the whole object, and `expected` its digest.
pub fn chunk_is(bytes: &[u8], offset: u64, lone: bool, expected: &[u8; 32]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    if lone {
        return Digest::of(bytes).0 == *expected;
    }
    if max_subtree_len(offset).is_some_and(|max| bytes.len() as u64 > max) {
        return false;
    }
    let mut hasher = ChunkHasher::new(offset);
    hasher.update(bytes);
    hasher.finish().cv == *expected
}

/// Merges the chaining values of subtrees that follow each other without a gap.
///
/// Holds one value for each set bit of the offset reached, so never more than 54.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Subtrees from left to right, each shorter than the one before.
    stack: Vec<(u64, ChainingValue)>,
    first: Option<ChunkDigest>,
    count: u64,
}

impl Tree {
    /// Adds the next subtree: a power of two long unless it is the last.
    pub fn push(&mut self, length: u64, digest: ChunkDigest) {
        self.merge_complete();
        if self.count == 0 {
            self.first = Some(digest);
        }
        self.count += 1;
        self.stack.push((length, digest.cv));
    }

    // Only now that more input follows is it known that these are not the root.
    fn merge_complete(&mut self) {
        while let [.., (left_length, left), (right_length, right)] = self.stack[..] {
            if left_length != right_length {
                return;
            }
            self.stack.truncate(self.stack.len() - 2);
            let merged = merge_subtrees_non_root(&left, &right, Mode::Hash);
            self.stack.push((left_length + right_length, merged));
        }
    }

    /// The digest of the object: everything pushed, and nothing after it. `None`
    /// where it cannot be told: a lone subtree that is not a chunk at offset 0.
    pub fn root(&self) -> Option<Digest> {
        let Some(((_, last), rest)) = self.stack.split_last() else {
            return Some(Digest::of(&[]));
        };
        let Some(((_, first), middle)) = rest.split_first() else {
            return self.first.and_then(|digest| digest.whole);
        };
        let right = middle
            .iter()
            .rev()
            .fold(*last, |right, (_, left)| merge_subtrees_non_root(left, &right, Mode::Hash));
        Some(Digest(*merge_subtrees_root(first, &right, Mode::Hash).as_bytes()))
    }
}

/// The chaining value of the aligned subtree that these smaller ones make up.
///
/// They follow each other without a gap and together are a power of two long, at a
/// multiple of that length; there is at least one.
pub fn subtree_cv(parts: impl IntoIterator<Item = (u64, ChainingValue)>) -> ChainingValue {
    let mut tree = Tree::default();
    for (length, cv) in parts {
        tree.push(length, ChunkDigest { cv, whole: None });
    }
    tree.merge_complete();
    let [(_, cv)] = tree.stack[..] else {
        panic!("{} subtrees do not make up one", tree.stack.len());
    };
    cv
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
    }

    /// Chunks of at most `cap` bytes, cut as the plan cuts them.
    fn root_by_chunks(content: &[u8], first: u64, cap: u64) -> Digest {
        let mut tree = Tree::default();
        let mut offset = 0;
        while offset < content.len() as u64 {
            let aligned = if offset == 0 { first } else { 1 << offset.trailing_zeros() };
            let end = (offset + aligned.min(cap)).min(content.len() as u64);
            let chunk = &content[offset as usize..end as usize];
            let mut hasher = ChunkHasher::new(offset);
            for piece in chunk.chunks(700) {
                hasher.update(piece);
            }
            let digest = hasher.finish();
            assert!(chunk_is(chunk, offset, false, &digest.cv));
            tree.push(chunk.len() as u64, digest);
            offset = end;
        }
        tree.root().expect("chunks begin at offset 0")
    }

    #[test]
    fn equals_blake3_of_the_whole_around_every_boundary() {
        for cap in [1024, 2048, 16384] {
            for boundary in [0, 1024, 2048, 3072, 4096, 16384, 32768, 49152, 65536] {
                for size in boundary - 2i64..=boundary + 2 {
                    let Ok(size) = usize::try_from(size) else { continue };
                    let content = bytes(size);
                    assert_eq!(
                        root_by_chunks(&content, 1024, cap),
                        Digest::of(&content),
                        "{size} bytes in chunks of at most {cap}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn equals_blake3_of_the_whole_for_any_plan(
            size in 0usize..300_000,
            first in 0u32..6,
            cap in 0u32..8,
        ) {
            let content = bytes(size);
            let (first, cap) = (1024 << first.min(cap), 1024 << cap);
            prop_assert_eq!(root_by_chunks(&content, first, cap), Digest::of(&content));
        }
    }

    #[test]
    fn a_lone_chunk_is_checked_by_the_digest() {
        let content = bytes(3000);
        assert!(chunk_is(&content, 0, true, &Digest::of(&content).0));
        assert!(!chunk_is(&content[..2999], 0, true, &Digest::of(&content).0));
        assert!(!chunk_is(&content, 0, false, &Digest::of(&content).0));
    }

    #[test]
    fn bytes_that_cannot_be_a_chunk_are_wrong_not_a_panic() {
        let content = bytes(5000);
        assert!(!chunk_is(&content, 1024, false, &[0; 32]));
        assert!(!chunk_is(&[], 0, true, &Digest::of(&[]).0));
    }

    #[test]
    fn a_subtree_is_the_merge_of_its_parts() {
        let content = bytes(8192);
        let cv = |start: usize, end: usize| {
            let mut hasher = ChunkHasher::new(start as u64);
            hasher.update(&content[start..end]);
            (end as u64 - start as u64, hasher.finish().cv)
        };
        let parts = [cv(4096, 5120), cv(5120, 6144), cv(6144, 8192)];
        assert_eq!(subtree_cv(parts), cv(4096, 8192).1);
    }

    #[test]
    fn digests_read_what_they_print() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in ["", "blake3:", "blake3:12", "sha256:00", &digest.to_string()[7..]] {
            assert_eq!(wrong.parse::<Digest>(), Err(()), "{wrong}");
        }
    }
}
