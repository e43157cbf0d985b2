//! Telling the allocator to keep what it has.

/// Freed memory below this is kept for the next allocation.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 64 << 20;

/// Makes glibc keep freed buffers of chunk size for the next one, instead of giving
/// each back to the system: a page that has to be mapped and zeroed again costs more
/// than copying into it (measured: six times fewer page faults in a put of 1 GiB).
///
/// For a whole process, at its start, by its `main`; no part of a library does this
/// by itself. Elsewhere than on glibc it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` may be called at any time with these parameters; it takes
    // plain integers and only changes thresholds.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        // Buffers are made in one thread and freed in another: one pool for all.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
