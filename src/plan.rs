//! The chunk plan: where an object is cut. Pure.
//!
//! The chunk at offset `o` is `min(cap(o), lowest set bit of o)` long, the first
//! one 256 KiB: 256 KiB, 256 KiB, 512 KiB, 1, 2, 4, 4, 4 ... MiB. So every chunk is
//! a whole subtree of the digest tree, the first byte comes fast, and a large
//! object takes few operations. `cap(o)` is 4 MiB, and never more than values, memory and
//! the caller allow. More memory does not make it more: what is written with much memory
//! has to be read with little. Where the operations of an invocation are counted, chunks
//! start out as large as the announced size needs.
//!
//! Of media the first mebibyte comes in pieces of 256 KiB, since players look around in
//! it; archives of an announced size are read from end to end and start with large chunks.
//! Where kv [turns out](Plan::suit) to take its time for each operation, whatever that
//! carries, later chunks are as small as it takes to keep all that is useful under way in
//! the memory there is.
//!
//! `docs/chunk-sizes.md` shows what that comes to on typical platforms.

use crate::error::Error;
use crate::key::NUMBER_END;
use crate::kv::KvLimits;
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNK_BYTES_USUAL, FINE_CHUNKS_MAX, FINE_FROM_BYTES,
    FIRST_CHUNK_BYTES, MEMORY_PER_CHUNK, PUT_OPERATIONS, VALUE_BYTES_MIN,
};
use crate::manifest::paging::list_nodes_max;

/// How an object is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The first chunk, in bytes.
    first: u64,
    /// What later chunks grow to.
    usual: u64,
    /// What they never exceed.
    max: u64,
    /// What the chunks of the first [`HEAD_END`] bytes do not exceed.
    head: u64,
    /// Whether the size is known, and operations are counted.
    announced: bool,
    counted: bool,
    /// What memory holds, and what chunks therefore do not exceed behind
    /// [`FINE_FROM_BYTES`].
    memory: u64,
    fine: u64,
}

/// Up to here chunks of media are small, in bytes.
const HEAD_END: u64 = 1 << 20;

impl Plan {
    /// The plan for a body of `size` bytes, if that is known, on this platform.
    /// `chunk_bytes_max` is the caller's bound, at least 64 KiB.
    ///
    /// [`Error::LimitExceeded`] where no plan can hold the size,
    /// [`Error::InvalidArgument`] for a bound that is too small.
    pub fn new(
        size: Option<u64>,
        limits: &KvLimits,
        chunk_bytes_max: Option<u32>,
    ) -> Result<Self, Error> {
        let max = Self::largest_chunk(limits, chunk_bytes_max)?;
        let plan = Self {
            first: FIRST_CHUNK_BYTES.min(max),
            usual: CHUNK_BYTES_USUAL.min(max),
            max,
            head: u64::MAX,
            announced: size.is_some(),
            counted: limits.operations_max.is_some(),
            memory: limits.memory_bytes_max,
            fine: u64::MAX,
        };
        let Some(size) = size else {
            // Where operations are counted, the most that can be said of a body
            // that may be of any size is to spend few on it.
            let usual = if limits.operations_max.is_some() { max } else { plan.usual };
            return Ok(Self { usual, ..plan });
        };
        plan.grown_to_fit(size, limits)
    }

    /// The same for content of this media type, as far as operations are not counted.
    pub fn of_type(mut self, content_type: Option<&str>) -> Self {
        let Some(content_type) = content_type.filter(|_| !self.counted) else { return self };
        if is_media(content_type) {
            self.head = FIRST_CHUNK_BYTES;
        } else if is_archive(content_type) && self.announced {
            self.first = self.usual;
        }
        self
    }

    /// From now on kv takes long for each operation, and hardly longer for a larger one,
    /// and so many are useful `at_once`; `None` if it does not. Not to be changed while a
    /// chunk is being filled.
    pub fn suit(&mut self, at_once: Option<u32>) {
        let at_once = at_once.filter(|_| !self.counted);
        self.fine = at_once.map_or(u64::MAX, |at_once| {
            let at_once = u64::from(at_once.min(FINE_CHUNKS_MAX)).max(MEMORY_PER_CHUNK);
            (self.memory / at_once).next_power_of_two().max(CHUNK_BYTES_MIN)
        });
    }

