//! The manifest: the committed description of an object. Pure.
//!
//! Writing it is what commits. It lists the chunks in order, each with its length
//! and what vouches for it; runs of chunks of a long list are moved out into pages
//! ([`paging`]). What must hold of a manifest is checked before it is written and
//! after it is read ([`Manifest::check`]), so code behind it can rely on it.

pub mod codec;
pub mod paging;

use crate::digest::{ChunkDigest, Digest, LEAF_BYTES, Tree};
use crate::key::Id;
use crate::object::{ObjectInfo, ObjectSummary};

/// Where the bytes behind a node lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One chunk.
    Chunk {
        /// Whose chunk.
        segment: Id,
        /// Which one.
        number: u32,
    },
    /// A page that lists smaller nodes.
    Page {
        /// Whose page.
        segment: Id,
        /// Which one.
        number: u32,
        /// How many chunks lie below it, over all levels.
        chunks: u32,
    },
}

/// One entry of a chunk list: a run of the object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// How many bytes of the object it stands for.
    pub length: u64,
    /// Its chaining value; of a chunk that is the whole object, the digest.
    pub cv: [u8; 32],
    /// Where they lie.
    pub place: Place,
}

impl Node {
    /// How many chunks hold it.
    pub fn chunks(&self) -> u32 {
        match self.place {
            Place::Chunk { .. } => 1,
            Place::Page { chunks, .. } => chunks,
        }
    }

    /// The segment it lies in.
    pub fn segment(&self) -> Id {
        match self.place {
            Place::Chunk { segment, .. } | Place::Page { segment, .. } => segment,
        }
    }
}

/// A committed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What callers see of it.
    pub info: ObjectInfo,
    /// Every segment that its chunks and pages lie in, ascending. Empty exactly
    /// where the content lies in the manifest itself.
    pub segments: Vec<Id>,
    /// The chunk list, in the object's order.
    pub nodes: Vec<Node>,
}

impl Manifest {
    /// Whether the content lies behind the header.
    pub fn is_inline(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        self.info.digest.parse().expect("checked")
    }

    /// Whether it has ceased to exist at this time.
    pub fn has_expired(&self, wall_ms: u64) -> bool {
        has_expired(self.info.expires, wall_ms)
    }

    /// Whether the one chunk listed is the whole object, and so is checked by the
    /// digest.
    pub fn is_lone_chunk(&self) -> bool {
        self.nodes.len() == 1
    }

    /// What must hold of every manifest; says what does not.
    pub fn check(&self) -> Result<(), String> {
        let digest = digest_in_form(&self.info.digest).ok_or("its digest is malformed")?;
        let etag = etag(&digest, self.info.content_type.as_deref(), &self.info.metadata);
        if etag != self.info.etag {
            return Err("its etag is not the one of its content".to_string());
        }
        self.info.generation.parse::<Id>().map_err(|_| "its generation is malformed")?;
        if !self.segments.is_sorted_by(|a, b| a < b) {
            return Err("its segments are not in order".to_string());
        }
        let chunks = check_nodes(&self.nodes, 0, &self.segments)?;
        if self.segments.is_empty() != self.nodes.is_empty() || chunks.count != self.info.chunks {
            return Err("it does not list the chunks that it counts".to_string());
        }
        if self.is_inline() {
            return Ok(());
        }
        if chunks.length != self.info.size {
            return Err("its chunks do not add up to its size".to_string());
        }
        if digest_of(&self.nodes) != Some(digest) {
            return Err("its chunks do not add up to its digest".to_string());
        }
        Ok(())
    }
}

/// Whether something that expires at `expires` has done so.
pub fn has_expired(expires: Option<u64>, wall_ms: u64) -> bool {
    expires.is_some_and(|at| at <= wall_ms)
}

/// A digest as it stands in a record: what `Display` prints, so that equal digests
/// are equal texts.
pub(crate) fn digest_in_form(text: &str) -> Option<Digest> {
    text.parse().ok().filter(|digest: &Digest| digest.to_string() == text)
}

/// The digest that checked nodes add up to; `None` for a lone page. A lone chunk is
/// taken to carry the digest.
pub(crate) fn digest_of(nodes: &[Node]) -> Option<Digest> {
    let mut tree = Tree::default();
    for node in nodes {
        let whole = matches!(node.place, Place::Chunk { .. }).then_some(Digest(node.cv));
        tree.push(node.length, ChunkDigest { cv: node.cv, whole });
    }
    tree.root()
}

