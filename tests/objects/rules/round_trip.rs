//! What is put comes back byte by byte, cut and digested as documented.

use chunk_store::limits::{INLINE_BYTES_DEFAULT, LIST_LIMIT_MAX};
use chunk_store::object::PutOptions;
use chunk_store::plan::Plan;
use chunk_store_tests::body::Body;
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;

use crate::subject::Subject;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Where chunks of the usual plan begin.
const BOUNDARIES: [u64; 6] = [256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB, 8 * MIB];

/// Each boundary, and up to 2 bytes less and more.
fn sizes_around(boundaries: &[u64]) -> impl Iterator<Item = u64> {
    boundaries.iter().flat_map(|boundary| boundary - 2..=boundary + 2)
}

/// Puts so many bytes, reads them back and checks all that is said of them.
async fn comes_back(on: &Subject, size: u64, options: PutOptions) {
    let content = bytes(size, size);
    let inline_bytes_max = options.inline_bytes_max.map_or(INLINE_BYTES_DEFAULT, u64::from);
    let plan = Plan::new(options.size, &on.backend.limits(), options.chunk_bytes_max).unwrap();
    let info = on.put_with("object", &content, options).await.unwrap();
    assert_eq!(info.size, size);
    assert_eq!(info.digest, digest(&content), "of {size} bytes");
    let chunks = if size <= inline_bytes_max { 0 } else { plan.chunks(size) };
    assert_eq!(u64::from(info.chunks), chunks, "of {size} bytes");
    assert!(on.read("object").await == content, "{size} bytes came back changed");
    let report = on.verify("object").await.unwrap();
    assert_eq!((report.chunks, report.bytes), (chunks.max(1), size));
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

pub async fn the_empty_object_comes_back(on: &Subject) {
    for size in [None, Some(0)] {
        for inline_bytes_max in [None, Some(0)] {
            comes_back(on, 0, PutOptions { size, inline_bytes_max, ..Default::default() }).await;
        }
    }
}

pub async fn one_byte_comes_back(on: &Subject) {
    for size in [None, Some(1)] {
        for inline_bytes_max in [None, Some(0), Some(1)] {
            comes_back(on, 1, PutOptions { size, inline_bytes_max, ..Default::default() }).await;
        }
    }
}

pub async fn every_size_around_a_boundary_comes_back_if_announced(on: &Subject) {
    for size in sizes_around(&BOUNDARIES) {
        comes_back(on, size, PutOptions { size: Some(size), ..Default::default() }).await;
    }
}

pub async fn every_size_around_a_boundary_comes_back_if_not_announced(on: &Subject) {
    for size in sizes_around(&BOUNDARIES) {
        comes_back(on, size, PutOptions::default()).await;
    }
}

pub async fn every_size_around_a_boundary_comes_back_if_nothing_is_inline(on: &Subject) {
    for size in sizes_around(&BOUNDARIES) {
        let nothing_inline = PutOptions { inline_bytes_max: Some(0), ..Default::default() };
        comes_back(on, size, nothing_inline.clone()).await;
        if size <= MIB + 2 {
            comes_back(on, size, PutOptions { size: Some(size), ..nothing_inline }).await;
        }
    }
}

pub async fn every_size_around_the_inline_bound_comes_back(on: &Subject) {
    for bound in [1, 1000, 64 * KIB, MIB] {
        for size in bound - 1..=bound + 1 {
            for announced in [None, Some(size)] {
                let inline_bytes_max = Some(bound as u32);
                let options =
                    PutOptions { size: announced, inline_bytes_max, ..Default::default() };
                comes_back(on, size, options).await;
            }
        }
    }
}

pub async fn a_body_in_small_pieces_is_the_same_object(on: &Subject) {
    let content = bytes(3, 600 * KIB + 7);
    let whole = on.put_bytes("whole", &content).await;
    for piece_bytes in [1, 37, 255, 4096] {
        let body = Body::of(content.clone()).in_pieces_of(piece_bytes);
        let pieces = on.put("pieces", body, PutOptions::default()).await.unwrap();
        assert_eq!((&pieces.digest, pieces.chunks), (&whole.digest, whole.chunks));
        assert!(on.read("pieces").await == content, "pieces of {piece_bytes}");
    }
}

pub async fn chunks_lie_where_the_plan_cuts(on: &Subject) {
    let content = bytes(4, 13 * MIB + 5);
    on.put_bytes("object", &content).await;
    assert_eq!(
        on.value_lengths("c/").await,
        [256 * KIB, 256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB, 4 * MIB, MIB + 5]
    );
    let mut stored = Vec::new();
    for key in on.kv_keys("c/").await {
        stored.extend_from_slice(&on.backend.get(&key, None).await.unwrap().unwrap().value);
    }
    assert!(stored == content, "chunks hold the content and nothing else");
    assert_eq!(on.kv_keys("m/").await, ["m/object"]);
    assert_eq!(on.kv_keys("w/").await.len(), 1);
    let all = on.backend.list_keys("", None, LIST_LIMIT_MAX).await.unwrap();
    assert_eq!(all.keys.len(), 10, "and nothing besides");
}

pub async fn no_chunk_is_larger_than_asked(on: &Subject) {
    let content = bytes(5, 3 * MIB + 1);
    for (chunk_bytes_max, largest) in
        [(65_536, 65_536), (100_000, 65_536), (131_072, 131_072), (1 << 20, 1 << 20)]
    {
        let key = format!("at most {chunk_bytes_max}");
        let options =
            PutOptions { chunk_bytes_max: Some(chunk_bytes_max), ..PutOptions::default() };
        let before = on.kv_keys("c/").await;
        let info = on.put_with(&key, &content, options).await.unwrap();
        let mut lengths = Vec::new();
        for chunk in on.kv_keys("c/").await {
            if !before.contains(&chunk) {
                let entry = on.backend.get(&chunk, None).await.unwrap().unwrap();
                lengths.push(entry.value.len() as u64);
            }
        }
        assert_eq!(lengths.len(), info.chunks as usize);
        assert_eq!(lengths.iter().max(), Some(&largest), "{key}");
        assert!(on.read(&key).await == content);
    }
}

pub async fn a_large_inline_object_is_one_value(on: &Subject) {
    let content = bytes(6, 3 * MIB);
    let options = PutOptions { inline_bytes_max: Some(4 << 20), ..PutOptions::default() };
    let info = on.put_with("object", &content, options).await.unwrap();
    assert_eq!(info.chunks, 0);
    assert_eq!(on.kv_keys("").await, ["m/object"]);
    assert!(on.read("object").await == content);
}
