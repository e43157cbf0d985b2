//! The program `chunk-store`, for suites that run it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the program from what is there now; gives its path. `tmp` is the suite's
/// `CARGO_TARGET_TMPDIR`.
pub fn build(tmp: &Path) -> PathBuf {
    let target = tmp.parent().expect("target/tmp");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo says of the suite would be new to build scripts that look at it, and
    // all that depends on them would be built again, here and then by the next cargo.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let built = cargo
        .args(["build", "--release", "--package", "chunk-store-host", "--bin", "chunk-store"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let log = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the program does not build:\n{log}");
    target.join("release/chunk-store")
}
