//! The frame around everything stored that is not content. Pure.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 7 | `chunkst` |
//! | 7 | 1 | kind: `m` manifest, `x` page, `w` segment record, `u` upload |
//! | 8 | 2 | version, little endian: 1 |
//! | 10 | 2 | zero |
//! | 12 | 4 | length H of the header, little endian |
//! | 16 | 16 | the first half of the BLAKE3 of bytes 0 to 16 and of the header |
//! | 32 | H | header: a JSON object (RFC 8259) |
//! | 32 + H | | content, in a manifest that holds it inline; else nothing |
//!
//! The checksum covers the header only, so that a manifest can be read without
//! the content behind it; the content has the object's digest.

use serde::Serialize;

use crate::json::{self, Read};

/// The version that is written, and the newest that is read.
pub const VERSION: u16 = 1;

/// Bytes before the header.
pub const FRAME_BYTES: usize = 32;

/// No header is longer; a length beyond it is damage, not a record.
pub const HEADER_BYTES_MAX: usize = 4 << 20;

/// What a record describes; its byte 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A committed object.
    Manifest,
    /// Part of a long chunk list.
    Page,
    /// A segment.
    Segment,
    /// An upload.
    Upload,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Kind::Manifest => b'm',
            Kind::Page => b'x',
            Kind::Segment => b'w',
            Kind::Upload => b'u',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Page => "page",
            Kind::Segment => "segment record",
            Kind::Upload => "upload record",
        }
    }
}

/// Frames a header; content goes behind it.
pub fn encode(kind: Kind, header: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(header).expect("headers are plain data");
    assert!(json.len() <= HEADER_BYTES_MAX, "a header of {} bytes", json.len());
    let mut bytes = Vec::with_capacity(FRAME_BYTES + json.len());
    bytes.extend_from_slice(b"chunkst");
    bytes.push(kind.letter());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
    let checksum = checksum(&bytes, &json);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(&json);
    bytes
}

fn checksum(frame: &[u8], header: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(frame).update(header);
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    half
}

/// How many bytes of a record hold its frame and header, told by its first
/// [`FRAME_BYTES`].
pub fn header_end(kind: Kind, bytes: &[u8]) -> Result<usize, String> {
    let name = kind.name();
    let Some(frame) = bytes.first_chunk::<FRAME_BYTES>() else {
        return Err(format!("the {name} is cut short at {} bytes", bytes.len()));
    };
    if frame[..7] != *b"chunkst" || frame[7] != kind.letter() {
        return Err(format!("this is not a {name}"));
    }
    let version = u16::from_le_bytes([frame[8], frame[9]]);
    if version > VERSION {
        return Err(format!(
            "the {name} has format version {version}; this program reads up to {VERSION}: use a newer one"
        ));
    }
    if version == 0 || frame[10..12] != [0, 0] {
        return Err(format!("the {name} is damaged"));
    }
    let length = u32::from_le_bytes([frame[12], frame[13], frame[14], frame[15]]) as usize;
    if length > HEADER_BYTES_MAX {
        return Err(format!("the {name} is damaged"));
    }
    Ok(FRAME_BYTES + length)
}

/// The header of a record, which matches its checksum; also where its content begins. `bytes`
/// may end anywhere behind the header.
pub fn header(kind: Kind, bytes: &[u8]) -> Result<(&[u8], usize), String> {
    let end = header_end(kind, bytes)?;
    let name = kind.name();
    let Some(header) = bytes.get(FRAME_BYTES..end) else {
        return Err(format!("the {name} is cut short at {} of {end} bytes", bytes.len()));
    };
    if checksum(&bytes[..16], header) != bytes[16..FRAME_BYTES] {
        return Err(format!("the {name} does not match its checksum"));
    }
    Ok((header, end))
}

/// Reads the header of a record; also gives where its content begins. `bytes` may
/// end anywhere behind the header.
pub fn decode<T: Read>(kind: Kind, bytes: &[u8]) -> Result<(T, usize), String> {
    let (header, end) = header(kind, bytes)?;
    let value = json::read(header).map_err(|error| {
        format!("the {} does not have the form of version {VERSION}: {error}", kind.name())
    })?;
    Ok((value, end))
}

/// Reads a record that has no content behind its header.
pub fn decode_whole<T: Read>(kind: Kind, bytes: &[u8]) -> Result<T, String> {
    let (value, end) = decode(kind, bytes)?;
    if bytes.len() != end {
        return Err(format!("the {} has {} bytes too many", kind.name(), bytes.len() - end));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let bytes = encode(Kind::Page, &("a", 1));
        assert_eq!(decode_whole::<(String, u32)>(Kind::Page, &bytes), Ok(("a".into(), 1)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = encode(Kind::Segment, &"some header");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_whole::<String>(Kind::Segment, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_or_a_tail_is_noticed() {
        let bytes = encode(Kind::Segment, &"some header");
        for length in 0..bytes.len() {
            assert!(decode_whole::<String>(Kind::Segment, &bytes[..length]).is_err());
        }
        assert!(decode_whole::<String>(Kind::Segment, &[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let mut bytes = encode(Kind::Manifest, &"");
        bytes[8] = 2;
        let error = decode_whole::<String>(Kind::Manifest, &bytes).unwrap_err();
        assert!(error.contains("format version 2") && error.contains("newer"), "{error}");
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panicking(bytes: Vec<u8>, cut in 0usize..40) {
            let mut framed = encode(Kind::Upload, &"header");
            framed.truncate(cut);
            framed.extend_from_slice(&bytes);
            let _ = decode_whole::<String>(Kind::Upload, &framed);
            prop_assert!(decode_whole::<String>(Kind::Upload, &bytes).is_err());
        }
    }
}
