//! Objects as callers see them: descriptions, options, preconditions.

use serde::Serialize;

use crate::json::{self, Read, Reader};
use crate::limits::GRACE_SECONDS_DEFAULT;
use crate::range::{ByteRange, Span};
use crate::stripe::Stripe;

/// A committed object; `types.object-info` of the WIT, with its field names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectInfo {
    /// The name it was stored under.
    pub key: String,
    /// Length of the content, in bytes.
    pub size: u64,
    /// `blake3:` and 64 hex digits: the plain BLAKE3 of the whole content.
    pub digest: String,
    /// Strong HTTP entity tag, quotes included.
    pub etag: String,
    /// Names this one commit.
    pub generation: String,
    /// Media type given by the writer.
    pub content_type: Option<String>,
    /// Names and values given by the writer, in the writer's order.
    pub metadata: Vec<(String, String)>,
    /// Commit time by the writer's clock, in milliseconds since the Unix epoch.
    pub modified: u64,
    /// When it ceases to exist, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
    /// How many values hold the content; 0 if it lies in the manifest itself.
    pub chunks: u32,
}

/// What must hold of the committed object for an operation to proceed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precondition {
    /// There is none.
    Absent,
    /// There is one.
    Exists,
    /// There is one, and its etag is among these.
    EtagIn(Vec<String>),
    /// There is none, or its etag is not among these.
    EtagNotIn(Vec<String>),
    /// There is one, and it is this commit.
    GenerationIs(String),
}

impl Precondition {
    /// Whether it holds of what there is now.
    pub fn holds(&self, current: Option<&ObjectInfo>) -> bool {
        match (self, current) {
            (Precondition::Absent, current) => current.is_none(),
            (Precondition::Exists, current) => current.is_some(),
            (Precondition::EtagIn(etags), Some(info)) => etags.contains(&info.etag),
            (Precondition::EtagNotIn(etags), Some(info)) => !etags.contains(&info.etag),
            (Precondition::EtagNotIn(_), None) => true,
            (Precondition::GenerationIs(generation), Some(info)) => info.generation == *generation,
            (Precondition::EtagIn(_) | Precondition::GenerationIs(_), None) => false,
        }
    }
}

impl Read for Precondition {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        from.case(|name, from| match (name, from) {
            ("absent", None) => Some(Ok(Self::Absent)),
            ("exists", None) => Some(Ok(Self::Exists)),
            ("etag-in", Some(from)) => Some(Vec::read(from).map(Self::EtagIn)),
            ("etag-not-in", Some(from)) => Some(Vec::read(from).map(Self::EtagNotIn)),
            ("generation-is", Some(from)) => Some(String::read(from).map(Self::GenerationIs)),
            _ => None,
        })
    }
}

/// How an object is to be stored; `objects.put-options` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// The body's length in bytes, if it is known.
    pub size: Option<u64>,
    /// `blake3:` and hex: nothing is committed if the body has another digest.
    pub digest: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Names and values kept with the object.
    pub metadata: Vec<(String, String)>,
    /// Seconds until the object no longer exists.
    pub ttl_seconds: Option<u32>,
    /// What must hold of the object that is replaced.
    pub precondition: Option<Precondition>,
    /// Bodies up to so many bytes are stored with the manifest.
    pub inline_bytes_max: Option<u32>,
    /// Upper bound for one chunk, in bytes.
    pub chunk_bytes_max: Option<u32>,
    /// The write must be committed within so many seconds.
    pub deadline_seconds: Option<u32>,
}

/// What to read; `objects.get-options` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Part of the object; `None` is all of it.
    pub range: Option<ByteRange>,
    /// What must hold of the object.
    pub precondition: Option<Precondition>,
    /// Only this share of it, while other instances read the others.
    pub stripe: Option<Stripe>,
}

/// What a reader gets: the object and which of its bytes follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The object.
    pub info: ObjectInfo,
    /// Which of its bytes the body holds.
    pub part: Span,
}

/// What to list; `objects.list-options` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only keys that begin so.
    pub prefix: String,
    /// Roll up keys that hold this after the prefix.
    pub delimiter: Option<String>,
    /// From the page before.
    pub cursor: Option<String>,
    /// Objects and prefixes a page, 1 to 1000.
    pub limit: u32,
    /// Whether to read each object's manifest.
    pub details: bool,
}

/// What a listing can tell without reading the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectSummary {
    /// Length of the content, in bytes.
    pub size: u64,
    /// Strong HTTP entity tag.
    pub etag: String,
    /// Commit time, in milliseconds since the Unix epoch.
    pub modified: u64,
    /// When it ceases to exist, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
    /// Media type.
    pub content_type: Option<String>,
}

impl Read for ObjectSummary {
    fn read(from: &mut Reader<'_>) -> Result<Self, String> {
        json::fields!(
            from,
            ObjectSummary {
                size: "size",
                etag: "etag",
                modified: "modified",
                expires: "expires",
                content_type: "content-type",
                ..
            }
        )
    }
}

