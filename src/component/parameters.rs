//! Giving back what the parameters of an export came in.
//!
//! A call with more than 16 flat parameters finds them in memory that the host has had
//! allocated by `cabi_realloc` (component model, `CanonicalABI.md`, "Flattening"). The
//! generated bindings free it after a synchronous call and not after an asynchronous one
//! (wit-bindgen 0.62 and 0.63, `abi.rs`: `indirect_params && !async_`): 128 bytes for each
//! put, so that an instance came to its cap after a million of them.
//!
//! So this module allocates for the host itself, keeps the last block that may be such
//! parameters, and the exports in question free it.

use std::alloc::{Layout, dealloc};
use std::cell::Cell;

/// Parameters with a `u64` among them lie so; texts and lists of texts do not.
const ALIGN: usize = align_of::<u64>();

thread_local! {
    /// The last block of that alignment, and its length.
    static LAST: Cell<Option<(*mut u8, usize)>> = const { Cell::new(None) };
}

/// Allocates for the host; in place of wit-bindgen's, where that is linked at all. Elsewhere
/// the platform's library allocates, and nothing is freed here.
///
/// # Safety
///
/// Called by the canonical ABI only.
#[cfg(any(target_env = "p1", target_env = ""))]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_bytes: usize,
    align: usize,
    bytes: usize,
) -> *mut u8 {
    // SAFETY: the arguments are passed on.
    let block = unsafe { wit_bindgen::rt::cabi_realloc(old, old_bytes, align, bytes) };
    if old_bytes == 0 && align == ALIGN && bytes > size_of::<u64>() {
        // What lay there before must not look like the parameters of a call.
        // SAFETY: the block is longer than that, and so aligned.
        unsafe { block.cast::<u64>().write(0) };
        LAST.set(Some((block, bytes)));
    }
    block
}

/// Frees the block that the parameters came in of which `first` was the first: to be called
/// once, at the beginning of the call.
pub(super) fn free(first: &str) {
    let Some((block, bytes)) = LAST.take() else { return };
    // SAFETY: the block was allocated with this layout and is longer than a text's address and
    // length. It is that of these parameters if they begin with this text, whose memory is
    // nobody else's; and nobody reads them again once they are lifted.
    unsafe {
        let text = block.cast::<*const u8>().read();
        let length = block.add(size_of::<usize>()).cast::<usize>().read();
        if (text, length) == (first.as_ptr(), first.len()) {
            dealloc(block, Layout::from_size_align_unchecked(bytes, ALIGN));
        }
    }
}
