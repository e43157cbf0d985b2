//! Every bound of the server, in one place.

use std::time::Duration;

/// Connections at once, unless told otherwise. An idle one takes some 10 KiB.
pub const CONNECTIONS_MAX_DEFAULT: usize = 4096;

/// Requests at once, unless told otherwise.
pub const REQUESTS_MAX_DEFAULT: usize = 512;

/// Memory for chunks, of all requests together, unless told otherwise; in bytes. A client
/// that takes its time holds a chunk, of up to 4 MiB as a rule.
pub const MEMORY_BYTES_DEFAULT: u64 = 128 << 20;

/// The least of it that an instance works with, and the most.
pub const INSTANCE_MEMORY_BYTES_MIN: u64 = 16 << 20;
/// See [`INSTANCE_MEMORY_BYTES_MIN`].
pub const INSTANCE_MEMORY_BYTES_MAX: u64 = 1 << 30;

/// What an instance's memory may grow to besides: code's data, and some KiB for each request.
pub const GUEST_BYTES_BESIDES: usize = 64 << 20;

/// Most instances of the component.
pub const INSTANCES_MAX: usize = 64;

/// How long a request waits while so many others are under way; then it gets 503 with
/// `Retry-After`.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many requests wait so at most; more get 503 at once. Each may hold what its client has
/// sent ahead, in HTTP/2 [`STREAM_WINDOW_BYTES`].
pub const QUEUE_MAX: usize = 1024;

/// A request's head has to arrive within this time from its first byte, or from the
/// answer before it, or from the beginning of the connection.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection without a request under way is closed after this time.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A client that neither sends of a body nor takes of an answer for so long is cut off. What
/// counts is the connection: in HTTP/2 one request that moves keeps those that do not.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Of a body that nobody reads, as its request is refused, so much is taken in and thrown
/// away, so that the client comes to read the answer. Bytes.
pub const LINGER_BYTES_MAX: usize = 64 << 20;

/// That takes so long at most; then the connection is closed.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(10);

/// From so many bytes on that were received ahead of a body that is being stored, no more
/// are; see [`READ_AHEAD_BODIES_MAX`].
pub const READ_AHEAD_PIECE_BYTES: usize = 256 << 10;

/// What they are gathered in: these and what comes with the last of them. A body has three
/// such buffers at most: one that fills, one that waits, one that is being stored.
pub const GATHERED_BYTES_MAX: usize = READ_AHEAD_PIECE_BYTES + HEAD_BYTES_MAX;

/// How many bodies are received ahead at once.
pub const READ_AHEAD_BODIES_MAX: usize = 32;

/// How long a server that stops waits for its instances to tell of the last operations.
pub const LOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after a connection could not be accepted.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Largest head of a request in bytes; a larger one gets 431. Also what a connection reads
/// and writes ahead.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// Most fields in a request's head.
pub const HEAD_FIELDS_MAX: usize = 100;

/// Requests at once on one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 100;

/// How many bytes of one body an HTTP/2 client may send ahead.
pub const STREAM_WINDOW_BYTES: u32 = 128 << 10;

/// How many bytes of all bodies an HTTP/2 client may send ahead: of each as much as it may.
/// With less, bodies that wait for memory could keep out the rest of those that hold it, and
/// none would go on.
pub const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;
