//! Any bytes as the page behind a node, as a checked list can hold one.
#![no_main]

use chunk_store::key::Id;
use chunk_store::manifest::codec::{decode_page, encode_page};
use chunk_store::manifest::{Node, Place};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, arbitrary::Arbitrary)]
struct Input<'a> {
    /// The page's length as a power of two, and at which multiple of it it begins.
    power: u8,
    multiple: u16,
    chunks: u32,
    cv: [u8; 32],
    /// What the node vouches for: its own chaining value, or the merge of these two.
    parts: Option<[[u8; 32]; 2]>,
    data: &'a [u8],
}

fuzz_target!(|input: Input| {
    let length = 1u64 << (11 + input.power % 37);
    let offset = length * u64::from(input.multiple);
    let cv = match input.parts {
        Some([left, right]) => {
            chunk_store::digest::subtree_cv([(length / 2, left), (length / 2, right)])
        }
        None => input.cv,
    };
    let place = Place::Page { segment: Id(0), number: 0, chunks: input.chunks.max(2) };
    let node = Node { length, cv, place };
    let segments = [Id(0), Id(1), Id(u128::MAX)];
    let bytes = chunk_store_fuzz::stored(b'x', input.data);
    let Ok(nodes) = decode_page(&bytes, &node, offset, &segments) else { return };
    assert_eq!(nodes.iter().map(|node| node.length).sum::<u64>(), length);
    let again = encode_page(offset, &nodes);
    assert_eq!(decode_page(&again, &node, offset, &segments), Ok(nodes));
});
