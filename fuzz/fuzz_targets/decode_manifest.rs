//! Any bytes as a manifest; what is one is written again as the same.
#![no_main]

use chunk_store::manifest::codec::{decode_manifest, encode_manifest, inline_content};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = chunk_store_fuzz::stored(b'm', data);
    let Ok((manifest, end)) = decode_manifest(&bytes) else { return };
    assert_eq!(manifest.check(), Ok(()));
    let _ = inline_content(&manifest, &bytes[end..]);
    let _ = manifest.digest();
    let again = encode_manifest(&manifest);
    let length = again.len();
    assert_eq!(decode_manifest(&again), Ok((manifest, length)));
});
