//! The record of a segment, `w/<segment>`: what sweep has to know about chunks
//! that no manifest lists yet, or any more. Pure.
//!
//! It is durable before the first chunk it covers, and deleted after the last, so
//! whatever a crash leaves behind can be found.

use serde::Serialize;

use crate::json::{self, Read, Reader};
use crate::key::{Id, NUMBER_END};
use crate::record::{self, Kind};

/// The record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

impl Read for Segment {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            Segment {
                key: "key",
                upload: "upload",
                deadline: "deadline",
                chunks_end: "chunks-end",
                pages_end: "pages-end",
                condemned_at: "condemned-at"
            }
        )
    }
}

/// What a sweep judges by, besides what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The sweeper's clock, in milliseconds since the Unix epoch.
    pub now: u64,
    /// How long a condemned segment is kept, in milliseconds.
    pub grace_ms: u64,
    /// How far other clocks may be off, in milliseconds.
    pub margin_ms: u64,
    /// Nobody is writing: deadlines need not be waited for.
    pub no_writers: bool,
}

impl Rules {
    /// Whether a moment of somebody else's clock has passed for certain; never is never.
    pub fn has_passed(&self, moment: Option<u64>) -> bool {
        moment.is_some_and(|moment| self.now > moment.saturating_add(self.margin_ms))
    }
}

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is, for now.
    Keep,
    /// It was condemned by mistake, and its grace must not run.
    Revive,
    /// Nobody needs it; its grace begins.
    Condemn,
    /// Nobody can be reading it any more.
    Delete,
}

impl Segment {
    /// What becomes of it, given whether a manifest or an upload lists it.
    pub fn fate(&self, live: bool, rules: &Rules) -> Fate {
        match (live, self.condemned_at) {
            (true, None) => Fate::Keep,
            (true, Some(_)) => Fate::Revive,
            (false, None) if rules.no_writers || rules.has_passed(Some(self.deadline)) => {
                Fate::Condemn
            }
            (false, Some(at)) if rules.now >= at.saturating_add(rules.grace_ms) => Fate::Delete,
            (false, _) => Fate::Keep,
        }
    }

    /// Makes room for this many chunks and pages, by doubling; says whether the
    /// record changed and has to be written before they are.
    pub fn reserve(&mut self, chunks: u32, pages: u32) -> bool {
        let before = (self.chunks_end, self.pages_end);
        while self.chunks_end < chunks.min(NUMBER_END) {
            self.chunks_end = (self.chunks_end * 2).clamp(1, NUMBER_END);
        }
        while self.pages_end < pages.min(NUMBER_END) {
            self.pages_end = (self.pages_end * 2).clamp(8, NUMBER_END);
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::manifest::codec::tests::refused::{Case, refuses};
    use crate::manifest::codec::tests::{NEW_YEAR_MS, golden};

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
    fn golden_segments() {
        let plain = Segment {
            key: "videos/long.mp4".to_string(),
            deadline: NEW_YEAR_MS + 86_400_000,
            pages_end: 8,
            ..segment()
        };
        let condemned = Segment { condemned_at: Some(NEW_YEAR_MS + 90_000_000), ..plain.clone() };
        let upload = Some(Id(0x0000_1111_2222_3333_4444_5555_6666_7777));
        let of_upload = Segment { upload, ..condemned.clone() };
        for (name, record) in [
            ("v1-segment.bin", plain),
            ("v1-segment-condemned.bin", condemned),
            ("v1-segment-upload-condemned.bin", of_upload),
        ] {
            golden(name, &record, Segment::encode, Segment::decode);
        }
    }

    #[test]
    fn a_record_that_breaks_the_form_is_refused_with_a_sentence() {
        let cases: &[Case] = &[
            (|s| s["extra"] = json!(1), "unknown field `extra`"),
            (|s| s["key"] = json!(null), "does not have the form of version 1"),
            (|s| s["upload"] = json!("A"), "not 32 lowercase hex digits"),
            (|s| s["chunks-end"] = json!(-1), "does not have the form"),
            (|s| s["pages-end"] = json!(1u64 << 32), "does not have the form"),
            (|s| s["deadline"] = json!(1.5), "does not have the form"),
            (|s| drop(s.as_object_mut().unwrap().remove("deadline")), "missing field `deadline`"),
        ];
        refuses(Kind::Segment, &segment().encode(), cases, Segment::decode);
    }

    proptest! {
        #[test]
        fn every_record_reads_as_it_was_written(
            key in ".{0,40}",
            (upload, deadline, condemned_at) in any::<(Option<u128>, u64, Option<u64>)>(),
            (chunks_end, pages_end) in any::<(u32, u32)>(),
        ) {
            let upload = upload.map(Id);
            let record = Segment { key, upload, deadline, chunks_end, pages_end, condemned_at };
            prop_assert_eq!(Segment::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn garbage_is_refused_without_panicking(bytes: Vec<u8>, cut in 0usize..150) {
            prop_assert!(Segment::decode(&bytes).is_err());
            let mut behind = segment().encode();
            behind.truncate(cut);
            behind.extend_from_slice(&bytes);
            prop_assert!(behind == segment().encode() || Segment::decode(&behind).is_err());
        }
    }
}
