//! `kv.set` without giving the value away.
//!
//! The generated binding takes a `list<u8>` by value and frees it as soon as the
//! host has read it, so a set that may have to be repeated would need a copy of its
//! chunk: a tenth of the time of a put, and a chunk more of memory for each set
//! under way. Here the host reads the very buffer that the store keeps.
//!
//! What is written by hand is the lowering of `kv.set`'s parameters as the canonical
//! ABI lays them out for 32-bit memory (component model, `CanonicalABI.md`,
//! "Flattening" and "Storing": more than four flat parameters of an async import go
//! through memory). A change of `set` or `set-options` in `wit/kv.wit` has to be
//! followed here; every put fails if it is not.

use std::alloc::Layout;

use bytes::Bytes;
use wit_bindgen::rt::async_support::Subtask;

use super::bindings::streaming::chunk_store::kv::{Error, Outcome};
use crate::kv::{Condition, SetOptions};

#[link(wasm_import_module = "streaming:chunk-store/kv@0.1.0")]
unsafe extern "C" {
    #[link_name = "[async-lower]set"]
    fn import_set(params: *mut u8, results: *mut u8) -> u32;
}

// Where each parameter lies. Options begin with a discriminant byte.
const KEY: usize = 0;
const VALUE: usize = 8;
const TTL: usize = 16;
const TTL_SECONDS: usize = 20;
const CONDITION: usize = 24;
const CONDITION_CASE: usize = 28;
const CONDITION_VERSION: usize = 32;
const SUMMARY: usize = 40;
const SUMMARY_BYTES: usize = 44;
const DURABLE: usize = 52;
// And the result: `result<outcome, error>`.
const RESULT: usize = 56;
const RESULT_CASE: usize = 0;
const OUTCOME: usize = 8;
const ERROR_CASE: usize = 8;
const ERROR_PAYLOAD: usize = 16;
const BYTES: usize = 80;

/// Sets a value; it stays the caller's.
pub(super) async fn set(key: String, value: Bytes, options: SetOptions) -> Result<Outcome, Error> {
    Set { key, value, options }.call(()).await
}

/// The parameters, which stay ours until the host has read them: this is part of
/// the future of the call, so who leaks that leaks them too.
struct Set {
    key: String,
    value: Bytes,
    options: SetOptions,
}

#[derive(Clone, Copy)]
struct Params(*mut u8);

// SAFETY: layout, offsets and function belong together as described above; the
// parameters written point into `self`, which outlives the call.
unsafe impl Subtask for Set {
    type Params = ();
    type ParamsLower = Params;
    type Results = Result<Outcome, Error>;

    fn abi_layout(&mut self) -> Layout {
        Layout::from_size_align(BYTES, 8).expect("a small layout")
    }

    fn results_offset(&mut self) -> usize {
        RESULT
    }

    unsafe fn call_import(&mut self, params: Params, results: *mut u8) -> u32 {
        // SAFETY: the caller gives what `params_lower` wrote, and room for the result.
        unsafe { import_set(params.0, results) }
    }

    unsafe fn params_lower(&mut self, (): (), base: *mut u8) -> Params {
        let list = |at: usize, bytes: &[u8]| {
            // SAFETY: `base` has BYTES bytes, aligned to 8; offsets are within.
            unsafe {
                base.add(at).cast::<*const u8>().write(bytes.as_ptr());
                base.add(at + 4).cast::<usize>().write(bytes.len());
            }
        };
        let SetOptions { ttl_seconds, condition, summary, durable } = &self.options;
        list(KEY, self.key.as_bytes());
        list(VALUE, &self.value);
        // SAFETY: as above.
        unsafe {
            base.add(TTL).write(u8::from(ttl_seconds.is_some()));
            base.add(TTL_SECONDS).cast::<u32>().write(ttl_seconds.unwrap_or(0));
            base.add(CONDITION).write(u8::from(condition.is_some()));
            base.add(CONDITION_CASE).write(match condition {
                None | Some(Condition::Absent) => 0,
                Some(Condition::VersionIs(_)) => 1,
            });
            base.add(SUMMARY).write(u8::from(summary.is_some()));
            base.add(DURABLE).write(u8::from(*durable));
        }
        if let Some(Condition::VersionIs(version)) = condition {
            list(CONDITION_VERSION, version.as_bytes());
        }
        if let Some(summary) = summary {
            list(SUMMARY_BYTES, summary);
        }
        Params(base)
    }

    unsafe fn params_dealloc_lists(&mut self, _params: Params) {
        // They are ours, and go with `self`.
    }

    unsafe fn params_dealloc_lists_and_own(&mut self, _params: Params) {}

    unsafe fn results_lift(&mut self, result: *mut u8) -> Self::Results {
        // SAFETY: the host has written a whole `result<outcome, error>`; its strings
        // are allocations of ours (`cabi_realloc`) of exactly their length.
        unsafe {
            if result.add(RESULT_CASE).read() == 0 {
                return Ok(match result.add(OUTCOME).read() {
                    0 => Outcome::Done,
                    _ => Outcome::Stale,
                });
            }
            let payload = result.add(ERROR_PAYLOAD);
            let text = || {
                let bytes = payload.cast::<*mut u8>().read();
                let length = payload.add(4).cast::<usize>().read();
                String::from_utf8_lossy(&Vec::from_raw_parts(bytes, length, length)).into_owned()
            };
            Err(match result.add(ERROR_CASE).read() {
                0 => Error::Unavailable(text()),
                1 => Error::Throttled(payload.cast::<u64>().read()),
                _ => Error::Rejected(text()),
            })
        }
    }
}
