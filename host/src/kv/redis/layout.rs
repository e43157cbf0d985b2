//! What lies where in the server, and how a value is framed. Pure.
//!
//! | key | holds |
//! |---|---|
//! | `cs:{t}:v:K` | the value of the key `K`, framed as below |
//! | `cs:{t}:i` | a sorted set, all scores 0: the keys `K` of this tag, in byte order |
//! | `cs:{t}:x` | a sorted set: the keys of this tag that expire, by when, in milliseconds |
//! | `cs:{t}:d:R` | a large value on its way, under a random name; gone after a minute |
//!
//! The tag `t` is one of 16 hexadecimal digits, by a hash of `K`. What stands in
//! braces decides the slot in a cluster, so all that one write touches lies in one
//! slot, on one node, and can change at once.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | the layout, 1 |
//! | 1 | 16 | the version: random, new with each write |
//! | 17 | 2 | the length `s` of the summary, little endian |
//! | 19 | s | the summary |
//! | 19 + s | | the value's bytes |
//!
//! Version and summary are in the value's own string, not beside it, so that they can
//! never be another value's: neither expiry nor eviction takes one without the other.

use bytes::{BufMut, Bytes};
use chunk_store::kv::KvError;
use redis::{RedisWrite, ToRedisArgs};

/// How many tags there are: every listing asks each of them, and a cluster spreads
/// over no more nodes.
pub(super) const TAGS: usize = 16;

/// Bytes before the summary.
pub(super) const HEAD_BYTES: usize = 19;

/// Longest summary, in bytes.
pub(super) const SUMMARY_BYTES_MAX: usize = 1024;

/// Bytes of a version.
const VERSION_BYTES: usize = 16;

/// The layout's number.
const LAYOUT: u8 = 1;

/// Which of the tags a key has; the same for ever, or stored keys are not found.
pub(super) fn tag(key: &str) -> usize {
    usize::from(blake3::hash(key.as_bytes()).as_bytes()[0]) % TAGS
}

/// Where the value of a key lies.
pub(super) fn value_key(key: &str) -> Vec<u8> {
    format!("cs:{{{:x}}}:v:{key}", tag(key)).into_bytes()
}

/// Where the index of a tag lies.
pub(super) fn index_key(tag: usize) -> Vec<u8> {
    format!("cs:{{{tag:x}}}:i").into_bytes()
}

/// Where the expiry times of a tag lie.
pub(super) fn expiry_key(tag: usize) -> Vec<u8> {
    format!("cs:{{{tag:x}}}:x").into_bytes()
}

/// Where a large value lies until it is complete.
pub(super) fn draft_key(tag: usize, version: &Version) -> Vec<u8> {
    format!("cs:{{{tag:x}}}:d:{}", version.to_text()).into_bytes()
}

/// What tells one value of a key from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version(pub(super) [u8; VERSION_BYTES]);

impl Version {
    /// One that no other write has.
    pub(super) fn random() -> Self {
        let mut bytes = [0; VERSION_BYTES];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        Self(bytes)
    }

    /// As callers see it: hexadecimal.
    pub(super) fn to_text(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// The version that a caller names; `None` if no value can have it.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok()?;
        let version = Self(number.to_be_bytes());
        (version.to_text() == text).then_some(version)
    }
}

/// A value as it is stored; as an argument it is one string.
pub(super) struct Framed<'a> {
    pub(super) version: Version,
    pub(super) summary: &'a [u8],
    pub(super) value: &'a [u8],
}

impl ToRedisArgs for Framed<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let bytes = HEAD_BYTES + self.summary.len() + self.value.len();
        let mut out = out.bufmut_for_next_arg(bytes);
        out.put_u8(LAYOUT);
        out.put_slice(&self.version.0);
        out.put_u16_le(self.summary.len() as u16);
        out.put_slice(self.summary);
        out.put_slice(self.value);
    }
}

/// The beginning of a stored value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) summary_bytes: usize,
}

impl Head {
    /// Reads what every stored value begins with.
    pub(super) fn decode(stored: &[u8]) -> Result<Self, KvError> {
        match stored.split_first_chunk::<HEAD_BYTES>() {
            Some((head, _)) if head[0] == LAYOUT => Ok(Self {
                version: Version(head[1..17].try_into().expect("16 bytes")),
                summary_bytes: u16::from_le_bytes([head[17], head[18]]).into(),
            }),
            _ => Err(KvError::Rejected(
                "a value under cs: in this redis was not written by chunk-store; use another \
                 database, or remove it"
                    .into(),
            )),
        }
    }

    /// How many bytes are before the value's own.
    pub(super) fn bytes(&self) -> usize {
        HEAD_BYTES + self.summary_bytes
    }
}

/// The summary in the first bytes of a stored value; `None` where there is none.
pub(super) fn summary(stored: Vec<u8>) -> Result<Option<Bytes>, KvError> {
    let head = Head::decode(&stored)?;
    let summary = cut(&Bytes::from(stored), HEAD_BYTES as u64, head.bytes() as u64);
    Ok(Some(summary).filter(|summary| !summary.is_empty()))
}

/// Bytes `start..end`, cut to the length; shares them.
pub(super) fn cut(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    let length = bytes.len() as u64;
    let start = start.min(length);
    bytes.slice(start as usize..end.clamp(start, length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_key_never_changes() {
        let keys = ["m/videos/a.mp4", "c/0123456789abcdef/00000000", "a", "\0", "}{x"];
        assert_eq!(keys.map(tag), [11, 14, 7, 13, 8]);
        assert_eq!(value_key("a}{b"), format!("cs:{{{:x}}}:v:a}}{{b", tag("a}{b")).into_bytes());
    }

    #[test]
    fn keys_spread_over_the_tags() {
        let mut counts = [0; TAGS];
        for count in 0..1600 {
            counts[tag(&format!("c/0123456789abcdef/{count:08}"))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_framed_value_is_read_as_it_was_written() {
        for (summary, value) in [("", ""), ("", "value"), ("few bytes", ""), ("few", "value")] {
            let version = Version::random();
            let framed = Framed { version, summary: summary.as_bytes(), value: value.as_bytes() };
            let mut stored = framed.to_redis_args();
            let stored = stored.remove(0);
            let head = Head::decode(&stored).unwrap();
            assert_eq!(head, Head { version, summary_bytes: summary.len() });
            assert_eq!(&stored[head.bytes()..], value.as_bytes());
            let wanted = (!summary.is_empty()).then(|| Bytes::from(summary));
            assert_eq!(super::summary(stored), Ok(wanted));
        }
    }

    #[test]
    fn what_others_wrote_is_refused() {
        for stored in [&b"foreign"[..], &[0; 40], b"\x01short"] {
            assert!(matches!(Head::decode(stored), Err(KvError::Rejected(_))));
        }
    }

    #[test]
    fn only_a_version_that_was_given_out_is_one() {
        let version = Version::random();
        assert_eq!(Version::of_text(&version.to_text()), Some(version));
        let upper = Version([0xab; 16]).to_text().to_uppercase();
        for text in ["", "1", "none", &upper, &format!("+{}", &version.to_text()[1..])] {
            assert_eq!(Version::of_text(text), None, "{text}");
        }
    }
}
