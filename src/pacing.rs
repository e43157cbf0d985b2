//! How many kv operations one object keeps under way. Pure.
//!
//! Enough to hide the latency of the platform, no more than it says are useful:
//! beyond that they only queue below. Memory bounds them further, through the
//! [budget](crate::budget).

use crate::kv::KvLimits;

/// No object keeps more operations under way, whatever the platform allows: one
/// object must not fill the queue that all share.
const DEPTH_MAX: u32 = 16;

/// How many chunks of one object are written, or read ahead, at once.
pub fn depth(limits: &KvLimits) -> usize {
    limits.concurrency_max.clamp(1, DEPTH_MAX) as usize
}
