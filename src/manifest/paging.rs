//! Keeps the chunk list of a huge object short: runs of it are moved out into
//! pages, and runs of pages into pages of their own, so that neither a manifest
//! nor the memory of its writer grows with the object.
//!
//! A page covers an aligned power of two of the object's bytes, so it is a subtree
//! of the digest tree and one chaining value vouches for all that it lists.

use super::codec::encode_page;
use super::{Node, Place};
use crate::digest::subtree_cv;
use crate::key::{Id, NUMBER_END};

/// What one entry of a list takes in the stored form, at most: one that shares its
/// segment with no neighbour.
pub const NODE_BYTES: u64 = 180;

/// What a manifest takes besides its list, at most: key, metadata, and so on.
pub const HEADER_BYTES: u64 = 16 << 10;

/// No list is longer than this, however large a value may be: a reader fetches a
/// page before the first byte behind it.
const LIST_BYTES_MAX: u64 = 96 << 10;

/// Lists that a manifest may have to hold at once, one for each level.
const LEVELS: u64 = 4;

/// How many nodes one list holds at most, so that a manifest with a full list on
/// each level still fits in a value.
pub fn list_nodes_max(value_bytes_max: u64) -> usize {
    let room = value_bytes_max.saturating_sub(HEADER_BYTES) / LEVELS;
    (room.min(LIST_BYTES_MAX) / NODE_BYTES) as usize
}

/// A page that is full and has to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullPage {
    /// Its number in the segment.
    pub number: u32,
    /// Its stored form.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
struct Level {
    nodes: Vec<Node>,
    /// Where the first of them begins in the object.
    offset: u64,
}

/// A chunk list under construction.
#[derive(Debug, Clone)]
pub struct ChunkList {
    segment: Id,
    nodes_max: usize,
    /// Chunks first, then pages of chunks, then pages of pages.
    levels: Vec<Level>,
    pages: u32,
}

impl ChunkList {
    /// An empty list; pages go into `segment`. A list holds at most `nodes_max`
    /// entries, at least 4.
    pub fn new(segment: Id, nodes_max: usize) -> Self {
        assert!(nodes_max >= 4, "{nodes_max} entries are too few for a list");
        Self { segment, nodes_max, levels: vec![Level::default()], pages: 0 }
    }

    /// Goes on with a finished list, whose pages and chunks lie elsewhere.
    ///
    /// Within a level no entry is shorter than the one before, so where the length
    /// drops, or pages end, a lower level begins.
    pub fn resume(segment: Id, nodes_max: usize, nodes: Vec<Node>) -> Self {
        let mut list = Self::new(segment, nodes_max);
        let mut offset = 0;
        for node in nodes {
            let level = &mut list.levels[0];
            let lower = level.nodes.last().is_some_and(|before| {
                let is_page = |node: &Node| matches!(node.place, Place::Page { .. });
                node.length < before.length || is_page(before) && !is_page(&node)
            });
            if lower {
                list.levels.insert(0, Level { nodes: Vec::new(), offset });
            }
            offset += node.length;
            list.levels[0].nodes.push(node);
        }
        list
    }

    /// How many pages it has made.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Adds the next chunk; gives the pages that filled up by it, usually none.
    pub fn push(&mut self, chunk: Node) -> Vec<FullPage> {
        let mut full = Vec::new();
        let mut node = chunk;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let list = &mut self.levels[level];
            list.nodes.push(node);
            if list.nodes.len() <= self.nodes_max {
                break;
            }
            let Some(count) = page_prefix(list, self.nodes_max) else { break };
            let page: Vec<Node> = list.nodes.drain(..count).collect();
            let offset = list.offset;
            let length = page.iter().map(|node| node.length).sum();
            list.offset += length;
            let number = self.pages;
            assert!(number < NUMBER_END, "more pages than can be numbered");
            self.pages += 1;
            full.push(FullPage { number, bytes: encode_page(offset, &page) });
            node = Node {
                length,
                cv: subtree_cv(page.iter().map(|node| (node.length, node.cv))),
                place: Place::Page {
                    segment: self.segment,
                    number,
                    chunks: page.iter().map(Node::chunks).sum(),
                },
            };
        }
        full
    }

    /// The list as the manifest has it: the highest pages first, which is the
    /// object's order.
    pub fn finish(self) -> Vec<Node> {
        self.levels.into_iter().rev().flat_map(|level| level.nodes).collect()
    }
}

