//! Every bound of the store, in one table. Pure.
//!
//! What depends on the platform comes from [`KvLimits`](crate::kv::KvLimits);
//! what is here holds everywhere.

/// Bodies up to this many bytes are stored in the manifest, unless the writer
/// says otherwise: one kv operation to write, one to read.
pub const INLINE_BYTES_DEFAULT: u64 = 256 << 10;

/// Size of the first chunk, in bytes, where nothing asks for more: the first byte
/// comes fast, and small reads at the head (where players look) stay cheap.
pub const FIRST_CHUNK_BYTES: u64 = 256 << 10;

/// Up to this many bytes chunks grow with the offset; beyond, only where operations are
/// counted: a store with the least usual memory (16 MiB) has to read what others write.
pub const CHUNK_BYTES_USUAL: u64 = 4 << 20;

/// Where kv is slow, memory holds so many chunks at most: one that fills, and those under
/// way. More and smaller ones would cost operations and win nothing.
pub const FINE_CHUNKS_MAX: u32 = 16;

/// No chunk before this offset is cut by what was measured: an object that ends here is
/// under way as a whole.
pub const FINE_FROM_BYTES: u64 = 16 << 20;

/// A kv that takes so long for a small value is slow, in nanoseconds, if the usual value
/// takes less than twice as long.
pub const SLOW_KV_NS: u64 = 10_000_000;

/// No chunk is smaller, but the last one of an object.
pub const CHUNK_BYTES_MIN: u64 = 64 << 10;

/// No chunk is larger, whatever the platform holds: it is read whole to be
/// verified.
pub const CHUNK_BYTES_MAX: u64 = 64 << 20;

/// A platform whose values hold less cannot be used.
pub const VALUE_BYTES_MIN: u64 = 64 << 10;

/// One operation uses at most this share of the memory for one chunk, so that a
/// few are under way while one fills.
pub const MEMORY_PER_CHUNK: u64 = 4;

/// Longest media type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// All names and values of an object's metadata together, in bytes of JSON.
pub const METADATA_BYTES_MAX: usize = 8 << 10;

/// Most objects and prefixes in one page of a listing, and most keys that are asked
/// of kv at once.
pub const LIST_LIMIT_MAX: u32 = 1000;

/// How many pages of kv keys one page of a listing reads at most; keys rolled up
/// into a prefix cost pages and yield little.
pub const LIST_KV_PAGES_MAX: u32 = 64;

/// How many problems a check of an object names; more are only counted.
pub const PROBLEMS_MAX: usize = 1000;

/// How long a write may take before it may no longer commit, in seconds.
pub const DEADLINE_SECONDS_DEFAULT: u32 = 24 * 3600;

/// How long content that nobody needs any more is kept for those still reading
/// it, in seconds; and how much longer than needed kv is told to keep chunks of
/// objects that expire.
pub const GRACE_SECONDS_DEFAULT: u32 = 3600;

/// How far apart the clocks of writers and of who sweeps are taken to be at most, in
/// seconds.
pub const CLOCK_MARGIN_SECONDS: u64 = 300;

/// kv operations that a put needs besides its chunks: the segment's record and its
/// rewrites, reading and setting the manifest twice, condemning what is replaced.
pub const PUT_OPERATIONS: u64 = 12;

/// Who waits for memory asks others for theirs this often, in milliseconds; and who has got
/// nothing done with it for so long gives it back.
pub const MEMORY_ASK_MS: u64 = 500;

/// What a reader that gives memory back keeps, in bytes, so that it notices when its client
/// goes on. It is not counted.
pub const STALLED_BYTES: usize = 16 << 10;

/// What is read of a body before memory is taken for it, in bytes: who sends nothing
/// holds nothing.
pub const FIRST_READ_BYTES: usize = 16 << 10;

/// How many chunks the record of a segment covers at first where the size is not
/// known.
pub const CHUNKS_END_FIRST: u32 = 256;

/// How many chunks the record of a segment covers at first in an append: sweep deletes
/// by number, and appends may be small.
pub const CHUNKS_END_APPEND: u32 = 16;

