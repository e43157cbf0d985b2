//! Any bytes as the record of an upload; what is one is written again as the same.
#![no_main]

use chunk_store::upload::Upload;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = chunk_store_fuzz::stored(b'u', data);
    let Ok(upload) = Upload::decode(&bytes) else { return };
    let again = upload.encode();
    assert_eq!(Upload::decode(&again).as_ref(), Ok(&upload));
    assert_eq!(Upload::decode(&again).map(|upload| upload.encode()), Ok(again));
});