/// What a list of nodes adds up to.
pub(crate) struct Sum {
    /// Bytes.
    pub(crate) length: u64,
    /// Chunks.
    pub(crate) count: u32,
}

/// Checks that nodes, the first at `offset`, are what a plan can have cut: each
/// begins at a multiple of its length, and all but the last are a power of two
/// long, so that each is a subtree of the digest tree.
pub(crate) fn check_nodes(nodes: &[Node], offset: u64, segments: &[Id]) -> Result<Sum, String> {
    let mut end = offset;
    let mut count = 0u32;
    for (i, node) in nodes.iter().enumerate() {
        let last = i + 1 == nodes.len();
        let room = if end == 0 { u64::MAX } else { 1 << end.trailing_zeros() };
        let whole_leaves = last || node.length.is_power_of_two();
        if node.length == 0
            || node.length > room
            || !end.is_multiple_of(LEAF_BYTES)
            || !whole_leaves
        {
            return Err(format!("its chunk list is misaligned at byte {end}"));
        }
        let paged = matches!(node.place, Place::Page { .. });
        if paged && (!node.length.is_power_of_two() || node.chunks() < 2) {
            return Err(format!("its page at byte {end} is no whole run of chunks"));
        }
        if segments.binary_search(&node.segment()).is_err() {
            return Err(format!("its chunk at byte {end} is in a segment that it does not name"));
        }
        let added = end.checked_add(node.length).zip(count.checked_add(node.chunks()));
        (end, count) = added.ok_or("its chunk list is longer than any object")?;
    }
    Ok(Sum { length: end - offset, count })
}

/// The strong entity tag of content with this type and metadata: equal only if
/// all three are. 32 hex digits of a BLAKE3 in a context of its own, in quotes.
///
/// The digested bytes are the 32 of the content's digest; then the type and each
/// name and value in order, each as its length (4 bytes, little endian) and its
/// UTF-8; a missing type is the length 2^32 - 1.
pub fn etag(digest: &Digest, content_type: Option<&str>, metadata: &[(String, String)]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("chunk-store 2026 etag version 1");
    hasher.update(&digest.0);
    let mut text = |text: Option<&str>| {
        hasher.update(&text.map_or(u32::MAX, |text| text.len() as u32).to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    };
    text(content_type);
    for (name, value) in metadata {
        text(Some(name));
        text(Some(value));
    }
    format!("\"{}\"", &hasher.finalize().to_hex()[..32])
}

/// The summary that goes along with a manifest where the platform keeps them, if
/// it is short enough.
pub fn summary(info: &ObjectInfo, bytes_max: u32) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(&ObjectSummary::from(info)).expect("plain data");
    (json.len() <= bytes_max as usize).then_some(json)
}

/// Builds a manifest from what a writer knows.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The object key.
    pub key: &'a str,
    /// The length of the content.
    pub size: u64,
    /// The digest of the content.
    pub digest: Digest,
    /// This commit.
    pub generation: Id,
    /// Media type.
    pub content_type: Option<&'a str>,
    /// Names and values.
    pub metadata: &'a [(String, String)],
    /// Commit time, in milliseconds since the Unix epoch.
    pub modified: u64,
    /// When it ceases to exist.
    pub expires: Option<u64>,
    /// The chunk list; empty for inline content.
    pub nodes: Vec<Node>,
    /// The segments that its chunks and pages lie in.
    pub segments: Vec<Id>,
}

impl Draft<'_> {
    /// The manifest; a draft that breaks a rule of [`Manifest::check`] is a bug of
    /// the writer.
    pub fn finish(self) -> Manifest {
        let mut segments = self.segments;
        segments.sort_unstable();
        segments.dedup();
        let manifest = Manifest {
            info: ObjectInfo {
                key: self.key.to_string(),
                size: self.size,
                digest: self.digest.to_string(),
                etag: etag(&self.digest, self.content_type, self.metadata),
                generation: self.generation.to_string(),
                content_type: self.content_type.map(str::to_string),
                metadata: self.metadata.to_vec(),
                modified: self.modified,
                expires: self.expires,
                chunks: self.nodes.iter().map(Node::chunks).sum(),
            },
            segments,
            nodes: self.nodes,
        };
        if let Err(broken) = manifest.check() {
            panic!("the manifest of {:?} would be wrong: {broken}", self.key);
        }
        manifest
    }
}
