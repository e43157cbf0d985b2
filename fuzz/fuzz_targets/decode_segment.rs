//! Any bytes as the record of a segment; what is one is written again as the same.
#![no_main]

use chunk_store::segment::Segment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = chunk_store_fuzz::stored(b'w', data);
    let Ok(segment) = Segment::decode(&bytes) else { return };
    let again = segment.encode();
    assert_eq!(Segment::decode(&again).as_ref(), Ok(&segment));
    assert_eq!(Segment::decode(&again).map(|segment| segment.encode()), Ok(again));
    // Numbers of a record are bounds to count up to: making room must end.
    let mut grown = segment.clone();
    let _ = grown.reserve(u32::MAX, u32::MAX);
    assert!(grown.chunks_end >= segment.chunks_end && grown.pages_end >= segment.pages_end);
});
