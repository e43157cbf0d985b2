//! The record of a segment, `w/<segment>`: what sweep has to know about chunks
//! that no manifest lists yet, or any more. Pure.
//!
//! It is durable before the first chunk it covers, and deleted after the last, so
//! whatever a crash leaves behind can be found.

use serde::{Deserialize, Serialize};

use crate::key::Id;
use crate::record::{self, Kind};

/// The record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Segment {
    /// The object that it is written for.
    pub key: String,
    /// The upload that it belongs to, if any.
    pub upload: Option<Id>,
    /// Its writer commits before this or not at all, in milliseconds since the
    /// Unix epoch.
    pub deadline: u64,
    /// All its chunks have numbers below this.
    pub chunks_end: u32,
    /// All its pages have numbers below this.
    pub pages_end: u32,
    /// When it was found unneeded, in milliseconds since the Unix epoch.
    pub condemned_at: Option<u64>,
}

impl Segment {
    /// Makes room for this many chunks and pages, by doubling; says whether the
    /// record changed and has to be written before they are.
    pub fn reserve(&mut self, chunks: u32, pages: u32) -> bool {
        let before = (self.chunks_end, self.pages_end);
        while self.chunks_end < chunks {
            self.chunks_end = self.chunks_end.saturating_mul(2).max(1);
        }
        while self.pages_end < pages {
            self.pages_end = self.pages_end.saturating_mul(2).max(8);
        }
        (self.chunks_end, self.pages_end) != before
    }

    /// Its stored form.
    pub fn encode(&self) -> Vec<u8> {
        record::encode(Kind::Segment, self)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        record::decode_whole(Kind::Segment, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        Segment {
            key: "a".to_string(),
            upload: None,
            deadline: 5,
            chunks_end: 256,
            pages_end: 0,
            condemned_at: None,
        }
    }

    #[test]
    fn room_is_made_by_doubling_and_only_when_it_is_needed() {
        let mut record = segment();
        assert!(!record.reserve(256, 0));
        assert!(record.reserve(257, 0));
        assert_eq!((record.chunks_end, record.pages_end), (512, 0));
        assert!(record.reserve(1, 1));
        assert_eq!((record.chunks_end, record.pages_end), (512, 8));
    }

    #[test]
    fn reads_what_it_wrote() {
        let record = Segment { upload: Some(Id(1)), condemned_at: Some(9), ..segment() };
        assert_eq!(Segment::decode(&record.encode()), Ok(record));
    }
}
