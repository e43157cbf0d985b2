//! The record of an upload, `u/<digest of object key>/<upload>`: how far it has
//! come, so that anyone can go on with it. Pure.

use serde::Serialize;

use crate::digest::Digest;
use crate::json::{self, Read, Reader};
use crate::key::Id;
use crate::manifest::codec::{Part, nodes_of, parts_of};
use crate::manifest::{Node, Place, check_nodes, digest_in_form, digest_of};
use crate::object::Precondition;
use crate::record::{self, Kind};
use crate::segment::Rules;

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It takes more, until its deadline.
    Open,
    /// It is being committed as this: nothing can be added any more, and whoever
    /// commits it again commits the same.
    Sealed(Seal),
    /// It has been committed as this. The object may have been replaced or deleted
    /// since: whoever commits it again changes nothing.
    Committed(Seal),
    /// It was given up.
    Aborted,
}

impl Read for State {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.case(|name, from| match (name, from) {
            ("open", None) => Some(Ok(Self::Open)),
            ("sealed", Some(from)) => Some(Seal::read(from).map(Self::Sealed)),
            ("committed", Some(from)) => Some(Seal::read(from).map(Self::Committed)),
            ("aborted", None) => Some(Ok(Self::Aborted)),
            _ => None,
        })
    }
}

/// The object that an upload becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seal {
    /// The digest of the whole.
    pub digest: String,
    /// The commit that it becomes.
    pub generation: Id,
    /// The commit time, in milliseconds since the Unix epoch.
    pub modified: u64,
    /// When the object ceases to exist, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
    /// The kv version of the manifest that it replaces, and nothing else; none where
    /// there is none to replace, or kv has no versions.
    pub replaces: Option<String>,
}

impl Read for Seal {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            Seal {
                digest: "digest",
                generation: "generation",
                modified: "modified",
                expires: "expires",
                replaces: "replaces"
            }
        )
    }
}

/// What the writer asked for when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredOptions {
    /// Announced size, in bytes.
    pub size: Option<u64>,
    /// Announced digest.
    pub digest: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Names and values kept with the object.
    pub metadata: Vec<(String, String)>,
    /// Seconds from commit until the object no longer exists.
    pub ttl_seconds: Option<u32>,
    /// What must hold of the object that is replaced.
    pub precondition: Option<Precondition>,
    /// Upper bound for one chunk, in bytes.
    pub chunk_bytes_max: Option<u32>,
}

impl Read for StoredOptions {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            StoredOptions {
                size: "size",
                digest: "digest",
                content_type: "content-type",
                metadata: "metadata",
                ttl_seconds: "ttl-seconds",
                precondition: "precondition",
                chunk_bytes_max: "chunk-bytes-max"
            }
        )
    }
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The object that it becomes.
    pub key: String,
    /// Its name.
    pub upload: Id,
    /// What its writer asked for.
    pub options: StoredOptions,
    /// When it began, in milliseconds since the Unix epoch.
    pub started: u64,
    /// Until when it can be added to and committed.
    pub deadline: u64,
    /// How many bytes have been accepted durably.
    pub offset: u64,
    /// The segments that hold them, ascending.
    pub segments: Vec<Id>,
    /// The chunks that hold them, in order.
    pub nodes: Vec<Node>,
    /// Where it stands.
    pub state: State,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct UploadHeader {
    key: String,
    upload: Id,
    options: StoredOptions,
    started: u64,
    deadline: u64,
    offset: u64,
    segments: Vec<Id>,
    parts: Vec<Part>,
    state: State,
}

impl Read for UploadHeader {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            UploadHeader {
                key: "key",
                upload: "upload",
                options: "options",
                started: "started",
                deadline: "deadline",
                offset: "offset",
                segments: "segments",
                parts: "parts",
                state: "state"
            }
        )
    }
}

