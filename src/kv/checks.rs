//! What every backend refuses in the same words: what is over its limits. Pure.

use super::{KvError, KvLimits, SetOptions};
use crate::range::Span;

/// Most keys that one listing may ask for.
const LIST_KEYS_MAX: u32 = 1000;

/// Refuses the empty key and keys over the limit.
pub fn key(key: &str, limits: &KvLimits) -> Result<(), KvError> {
    if key.is_empty() {
        return Err(KvError::Rejected("the empty key is not a key".into()));
    }
    if key.len() as u64 > u64::from(limits.key_bytes_max) {
        return Err(KvError::Rejected(format!(
            "a key of {} bytes is over the limit of {}",
            key.len(),
            limits.key_bytes_max
        )));
    }
    Ok(())
}

/// Refuses values and summaries over their limits.
///
/// An empty summary is no summary, so that it is never over the limit.
pub fn value(value: &[u8], options: &SetOptions, limits: &KvLimits) -> Result<(), KvError> {
    if value.len() as u64 > limits.value_bytes_max {
        return Err(KvError::Rejected(format!(
            "a value of {} bytes is over the limit of {}",
            value.len(),
            limits.value_bytes_max
        )));
    }
    let summary_bytes = options.summary.as_ref().map_or(0, |summary| summary.len());
    if summary_bytes as u64 > u64::from(limits.summary_bytes_max) {
        return Err(KvError::Rejected(format!(
            "a summary of {summary_bytes} bytes is over the limit of {}",
            limits.summary_bytes_max
        )));
    }
    Ok(())
}

/// Refuses a listing of no keys, or of more than a page may hold.
pub fn page(limit: u32) -> Result<usize, KvError> {
    if !(1..=LIST_KEYS_MAX).contains(&limit) {
        return Err(KvError::Rejected(format!(
            "a page of {limit} keys: ask for 1 to {LIST_KEYS_MAX}"
        )));
    }
    Ok(limit as usize)
}

/// The span of a `get` through WIT, where nothing keeps it from running backwards.
pub fn span(start: u64, end: u64) -> Result<Span, KvError> {
    if start > end {
        return Err(KvError::Rejected("the span runs backwards".into()));
    }
    Ok(Span { start, end })
}
