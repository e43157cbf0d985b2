//! The reader of JSON beside serde's: they take the same texts, and read the same.
#![no_main]

use chunk_store::json;
use libfuzzer_sys::fuzz_target;

type Form = Vec<(String, u64, Option<Vec<u32>>)>;

fuzz_target!(|text: &[u8]| {
    assert_eq!(json::read::<Form>(text).ok(), serde_json::from_slice::<Form>(text).ok());
});