impl Upload {
    /// Its stored form.
    pub fn encode(&self) -> Vec<u8> {
        let header = UploadHeader {
            key: self.key.clone(),
            upload: self.upload,
            options: self.options.clone(),
            started: self.started,
            deadline: self.deadline,
            offset: self.offset,
            segments: self.segments.clone(),
            parts: parts_of(&self.nodes),
            state: self.state.clone(),
        };
        record::encode(Kind::Upload, &header)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let header: UploadHeader = record::decode_whole(Kind::Upload, bytes)?;
        let upload = Upload {
            nodes: nodes_of(&header.parts)?,
            key: header.key,
            upload: header.upload,
            options: header.options,
            started: header.started,
            deadline: header.deadline,
            offset: header.offset,
            segments: header.segments,
            state: header.state,
        };
        upload.check().map_err(|broken| format!("the upload record is wrong: {broken}"))?;
        Ok(upload)
    }

    /// Whether nobody needs to know of it any more.
    pub fn is_over(&self, rules: &Rules) -> bool {
        self.state == State::Aborted || rules.no_writers || rules.has_passed(Some(self.deadline))
    }

    /// Whether it keeps what a segment holds from being collected: it lists it, and may
    /// still become an object.
    pub fn keeps(&self, segment: Id, rules: &Rules) -> bool {
        matches!(self.state, State::Open | State::Sealed(_))
            && !self.is_over(rules)
            && self.segments.contains(&segment)
    }

    /// The digest of what has been accepted; `None` for a single chunk, which has to be
    /// read: while more may follow it has a chaining value and no digest.
    pub fn digest(&self) -> Option<Digest> {
        match (self.seal(), &self.nodes[..]) {
            (Some(seal), _) => digest_in_form(&seal.digest),
            (None, [Node { place: Place::Chunk { .. }, .. }]) => None,
            (None, nodes) => digest_of(nodes),
        }
    }

    /// What it is being, or has been, committed as.
    pub fn seal(&self) -> Option<&Seal> {
        match &self.state {
            State::Sealed(seal) | State::Committed(seal) => Some(seal),
            State::Open | State::Aborted => None,
        }
    }