/// How many entries from the left, `nodes_max` at most, make up the largest aligned
/// power of two that leaves at least one entry behind, if there are two or more.
fn page_prefix(list: &Level, nodes_max: usize) -> Option<usize> {
    let mut length = 0;
    let mut count = None;
    let before_last = &list.nodes[..list.nodes.len() - 1];
    for (i, node) in before_last.iter().take(nodes_max).enumerate() {
        length += node.length;
        if i > 0 && length.is_power_of_two() && list.offset.is_multiple_of(length) {
            count = Some(i + 1);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::codec::decode_page;
    use super::*;

    const SEGMENT: Id = Id(7);

    fn chunk(number: u32, length: u64) -> Node {
        let mut cv = [0; 32];
        cv[..4].copy_from_slice(&number.to_le_bytes());
        Node { length, cv, place: Place::Chunk { segment: SEGMENT, number } }
    }

    /// Chunks of 1, 1, 2, 4, 4, ... KiB, as a plan would cut them.
    fn list_of(chunks: u32, nodes_max: usize) -> (Vec<Node>, Vec<FullPage>) {
        let mut list = ChunkList::new(SEGMENT, nodes_max);
        let mut pages = Vec::new();
        let mut offset = 0u64;
        for number in 0..chunks {
            let room = if offset == 0 { 1024 } else { 1 << offset.trailing_zeros() };
            let length = room.min(4096);
            pages.extend(list.push(chunk(number, length)));
            offset += length;
        }
        (list.finish(), pages)
    }

    /// Every chunk below these nodes, in order.
    fn expand(nodes: &[Node], mut offset: u64, pages: &[FullPage]) -> Vec<Node> {
        let mut chunks = Vec::new();
        for node in nodes {
            match node.place {
                Place::Chunk { .. } => chunks.push(*node),
                Place::Page { number, .. } => {
                    let page = &pages[number as usize];
                    assert_eq!(page.number, number);
                    let below = decode_page(&page.bytes, node, offset, &[SEGMENT]).unwrap();
                    chunks.extend(expand(&below, offset, pages));
                }
            }
            offset += node.length;
        }
        chunks
    }

    #[test]
    fn no_chunk_is_lost_or_moved_whatever_the_length() {
        for chunks in [1, 2, 7, 8, 9, 10, 63, 64, 65, 500, 3000] {
            let (nodes, pages) = list_of(chunks, 8);
            let numbers: Vec<u32> = expand(&nodes, 0, &pages)
                .iter()
                .map(|node| match node.place {
                    Place::Chunk { number, .. } => number,
                    Place::Page { .. } => panic!("a page below all pages"),
                })
                .collect();
            assert_eq!(numbers, (0..chunks).collect::<Vec<_>>(), "{chunks} chunks");
        }
    }

    /// As an upload does, whose appends know of each other only what its record says.
    #[test]
    fn a_list_that_is_taken_up_again_and_again_loses_nothing_and_stays_short() {
        let (whole, all_pages) = list_of(3000, 8);
        for at_once in [1, 7, 100, 1000] {
            let chunks = expand(&whole, 0, &all_pages);
            let mut nodes = Vec::new();
            let mut pages = Vec::new();
            for (append, some) in chunks.chunks(at_once).enumerate() {
                let mut list = ChunkList::resume(Id(100 + append as u128), 8, nodes);
                for node in some {
                    pages.extend(list.push(*node));
                }
                nodes = list.finish();
                assert!(nodes.len() <= 8 * 7, "{} entries", nodes.len());
            }
            let mut length = 0;
            for node in &nodes {
                assert!(node.length.is_power_of_two() && length % node.length == 0);
                length += node.length;
            }
            let digest = |nodes: &[Node]| crate::manifest::digest_of(nodes);
            assert_eq!(digest(&nodes), digest(&whole), "{at_once} at once");
            assert!(pages.iter().all(|page| page.bytes.len() < 8 * NODE_BYTES as usize + 300));
        }
    }

    #[test]
    fn lists_stay_short() {
        let (nodes, pages) = list_of(3000, 8);
        assert!(nodes.len() <= 8 * 6, "{} entries", nodes.len());
        assert!(pages.iter().all(|page| page.bytes.len() < 8 * NODE_BYTES as usize + 300));
        let (nodes, pages) = list_of(8, 8);
        assert_eq!((nodes.len(), pages.len()), (8, 0));
    }

    #[test]
    fn a_page_that_was_swapped_is_refused() {
        let (nodes, pages) = list_of(40, 8);
        let [first, second] = [&nodes[0], &nodes[1]];
        assert!(decode_page(&pages[1].bytes, first, 0, &[SEGMENT]).is_err());
        assert!(decode_page(&pages[0].bytes, second, first.length, &[SEGMENT]).is_err());
    }

    #[test]
    fn a_manifest_with_full_lists_fits_in_every_value() {
        for value_bytes_max in [64 << 10, 100_000, 128 << 10, 400_000, 1_000_000, 25 << 20] {
            let nodes = list_nodes_max(value_bytes_max) as u64;
            assert!(nodes >= 64, "{value_bytes_max}");
            assert!(HEADER_BYTES + LEVELS * nodes * NODE_BYTES <= value_bytes_max);
        }
    }
}