/// kv operations that an append needs besides its chunks and the checkpoints in between:
/// reading the upload and the last chunk, the segment's record, the last checkpoint,
/// condemning what was superseded.
pub const APPEND_OPERATIONS: u64 = 12;

/// The least time between two checkpoints of an append, in milliseconds; and how many
/// times as long as the last one took.
pub const CHECKPOINT_REST_MS: u64 = 100;
/// See [`CHECKPOINT_REST_MS`].
pub const CHECKPOINT_REST_FACTOR: u64 = 4;

/// Where the operations of an invocation are counted, a checkpoint is written after so
/// many chunks at the earliest, and takes so many operations.
pub const CHECKPOINT_CHUNKS_COUNTED: u64 = 32;
/// See [`CHECKPOINT_CHUNKS_COUNTED`].
pub const CHECKPOINT_OPERATIONS: u64 = 2;

/// An append writes no chunk if it is longer ago, in milliseconds, that it saw that the
/// upload is still its own. With the time that a kv operation may take this is less than
/// [`CLOCK_MARGIN_SECONDS`], which is the least grace of content that was superseded.
pub const LEASE_MS: u64 = 60_000;

/// How often who follows an upload looks whether there is more, in milliseconds.
pub const FOLLOW_POLL_MS: u64 = 100;

/// What a manifest may have more than the record of the upload that it is made from, in
/// bytes.
pub const SEAL_BYTES: u64 = 4 << 10;

/// How often a commit is tried again because somebody else committed meanwhile.
pub const COMMIT_ATTEMPTS: u32 = 16;

/// How much of a manifest is read at first where only its header is wanted and kv
/// gives parts, in bytes.
pub const HEAD_BYTES: u64 = 16 << 10;

/// How many operations that have ended are kept for who takes note of them.
pub const OPERATIONS_NOTED_MAX: usize = 1024;

/// How much of a key or of an error's text is noted with an operation, in bytes.
pub const NOTED_TEXT_BYTES_MAX: usize = 2048;

/// How many times and how long one kv operation is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts in all, those that were throttled not counted.
    pub attempts_max: u32,
    /// One attempt is given up after so long, in milliseconds.
    pub timeout_ms: u64,
    /// No attempt begins later than this after the first, in milliseconds.
    pub total_ms: u64,
    /// The wait after the first failure, in milliseconds; it doubles with each.
    pub backoff_first_ms: u64,
    /// The longest wait after a failure, in milliseconds.
    pub backoff_max_ms: u64,
}

/// For every kv operation that an object needs.
pub const KV_ATTEMPTS: Attempts = Attempts {
    attempts_max: 6,
    timeout_ms: 30_000,
    total_ms: 120_000,
    backoff_first_ms: 50,
    backoff_max_ms: 5_000,
};

/// A call waits for its turn where kv refuses some no longer than this, in milliseconds.
pub const TURN_MS_MAX: u64 = 60_000;

/// How many segments one operation marks as unneeded at most; sweep finds the others by
/// itself.
pub const HINTS_MAX: usize = 64;

/// For hints that sweep can do without.
pub const HINT_ATTEMPTS: Attempts = Attempts { attempts_max: 1, ..KV_ATTEMPTS };

impl Attempts {
    /// How long to wait after the failure number `failures` (from 1), in
    /// milliseconds: the doubled back-off, less up to half of it by chance, so that
    /// those who failed together do not come back together.
    pub fn backoff_ms(&self, failures: u32, chance: u128) -> u64 {
        let doubled = self.backoff_first_ms.saturating_mul(1 << (failures - 1).min(20));
        let wait = doubled.min(self.backoff_max_ms);
        wait - (chance % (wait as u128 / 2 + 1)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound_with_jitter() {
        for (failures, longest) in [(1, 50), (2, 100), (3, 200), (8, 5_000), (u32::MAX, 5_000)] {
            assert_eq!(KV_ATTEMPTS.backoff_ms(failures, 0), longest);
            for chance in [1, 7, 12_345, u128::MAX] {
                let wait = KV_ATTEMPTS.backoff_ms(failures, chance);
                assert!(wait >= longest / 2 && wait <= longest, "{wait}");
            }
        }
    }
}
