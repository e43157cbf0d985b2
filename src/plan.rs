//! The chunk plan: where an object is cut. Pure.
//!
//! The chunk at offset `o` is `min(cap(o), lowest set bit of o)` long, the first
//! one 256 KiB: 256 KiB, 256 KiB, 512 KiB, 1, 2, 4, 4, 4 ... MiB. So every chunk is
//! a whole subtree of the digest tree, the first byte comes fast, and a large
//! object takes few operations. `cap(o)` is 4 MiB, beyond 512 MiB the power of two
//! up to `o / 128`, and never more than values, memory and the caller allow. Where
//! the operations of an invocation are counted, chunks start out as large as the
//! announced size needs.

use crate::error::Error;
use crate::key::NUMBER_END;
use crate::kv::KvLimits;
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNK_BYTES_USUAL, FIRST_CHUNK_BYTES, MEMORY_PER_CHUNK,
    PUT_OPERATIONS, VALUE_BYTES_MIN,
};
use crate::manifest::paging::list_nodes_max;

/// How an object is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The first chunk, in bytes.
    first: u64,
    /// What later chunks grow to at once.
    usual: u64,
    /// What they never exceed.
    max: u64,
}

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
        let plan =
            Self { first: FIRST_CHUNK_BYTES.min(max), usual: CHUNK_BYTES_USUAL.min(max), max };
        let Some(size) = size else {
            // Where operations are counted, the most that can be said of a body
            // that may be of any size is to spend few on it.
            let usual = if limits.operations_max.is_some() { max } else { plan.usual };
            return Ok(Self { usual, ..plan });
        };
        plan.grown_to_fit(size, limits)
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
        floor_power((offset / 128).max(self.usual)).min(self.max)
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
        self.max
    }

    /// How many chunks `size` bytes make.
    pub fn chunks(&self, size: u64) -> u64 {
        let mut offset = 0;
        let mut chunks = 0;
        while offset < size {
            let length = self.chunk_bytes(offset);
            // A run of equal chunks is counted at once: it goes on to where the cap
            // doubles next.
            let run = if offset == 0 || length < self.cap(offset) {
                1
            } else if length == self.max {
                (size - offset).div_ceil(length)
            } else {
                (size.min(256 * length) - offset).div_ceil(length)
            };
            chunks += run;
            offset = offset.saturating_add(run.saturating_mul(length));
        }
        chunks
    }
}

fn floor_power(n: u64) -> u64 {
    1 << n.ilog2()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
