//! What the suites share: bytes that look random and are the same in every run, bodies
//! that behave well or badly, an HTTP client, servers, the program, components on wasmtime,
//! hosts' key-value interfaces, what a kv has to hold.

pub mod adapter;
pub mod body;
pub mod collector;
pub mod counted;
pub mod guest;
pub mod http;
pub mod needed;
pub mod npm;
pub mod process;
pub mod program;
pub mod proxy;
pub mod random;
pub mod redis;
pub mod serving;
pub mod spin;
pub mod wasi_http;
pub mod wasi_keyvalue;
pub mod workers;

use std::path::Path;
use std::process::{Child, Command};

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

/// Sends a signal (`INT`, `STOP`, ...) to a process that we started.
pub fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{signal} {pid}");
}