    fn largest_chunk(limits: &KvLimits, chunk_bytes_max: Option<u32>) -> Result<u64, Error> {
        if limits.value_bytes_max < VALUE_BYTES_MIN {
            return Err(Error::LimitExceeded(format!(
                "values of this platform hold {} bytes; the store needs {VALUE_BYTES_MIN}",
                limits.value_bytes_max
            )));
        }
        let asked = chunk_bytes_max.map_or(CHUNK_BYTES_MAX, u64::from);
        if asked < CHUNK_BYTES_MIN {
            return Err(Error::InvalidArgument(format!(
                "chunks of at most {asked} bytes are too small; give at least {CHUNK_BYTES_MIN}"
            )));
        }
        let memory = (limits.memory_bytes_max / MEMORY_PER_CHUNK).max(CHUNK_BYTES_MIN);
        Ok(floor_power(asked.min(limits.value_bytes_max).min(memory).min(CHUNK_BYTES_MAX)))
    }

    fn grown_to_fit(mut self, size: u64, limits: &KvLimits) -> Result<Self, Error> {
        let nodes_max = list_nodes_max(limits.value_bytes_max) as u64;
        let chunks_max = match limits.operations_max {
            None => u64::from(NUMBER_END - 1),
            // A page holds at least an eighth of a full list.
            Some(operations) => {
                let spare = u64::from(operations).saturating_sub(PUT_OPERATIONS);
                if spare > nodes_max { spare - spare / (nodes_max / 8) - 2 } else { spare }
            }
        };
        loop {
            if self.chunks_reach(size, chunks_max) {
                return Ok(self);
            }
            if self.first == self.max && self.usual == self.max {
                return Err(Error::LimitExceeded(format!(
                    "{size} bytes in chunks of at most {} need more than the {chunks_max} chunks that can be written here",
                    self.max
                )));
            }
            if self.usual < self.max {
                self.usual *= 2;
            } else {
                self.first *= 2;
            }
        }
    }

    /// Whether `size` bytes make at most `chunks_max` chunks.
    fn chunks_reach(&self, size: u64, chunks_max: u64) -> bool {
        self.chunks(size) <= chunks_max
    }

    fn cap(&self, offset: u64) -> u64 {
        match offset {
            ..HEAD_END => self.usual.min(self.head),
            // Growing with the offset, so that up to a gibibyte no page comes before
            // the first byte.
            FINE_FROM_BYTES.. => self.usual.min(self.fine.max(floor_power(offset / 128))),
            _ => self.usual,
        }
    }

    /// How many bytes the chunk that begins at `offset` holds, unless the object
    /// ends before. `offset` is where a chunk of this plan begins.
    pub fn chunk_bytes(&self, offset: u64) -> u64 {
        if offset == 0 {
            return self.first;
        }
        self.cap(offset).min(1 << offset.trailing_zeros())
    }

    /// The largest chunk that it may come to, in bytes.
    pub fn chunk_bytes_max(&self) -> u64 {
        self.usual.max(self.first)
    }

    /// How many chunks `size` bytes make, if kv does not turn out to be slow.
    pub fn chunks(&self, size: u64) -> u64 {
        let mut offset = 0;
        let mut chunks = 0;
        while offset < size {
            let length = self.chunk_bytes(offset);
            // Once they have grown all are equal, and counted at once.
            let grown = offset >= HEAD_END && length == self.usual;
            let run = if grown { (size - offset).div_ceil(length) } else { 1 };
            chunks += run;
            offset = offset.saturating_add(run.saturating_mul(length));
        }
        chunks
    }
}

fn is_media(content_type: &str) -> bool {
    ["video/", "audio/"].iter().any(|kind| starts_with(content_type, kind))
        || is_one_of(content_type, &["application/mp4", "application/ogg", "application/mxf"])
}

/// What holds many files, and has to be read from end to end to get at one, or is.
fn is_archive(content_type: &str) -> bool {
    is_one_of(
        content_type,
        &[
            "application/gzip",
            "application/x-gzip",
            "application/x-tar",
            "application/x-gtar",
            "application/x-xz",
            "application/x-bzip2",
            "application/zstd",
            "application/x-7z-compressed",
            "application/vnd.rar",
            "application/x-iso9660-image",
        ],
    )
}

/// By the type and subtype, whose case says nothing (RFC 9110, 8.3.1).
fn is_one_of(content_type: &str, types: &[&str]) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    types.iter().any(|one| essence.eq_ignore_ascii_case(one))
}

fn starts_with(content_type: &str, kind: &str) -> bool {
    content_type.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
}

fn floor_power(n: u64) -> u64 {
    1 << n.ilog2()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
