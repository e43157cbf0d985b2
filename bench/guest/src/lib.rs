//! BLAKE3 and nothing else, as a core module: what digesting costs in wasm.
#![cfg(target_family = "wasm")]

/// A buffer of `len` bytes, for the host to fill; it is never freed.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(len: usize) -> *mut u8 {
    vec![0u8; len].leak().as_mut_ptr()
}

/// The first eight bytes of the BLAKE3 of the `len` bytes at `ptr`, little endian.
///
/// # Safety
///
/// They lie in a buffer that `alloc` gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn digest(ptr: *const u8, len: usize) -> u64 {
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(ptr, len) };
    let digest = blake3::hash(bytes);
    u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}
