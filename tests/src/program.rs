//! The program `chunk-store`, for suites that run it. `tmp` is a suite's
//! `CARGO_TARGET_TMPDIR`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program, [apart](isolate) from the environment of the tests.
pub fn command(tmp: &Path) -> Command {
    let mut command = Command::new(path(tmp));
    isolate(&mut command, tmp);
    command
}

/// The program's path. It is built once for all tests of a suite.
pub fn path(tmp: &Path) -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built(tmp, "chunk-store"))
}

/// Takes from a command what the program would look at in the environment. The cache of
/// compiled code is the suites' own.
pub fn isolate(command: &mut Command, tmp: &Path) {
    command
        .env_remove("CHUNK_STORE_KV")
        .env_remove("CHUNK_STORE_NAMESPACE")
        .env_remove("CHUNK_STORE_HTTP_TOKEN")
        .env("XDG_CACHE_HOME", tmp.join("cache"));
}

/// Builds a program of the workspace from what is there now; gives its path.
pub fn built(tmp: &Path, name: &str) -> PathBuf {
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
    // Of the workspace, whose features the suites were built with: with fewer, libraries of
    // the same name would take the place of those that the suites were built from.
    let built = cargo
        .args(["build", "--release", "--workspace", "--bin", name])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let log = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{name} does not build:\n{log}");
    target.join("release").join(name)
}
