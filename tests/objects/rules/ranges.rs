//! Parts of an object are slices of it.

use std::ops::Range;

use chunk_store::error::Error as StoreError;
use chunk_store::object::{GetOptions, PutOptions};
use chunk_store::range::{ByteRange, Span};
use chunk_store_tests::random::{Random, bytes};

use crate::subject::{Subject, assert_error, store_error};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SIZE: u64 = 9 * MIB + 3;

/// An object of several chunks, the last one short.
async fn object(on: &Subject) -> Vec<u8> {
    let content = bytes(11, SIZE);
    on.put_bytes("object", &content).await;
    content
}

/// Asserts that a range gives exactly these bytes, and says that it does.
async fn gives(on: &Subject, content: &[u8], range: ByteRange, slice: Range<u64>) {
    let options = GetOptions { range: Some(range), ..GetOptions::default() };
    let reader = on.get("object", options).await.unwrap();
    assert_eq!(reader.part(), Span::new(slice.start, slice.end), "{range:?}");
    assert_eq!(reader.info().size, content.len() as u64);
    drop(reader);
    let bytes = on.read_range("object", range).await.unwrap();
    assert!(bytes == content[slice.start as usize..slice.end as usize], "{range:?}");
}

pub async fn between_gives_its_half_open_span(on: &Subject) {
    let content = object(on).await;
    for (start, end) in [(0, 1), (0, SIZE), (5, 4 * MIB + 9), (SIZE - 1, SIZE)] {
        gives(on, &content, ByteRange::Between(start, end), start..end).await;
    }
    gives(on, &content, ByteRange::Between(7, u64::MAX), 7..SIZE).await;
    gives(on, &content, ByteRange::Between(SIZE - 2, SIZE + 1), SIZE - 2..SIZE).await;
}

pub async fn from_gives_the_rest(on: &Subject) {
    let content = object(on).await;
    for start in [0, 1, 2 * MIB, SIZE - 1] {
        gives(on, &content, ByteRange::From(start), start..SIZE).await;
    }
}

pub async fn last_gives_the_end(on: &Subject) {
    let content = object(on).await;
    for count in [1, 3, 4, 5 * MIB, SIZE] {
        gives(on, &content, ByteRange::Last(count), SIZE - count..SIZE).await;
    }
    gives(on, &content, ByteRange::Last(u64::MAX), 0..SIZE).await;
}

pub async fn every_edge_of_a_chunk_is_cut_right(on: &Subject) {
    let content = object(on).await;
    for edge in [256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB, 8 * MIB] {
        for (start, end) in [(edge - 1, edge), (edge, edge + 1), (edge - 1, edge + 1)] {
            gives(on, &content, ByteRange::Between(start, end), start..end).await;
        }
    }
    gives(on, &content, ByteRange::Between(MIB, 2 * MIB), MIB..2 * MIB).await;
}

pub async fn random_ranges_are_slices(on: &Subject) {
    let content = object(on).await;
    let mut random = Random::new(40);
    for _ in 0..40 {
        let start = random.below(SIZE);
        let end = start + 1 + random.below(SIZE - start);
        gives(on, &content, ByteRange::Between(start, end), start..end).await;
    }
}

pub async fn ranges_of_an_inline_object_are_slices(on: &Subject) {
    let content = bytes(12, 100 * KIB);
    let info = on.put_bytes("object", &content).await;
    assert_eq!(info.chunks, 0);
    for (range, slice) in [
        (ByteRange::Between(0, 1), 0..1),
        (ByteRange::Between(1000, 70_000), 1000..70_000),
        (ByteRange::From(102_399), 102_399..102_400),
        (ByteRange::Last(17), 102_383..102_400),
    ] {
        gives(on, &content, range, slice).await;
    }
    let behind = on.read_range("object", ByteRange::From(102_400)).await;
    assert_eq!(store_error(behind), StoreError::RangeNotSatisfiable(102_400));
}

pub async fn a_range_of_nothing_carries_the_size(on: &Subject) {
    object(on).await;
    for range in [
        ByteRange::Between(SIZE, SIZE + 1),
        ByteRange::Between(5, 5),
        ByteRange::From(SIZE),
        ByteRange::From(u64::MAX),
        ByteRange::Last(0),
    ] {
        let error = store_error(on.read_range("object", range).await);
        assert_eq!(error, StoreError::RangeNotSatisfiable(SIZE), "{range:?}");
    }
}

pub async fn a_backward_range_is_refused(on: &Subject) {
    object(on).await;
    let read = on.read_range("object", ByteRange::Between(6, 5)).await;
    let text = assert_error!(read, StoreError::InvalidArgument(_));
    assert!(text.contains("6..5"), "{text}");
}

pub async fn every_range_of_the_empty_object_is_empty(on: &Subject) {
    for inline_bytes_max in [None, Some(0)] {
        let options = PutOptions { inline_bytes_max, ..PutOptions::default() };
        on.put_with("object", b"", options).await.unwrap();
        for range in [ByteRange::Between(0, 5), ByteRange::From(3), ByteRange::Last(1)] {
            gives(on, b"", range, 0..0).await;
        }
    }
}
