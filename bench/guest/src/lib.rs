//! BLAKE3 and nothing else, as a core module: what digesting costs in wasm.
#![cfg(target_family = "wasm")]

use std::cell::RefCell;

thread_local! {
    static HASHER: RefCell<blake3::Hasher> = RefCell::default();
}

/// A buffer of `len` bytes, for the host to fill; it is never freed.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    vec![0u8; len].leak().as_mut_ptr()
}

/// Digests the `len` bytes at `ptr` after those before them.
///
/// # Safety
///
/// They lie in a buffer that `alloc` gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn update(ptr: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(ptr, len) };
    HASHER.with_borrow_mut(|hasher| {
        hasher.update(bytes);
    });
}

/// The first eight bytes, little endian, of the BLAKE3 of all that was digested since
/// the last call.
#[unsafe(no_mangle)]
pub extern "C" fn finish() -> u64 {
    let digest = HASHER.with_borrow_mut(|hasher| std::mem::take(hasher).finalize());
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}
