//! Every bound on what a request may hold, in one table. What objects, keys and metadata
//! may hold is the core's to say.

/// Longest path and longest query of a request, each, in bytes as they are sent.
pub const TARGET_BYTES_MAX: usize = 8 << 10;

/// Most parameters in a query.
pub const PARAMETERS_MAX: usize = 32;

/// Most ranges in one `Range` header; more are refused (RFC 9110, section 14.2: "an
/// excessive request of small or overlapping ranges").
pub const RANGES_MAX: usize = 32;

/// Ranges with a gap of at most so many bytes between them are sent as one: a part of
/// `multipart/byteranges` costs more than that.
pub const RANGE_GAP_BYTES: u64 = 128;

/// Most entity tags in one `If-Match` or `If-None-Match`.
pub const ETAGS_MAX: usize = 64;

/// Most `X-Meta-*` headers of a request, so that an answer with all of them stays below
/// the hundred headers that some clients take.
pub const META_HEADERS_MAX: usize = 64;

/// Longest `Upload-Metadata`, in bytes as it is sent.
pub const UPLOAD_METADATA_BYTES_MAX: usize = 16 << 10;

/// Most headers that a preflight may ask for, and the longest list of them, in bytes.
pub const PREFLIGHT_HEADERS_MAX: usize = 128;
/// See [`PREFLIGHT_HEADERS_MAX`].
pub const PREFLIGHT_BYTES_MAX: usize = 8 << 10;

/// How long a browser may remember the answer to a preflight, in seconds.
pub const PREFLIGHT_SECONDS: u64 = 7200;

/// Objects, prefixes or uploads in a page of a listing whose limit is not given.
pub const LIST_LIMIT_DEFAULT: u32 = 100;

/// kv operations of one sweep by request, where the caller does not say how many.
pub const SWEEP_OPERATIONS_DEFAULT: u32 = 1000;

/// Who follows an upload is cut off when it has not grown for so long, in seconds.
pub const FOLLOW_STALL_SECONDS: u32 = 60;

/// When to try again where the store cannot say, in seconds.
pub const RETRY_AFTER_SECONDS_DEFAULT: u64 = 1;

/// A store that does not answer for so long is not healthy, in milliseconds.
pub const HEALTH_TIMEOUT_MS: u64 = 5_000;

/// How often a read begins again because the object was replaced between two looks.
pub const READ_ATTEMPTS: u32 = 4;

/// How long a signed link is good for, in seconds, where its caller does not say.
pub const LINK_SECONDS_DEFAULT: u64 = 3600;

/// Longest life of a link that the server signs, in seconds: a week. Who has the token can
/// sign longer ones.
pub const LINK_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Shortest token: whoever holds a signed link can try tokens out on it.
pub const TOKEN_BYTES_MIN: usize = 16;

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 512;
