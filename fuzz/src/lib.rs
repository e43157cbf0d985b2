//! What the targets share.

use chunk_store::digest::{ChunkDigest, Digest, Tree, subtree_cv};
use chunk_store::key::{Id, NUMBER_END};
use chunk_store::manifest::{Node, Place};
use chunk_store::record::{FRAME_BYTES, VERSION};

/// Bytes as a store might hold them. What begins like a frame, with a `c`, is left as
/// it is, damaged or not; anything else becomes the header in a right frame, so that the
/// checksum does not hide what lies behind it.
pub fn stored(kind: u8, data: &[u8]) -> Vec<u8> {
    if data.first() == Some(&b'c') { data.to_vec() } else { framed(kind, data) }
}

/// A header in its frame, by the documented format and not by the code under test.
fn framed(kind: u8, header: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + header.len());
    bytes.extend_from_slice(b"chunkst");
    bytes.push(kind);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes).update(header);
    bytes.extend_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes.extend_from_slice(header);
    bytes
}

/// One step in making up a chunk list.
#[derive(Debug, Clone, arbitrary::Arbitrary)]
pub struct Choice {
    /// Which segment.
    segment: u8,
    /// Its number there; 0 follows the one before.
    number: u32,
    /// How much shorter than it might be, as a power of two.
    halvings: u8,
    /// Chunks below it, if it is a page.
    chunks: u32,
    /// What its chaining value is made of.
    seed: u8,
}

/// A chunk list that a plan might have cut, beginning at `offset`; the segments named
/// in it; and its length in bytes. Every entry is a power of two long.
pub fn nodes(choices: &[Choice], offset: u64) -> (Vec<Node>, Vec<Id>, u64) {
    let mut nodes: Vec<Node> = Vec::new();
    let (mut segments, mut end, mut count) = (Vec::new(), offset, 0u32);
    for choice in choices {
        let room = if end == 0 { 40 } else { end.trailing_zeros().min(40) };
        // The last may be as short as a leaf; none may be shorter here, as all but the
        // last of an object are whole leaves.
        let length = 1u64 << room.saturating_sub(u32::from(choice.halvings % 8)).max(10);
        let segment = Id(u128::from(choice.segment % 4));
        let number = match (choice.number, nodes.last().map(|last| last.place)) {
            (0, Some(Place::Chunk { number, .. } | Place::Page { number, .. })) => number + 1,
            (number, _) => number,
        } % NUMBER_END;
        let chunks = choice.chunks % 1000;
        let place = match chunks {
            0 | 1 => Place::Chunk { segment, number },
            _ => Place::Page { segment, number, chunks },
        };
        let (Some(next), Some(sum)) = (end.checked_add(length), count.checked_add(chunks.max(1)))
        else {
            break;
        };
        (end, count) = (next, sum);
        segments.push(segment);
        nodes.push(Node { length, cv: [choice.seed; 32], place });
    }
    segments.sort_unstable();
    segments.dedup();
    (nodes, segments, end - offset)
}

/// The digest of an object with this chunk list, if it can be told.
pub fn digest_of(nodes: &[Node]) -> Option<Digest> {
    let mut tree = Tree::default();
    for node in nodes {
        let whole = matches!(node.place, Place::Chunk { .. }).then_some(Digest(node.cv));
        tree.push(node.length, ChunkDigest { cv: node.cv, whole });
    }
    tree.root()
}

/// The node of a page that lists these, if they make up one.
pub fn page_of(nodes: &[Node], length: u64) -> Option<Node> {
    if nodes.len() < 2 || !length.is_power_of_two() {
        return None;
    }
    let chunks = nodes.iter().map(Node::chunks).sum();
    let cv = subtree_cv(nodes.iter().map(|node| (node.length, node.cv)));
    Some(Node { length, cv, place: Place::Page { segment: Id(0), number: 0, chunks } })
}
