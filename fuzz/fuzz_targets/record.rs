//! The frame: any bytes, as every kind of record.
#![no_main]

use chunk_store::record::{self, FRAME_BYTES, Kind};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    for (kind, letter) in
        [(Kind::Manifest, b'm'), (Kind::Page, b'x'), (Kind::Segment, b'w'), (Kind::Upload, b'u')]
    {
        let bytes = chunk_store_fuzz::stored(letter, data);
        let Ok((header, end)) = record::header(kind, &bytes) else { continue };
        assert_eq!(record::header_end(kind, &bytes), Ok(end));
        assert_eq!(FRAME_BYTES + header.len(), end);
        let Ok(value) = serde_json::from_slice::<Value>(header) else { continue };
        // Floats need not survive a round trip, and no record has any.
        if !has_float(&value) {
            let again = record::encode(kind, &value);
            let (header, end) = record::header(kind, &again).expect("it was just written");
            assert_eq!(end, again.len());
            assert_eq!(serde_json::from_slice::<Value>(header).ok(), Some(value));
        }
    }
});

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}
