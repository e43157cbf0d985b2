//! The record of an upload, `u/<digest of object key>/<upload>`: how far it has
//! come, so that anyone can go on with it. Pure.

use serde::{Deserialize, Serialize};

use crate::key::Id;
use crate::manifest::codec::{Part, nodes_of, parts_of};
use crate::manifest::{Node, Place, check_nodes, digest_in_form, digest_of};
use crate::object::Precondition;
use crate::record::{self, Kind};

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// It takes more, until its deadline.
    Open,
    /// It is being committed as this: nothing can be added any more, and whoever
    /// commits it again commits the same.
    Sealed {
        /// The digest of the whole.
        digest: String,
        /// The commit that it becomes.
        generation: Id,
        /// The commit time, in milliseconds since the Unix epoch.
        modified: u64,
        /// When the object ceases to exist, in milliseconds since the Unix epoch.
        expires: Option<u64>,
    },
    /// It was given up.
    Aborted,
}

/// What the writer asked for when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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

    /// What must hold of every upload; says what does not.
    fn check(&self) -> Result<(), String> {
        if !self.segments.is_sorted_by(|a, b| a < b) {
            return Err("its segments are not in order".to_string());
        }
        let sum = check_nodes(&self.nodes, 0, &self.segments)?;
        if sum.length != self.offset {
            return Err("its chunks do not reach its offset".to_string());
        }
        if let State::Sealed { digest, .. } = &self.state {
            let digest = digest_in_form(digest).ok_or("its digest is malformed")?;
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