impl From<&ObjectInfo> for ObjectSummary {
    fn from(info: &ObjectInfo) -> Self {
        Self {
            size: info.size,
            etag: info.etag.clone(),
            modified: info.modified,
            expires: info.expires,
            content_type: info.content_type.clone(),
        }
    }
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedObject {
    /// Its name.
    pub key: String,
    /// Where the platform keeps summaries, or with details.
    pub summary: Option<ObjectSummary>,
    /// With details, if the manifest can be read.
    pub info: Option<ObjectInfo>,
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectPage {
    /// Objects in ascending byte order of the key.
    pub objects: Vec<ListedObject>,
    /// What keys were rolled up into, in ascending byte order.
    pub prefixes: Vec<String>,
    /// Passes to the next call; `None` on the last page.
    pub cursor: Option<String>,
}

/// A part of an object's chunk list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectChunks {
    /// The object; between two calls it may have become another, which its generation
    /// tells.
    pub info: ObjectInfo,
    /// Chunks in the object's order; none where the content lies in the manifest.
    pub chunks: Vec<ListedChunk>,
    /// Pages that the manifest names and that list some of these chunks.
    pub pages: Vec<ListedPage>,
    /// Where the next chunk begins, in bytes; `None` if there is none.
    pub next: Option<u64>,
}

/// One chunk of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedChunk {
    /// Which one of the object's chunks, from 0.
    pub index: u64,
    /// Where it begins in the object, in bytes.
    pub offset: u64,
    /// How many bytes it holds.
    pub size: u64,
    /// What vouches for it, 64 hex digits; of a chunk that is the whole object, the digest.
    pub chaining_value: String,
    /// The segment that it was written in, 32 hex digits.
    pub segment: String,
    /// The kv key of the value that holds its bytes and nothing else.
    pub value: String,
}

/// One page of a chunk list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedPage {
    /// Where the first of its chunks begins in the object, in bytes.
    pub offset: u64,
    /// How many bytes of the object its chunks hold.
    pub size: u64,
    /// How many chunks it lists, over all pages below it.
    pub chunks: u32,
    /// The kv key of the value that holds it.
    pub value: String,
}

/// What a check of an object found; `maintenance.verify-report` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyReport {
    /// Values that were read and compared.
    pub chunks: u64,
    /// Bytes of content that were found right.
    pub bytes: u64,
    /// One line for each chunk or page that is missing or wrong.
    pub problems: Vec<String>,
    /// How many there are beyond those named.
    pub problems_omitted: u64,
}

/// An upload under way; `types.upload-status` of the WIT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UploadStatus {
    /// The object that it becomes.
    pub key: String,
    /// How many bytes have been accepted durably.
    pub offset: u64,
    /// The announced size, if any, in bytes.
    pub size: Option<u64>,
    /// `blake3:` and 64 hex digits: of the accepted bytes; may be none where there is one
    /// chunk only.
    pub digest: Option<String>,
    /// When it began, in milliseconds since the Unix epoch.
    pub started: u64,
    /// Until when it can be added to and committed, in milliseconds since the Unix epoch.
    pub deadline: u64,
    /// Whether its commit has begun.
    pub sealed: bool,
}

/// A page of uploads under way; `uploads.upload-page` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// Names and how they stand.
    pub uploads: Vec<(String, UploadStatus)>,
    /// Passes to the next call; `None` on the last page.
    pub cursor: Option<String>,
}

/// How to sweep; `sweeping.sweep-options` of the WIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOptions {
    /// How long something unneeded is kept for those still reading it, in seconds.
    pub grace_seconds: u32,
    /// Whether the caller vouches that no write is under way.
    pub no_writers: bool,
    /// Stop after so many kv operations.
    pub operations_max: Option<u32>,
    /// From the report before.
    pub cursor: Option<String>,
    /// Only report.
    pub dry_run: bool,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            grace_seconds: GRACE_SECONDS_DEFAULT,
            no_writers: false,
            operations_max: None,
            cursor: None,
            dry_run: false,
        }
    }
}

/// What a sweep did; `sweeping.sweep-report` of the WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepReport {
    /// Records of segments that were read.
    pub segments_examined: u64,
    /// Found unneeded; their grace runs from now.
    pub segments_condemned: u64,
    /// Gone with all that they held.
    pub segments_deleted: u64,
    /// Delete operations on chunks and pages; some may have been of numbers that were
    /// reserved and never written.
    pub chunks_deleted: u64,
    /// Manifests of expired objects that were deleted.
    pub objects_expired: u64,
    /// Uploads aborted or past their deadline whose record was deleted.
    pub uploads_deleted: u64,
    /// Passes to the next call; `None` when all has been examined.
    pub cursor: Option<String>,
}

impl SweepReport {
    /// Takes the report of the next call in.
    pub fn add(&mut self, next: SweepReport) {
        self.segments_examined += next.segments_examined;
        self.segments_condemned += next.segments_condemned;
        self.segments_deleted += next.segments_deleted;
        self.chunks_deleted += next.chunks_deleted;
        self.objects_expired += next.objects_expired;
        self.uploads_deleted += next.uploads_deleted;
        self.cursor = next.cursor;
    }
}
