//! Object keys, and the kv keys that everything stored lies under. Pure.
//!
//! | kv key | holds |
//! |---|---|
//! | `m/<object key>` | the manifest |
//! | `c/<segment>/<n>` | chunk n of a segment |
//! | `x/<segment>/<n>` | page n of a segment |
//! | `w/<segment>` | the segment's record |
//! | `u/<digest of object key>/<upload>` | an upload |

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, from_hex, to_hex};
use crate::error::Error;

/// Before the object key in a manifest's kv key.
pub const MANIFEST_PREFIX: &str = "m/";

/// Before the id in the kv key of a segment's record.
pub const SEGMENT_PREFIX: &str = "w/";

/// Before everything else in the kv key of an upload.
pub const UPLOAD_PREFIX: &str = "u/";

/// The longest kv key that does not depend on an object key: `u/`, 64 hex digits,
/// `/`, 32 hex digits.
pub const FIXED_KEY_BYTES_MAX: u32 = 99;

/// Chunks and pages of a segment are numbered from 0 up to, not including, this:
/// eight decimal digits, so that the byte order of keys is the order of numbers.
pub const NUMBER_END: u32 = 100_000_000;

/// Names a segment, an upload or one commit: 128 random bits, printed as 32 hex
/// digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(pub u128);

impl Id {
    /// The name of something that began at this time: 48 bits of milliseconds since the
    /// Unix epoch, then 80 random ones, so that names sort by time.
    pub fn begun_at(wall_ms: u64, random: u128) -> Self {
        Self(u128::from(wall_ms) << 80 | random & ((1 << 80) - 1))
    }

    /// When it began, if it was made so; in milliseconds since the Unix epoch.
    pub fn began(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match u128::from_str_radix(text, 16) {
            Ok(bits) if text.len() == 32 && digits => Ok(Self(bits)),
            _ => Err(format!("{text:?} is not 32 lowercase hex digits")),
        }
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.to_string()
    }
}

/// Refuses an object key that is empty, too long for the platform, or holds a
/// control character (which would break listings, logs and HTTP headers).
pub fn check_object_key(key: &str, kv_key_bytes_max: u32) -> Result<(), Error> {
    let bytes_max = kv_key_bytes_max.saturating_sub(MANIFEST_PREFIX.len() as u32);
    if key.is_empty() {
        return Err(Error::InvalidArgument("the key is empty".to_string()));
    }
    if key.len() > bytes_max as usize {
        return Err(Error::InvalidArgument(format!(
            "the key has {} bytes; this store takes at most {bytes_max}",
            key.len()
        )));
    }
    if let Some(c) = key.chars().find(|c| c.is_control()) {
        return Err(Error::InvalidArgument(format!(
            "the key holds the control character {:?}; take it out",
            c
        )));
    }
    Ok(())
}

/// Where the manifest of an object lies.
pub fn manifest(object_key: &str) -> String {
    format!("{MANIFEST_PREFIX}{object_key}")
}

/// Where a chunk lies.
pub fn chunk(segment: Id, number: u32) -> String {
    format!("c/{segment}/{number:08}")
}

/// Where a page lies.
pub fn page(segment: Id, number: u32) -> String {
    format!("x/{segment}/{number:08}")
}

/// Where the record of a segment lies.
pub fn segment(segment: Id) -> String {
    format!("{SEGMENT_PREFIX}{segment}")
}

/// Where an upload lies.
pub fn upload(object_key: &str, upload: Id) -> String {
    format!("{}{upload}", uploads_of(object_key))
}

/// What the kv keys of all uploads for an object begin with.
pub fn uploads_of(object_key: &str) -> String {
    format!("{UPLOAD_PREFIX}{}/", to_hex(&Digest::of(object_key.as_bytes()).0))
}

/// What callers call the upload that lies there: `<digest of object key>-<upload>`.
pub fn upload_name(kv_key: &str) -> String {
    kv_key[UPLOAD_PREFIX.len()..].replace('/', "-")
}

/// Where the upload that callers call so lies, and its id.
pub fn named_upload(name: &str) -> Result<(String, Id), Error> {
    let parts = name.split_once('-').and_then(|(digest, id)| {
        let digest = from_hex(digest).filter(|bytes| to_hex(bytes) == digest)?;
        Some((to_hex(&digest), id.parse::<Id>().ok()?))
    });
    match parts {
        Some((digest, id)) => Ok((format!("{UPLOAD_PREFIX}{digest}/{id}"), id)),
        None => Err(Error::InvalidArgument(format!(
            "{name:?} is no upload; give the name that `begin` or a list of uploads gave"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_refused_with_what_to_do() {
        assert!(check_object_key("videos/a.mp4", 512).is_ok());
        assert!(check_object_key(&"k".repeat(510), 512).is_ok());
        for (key, part) in [
            ("", "empty"),
            (&*"k".repeat(511), "at most 510"),
            ("a\nb", "control character '\\n'"),
            ("a\u{85}b", "control character"),
        ] {
            let error = check_object_key(key, 512).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn kv_keys_are_as_documented() {
        let id = Id(0x0f);
        let hex = "0000000000000000000000000000000f";
        assert_eq!(manifest("a/b"), "m/a/b");
        assert_eq!(chunk(id, 7), format!("c/{hex}/00000007"));
        assert_eq!(page(id, 12_345_678), format!("x/{hex}/12345678"));
        assert_eq!(segment(id), format!("w/{hex}"));
        assert_eq!(upload("a", id).len() as u32, FIXED_KEY_BYTES_MAX);
        let name = upload_name(&upload("a", id));
        assert_eq!(named_upload(&name), Ok((upload("a", id), id)));
        for wrong in ["", "-", &name[1..], &name.to_uppercase(), &name.replace('-', "/")] {
            assert!(named_upload(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_with_a_time_sort_by_it() {
        let early = Id::begun_at(1_790_000_000_000, u128::MAX);
        let late = Id::begun_at(1_790_000_000_001, 0);
        assert_eq!((early.began(), late.began()), (1_790_000_000_000, 1_790_000_000_001));
        assert!(early.to_string() < late.to_string());
        assert_ne!(early, Id::begun_at(1_790_000_000_000, 7));
    }

    #[test]
    fn ids_read_what_they_print_and_nothing_else() {
        assert_eq!(Id(u128::MAX).to_string().parse(), Ok(Id(u128::MAX)));
        for wrong in ["", "f", &"g".repeat(32), &"F".repeat(32), &format!("+{}", "0".repeat(31))] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }
}