    /// What must hold of every upload; says what does not.
    fn check(&self) -> Result<(), String> {
        if !self.segments.is_sorted_by(|a, b| a < b) {
            return Err("its segments are not in order".to_string());
        }
        let sum = check_nodes(&self.nodes, 0, &self.segments)?;
        if sum.length != self.offset {
            return Err("its chunks do not reach its offset".to_string());
        }
        if let Some(seal) = self.seal() {
            let digest = digest_in_form(&seal.digest).ok_or("its digest is malformed")?;
            // More could follow when a lone chunk was listed, so it has a chaining
            // value and no digest to compare; its bytes are compared when they are read.
            let lone_chunk = matches!(&self.nodes[..], [Node { place: Place::Chunk { .. }, .. }]);
            if !lone_chunk && digest_of(&self.nodes) != Some(digest) {
                return Err("its chunks do not add up to its digest".to_string());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::manifest::codec::tests::refused::{Case, header_of, hostile_list, refuses};
    use crate::manifest::codec::tests::{
        Cut, GENERATION, NEW_YEAR_MS, OTHER_SEGMENT, SEGMENT, Stored, any_stored, content, golden,
        small_chunks, store,
    };

    fn begun() -> Upload {
        Upload {
            key: "videos/long.mp4".to_string(),
            upload: Id(0x0000_1111_2222_3333_4444_5555_6666_7777),
            options: StoredOptions::default(),
            started: NEW_YEAR_MS,
            deadline: NEW_YEAR_MS + 86_400_000,
            offset: 0,
            segments: Vec::new(),
            nodes: Vec::new(),
            state: State::Open,
        }
    }

    fn holding(stored: &Stored) -> Upload {
        Upload {
            offset: stored.content.len() as u64,
            segments: stored.segments.clone(),
            nodes: stored.nodes.clone(),
            ..begun()
        }
    }

    /// 1024, 1024 and 452 bytes, the last in a segment of its own.
    fn three_chunks() -> Stored {
        let segments = vec![SEGMENT, OTHER_SEGMENT];
        store(content(2500), &Cut { segments, chunks_per_segment: 2, ..small_chunks() })
    }

    fn sealed(stored: &Stored) -> Upload {
        Upload { state: State::Sealed(seal(stored)), ..holding(stored) }
    }

    fn seal(stored: &Stored) -> Seal {
        Seal {
            digest: stored.digest().to_string(),
            generation: GENERATION,
            modified: NEW_YEAR_MS + 60_000,
            expires: Some(NEW_YEAR_MS + 660_000),
            replaces: Some("7".to_string()),
        }
    }

    fn golden_upload(name: &str, upload: &Upload) {
        golden(name, upload, Upload::encode, Upload::decode);
    }

    #[test]
    fn golden_uploads_in_every_state() {
        let stored = three_chunks();
        let all_options = StoredOptions {
            size: Some(2500),
            digest: Some(stored.digest().to_string()),
            content_type: Some("video/mp4".to_string()),
            metadata: vec![("author".to_string(), "Zoë".to_string())],
            ttl_seconds: Some(600),
            precondition: Some(Precondition::Absent),
            chunk_bytes_max: Some(1 << 20),
        };
        golden_upload("v1-upload-open.bin", &begun());
        let options = all_options.clone();
        golden_upload("v1-upload-open-chunks.bin", &Upload { options, ..holding(&stored) });
        // Its chunk has a chaining value where a manifest would give the digest.
        let lone = store(content(700), &small_chunks());
        assert_ne!(lone.nodes[0].cv, lone.digest().0);
        golden_upload("v1-upload-open-lone-chunk.bin", &holding(&lone));
        golden_upload("v1-upload-sealed.bin", &Upload { options: all_options, ..sealed(&stored) });
        let committed = State::Committed(Seal { replaces: None, ..seal(&stored) });
        golden_upload("v1-upload-committed.bin", &Upload { state: committed, ..holding(&stored) });
        golden_upload(
            "v1-upload-aborted.bin",
            &Upload { state: State::Aborted, ..holding(&stored) },
        );
    }

    #[test]
    fn golden_uploads_with_every_precondition() {
        let etags = ["\"0a\"", "\"0b\""].map(str::to_string).to_vec();
        for (name, precondition) in [
            ("absent", Precondition::Absent),
            ("exists", Precondition::Exists),
            ("etag-in", Precondition::EtagIn(etags.clone())),
            ("etag-not-in", Precondition::EtagNotIn(etags)),
            ("generation-is", Precondition::GenerationIs(GENERATION.to_string())),
        ] {
            let options = StoredOptions { precondition: Some(precondition), ..Default::default() };
            let upload = Upload { options, ..begun() };
            golden_upload(&format!("v1-upload-open-{name}.bin"), &upload);
        }
    }

    #[test]
    fn a_record_that_breaks_a_rule_is_refused_with_a_sentence() {
        let cases: &[Case] = &[
            (|u| u["offset"] = json!(2499), "its chunks do not reach its offset"),
            (|u| u["offset"] = json!(u64::MAX), "its chunks do not reach its offset"),
            (|u| u["parts"] = json!([]), "its chunks do not reach its offset"),
            (|u| u["extra"] = json!(1), "unknown field `extra`"),
            (|u| u["upload"] = json!("7"), "not 32 lowercase hex digits"),
            (|u| u["segments"].as_array_mut().unwrap().reverse(), "its segments are not in order"),
            (|u| u["segments"] = json!([]), "in a segment that it does not name"),
            (|u| u["parts"][0]["chunks"]["list"][0][0] = json!(512), "misaligned at byte 512"),
            (|u| u["parts"][0]["chunks"]["first"] = json!(99_999_999), "number is too large"),
            (
                |u| u["parts"][0]["chunks"]["list"][0][1] = json!("00".repeat(32)),
                "up to its digest",
            ),
            (|u| u["state"] = json!("closed"), "unknown variant `closed`"),
            (|u| u["state"]["sealed"]["digest"] = json!("blake3:"), "its digest is malformed"),
            (|u| u["state"]["sealed"]["generation"] = json!("0"), "not 32 lowercase hex digits"),
            (|u| u["state"]["sealed"]["extra"] = json!(1), "unknown field `extra`"),
            (|u| u["options"]["extra"] = json!(1), "unknown field `extra`"),
            (|u| u["options"]["precondition"] = json!("newer"), "unknown variant `newer`"),
            (|u| u["options"]["precondition"] = json!({"absent": null, "exists": null}), "form"),
            (|u| u["options"]["ttl-seconds"] = json!(1u64 << 32), "does not have the form"),
        ];
        refuses(Kind::Upload, &sealed(&three_chunks()).encode(), cases, Upload::decode);
    }

    /// Committing it would have panicked: a manifest cannot be made of it.
    #[test]
    fn a_sealed_upload_that_cannot_become_an_object_is_refused() {
        let empty = store(Vec::new(), &small_chunks());
        assert!(Upload::decode(&sealed(&empty).encode()).is_ok());
        let lone = store(content(700), &small_chunks());
        assert!(Upload::decode(&sealed(&lone).encode()).is_ok());
        let page = json!([{"pages": {"segment": SEGMENT, "first": 0, "list": [[2, 2048, "00".repeat(32)]]}}]);
        for parts in [json!([]), page] {
            let mut header = header_of(&sealed(&three_chunks()).encode());
            header["offset"] = json!(if parts == json!([]) { 0 } else { 2048 });
            header["parts"] = parts;
            let error = Upload::decode(&record::encode(Kind::Upload, &header)).unwrap_err();
            assert!(error.contains("do not add up to its digest"), "{error}");
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let bytes = sealed(&three_chunks()).encode();
        for length in 0..bytes.len() {
            assert!(Upload::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        assert!(Upload::decode(&[&bytes[..], b"x"].concat()).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Upload::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    fn any_precondition() -> impl Strategy<Value = Precondition> {
        prop_oneof![
            Just(Precondition::Absent),
            Just(Precondition::Exists),
            vec(".{0,9}", 0..4).prop_map(Precondition::EtagIn),
            vec(".{0,9}", 0..4).prop_map(Precondition::EtagNotIn),
            ".{0,40}".prop_map(Precondition::GenerationIs),
        ]
    }

    prop_compose! {
        fn any_options()(
            (size, ttl_seconds, chunk_bytes_max) in any::<(Option<u64>, Option<u32>, Option<u32>)>(),
            digest in proptest::option::of(".{0,80}"),
            content_type in proptest::option::of(".{0,40}"),
            metadata in vec((".{0,10}", ".{0,10}"), 0..4),
            precondition in proptest::option::of(any_precondition()),
        ) -> StoredOptions {
            StoredOptions { size, digest, content_type, metadata, ttl_seconds, precondition, chunk_bytes_max }
        }
    }

    proptest! {
        #[test]
        fn every_upload_reads_as_it_was_written(
            stored in any_stored(),
            (key, options) in (".{1,40}", any_options()),
            (upload, started, deadline) in any::<(u128, u64, u64)>(),
            (generation, modified, expires) in any::<(u128, u64, Option<u64>)>(),
            replaces in proptest::option::of(".{0,20}"),
            state in 0..4,
        ) {
            let digest = stored.digest().to_string();
            let seal = Seal { digest, generation: Id(generation), modified, expires, replaces };
            let state = match state {
                0 => State::Open,
                1 => State::Sealed(seal),
                2 => State::Committed(seal),
                _ => State::Aborted,
            };
            let upload =
                Upload { key, upload: Id(upload), options, started, deadline, state, ..holding(&stored) };
            prop_assert_eq!(Upload::decode(&upload.encode()), Ok(upload));
        }

        #[test]
        fn garbage_is_refused_without_panicking(bytes: Vec<u8>, cut in 0usize..600, parts in hostile_list()) {
            prop_assert!(Upload::decode(&bytes).is_err());
            let mut behind = sealed(&three_chunks()).encode();
            behind.truncate(cut);
            behind.extend_from_slice(&bytes);
            prop_assert!(Upload::decode(&behind).is_err());

            let mut hostile = header_of(&sealed(&three_chunks()).encode());
            hostile["parts"] = parts;
            prop_assert!(Upload::decode(&record::encode(Kind::Upload, &hostile)).is_err());
        }
    }
}
