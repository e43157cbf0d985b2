//! What the suites share: bytes that look random and are the same in every run, and
//! bodies that behave well or badly.

pub mod body;
pub mod random;
pub mod redis;

use std::path::Path;

use tempfile::TempDir;

/// An empty directory on the disk that the build uses: it takes gigabytes, where the
/// system's temporary directory may lie in memory.
pub fn scratch() -> TempDir {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
    // Cargo makes it for integration tests; this is for a target directory elsewhere.
    std::fs::create_dir_all(&parent).expect("the target directory can be written");
    tempfile::tempdir_in(parent).expect("the target directory can be written")
}

/// The digest as the store writes it: `blake3:` and hex.
pub fn digest(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes))
}
