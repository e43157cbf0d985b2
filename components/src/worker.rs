//! The Worker for Cloudflare, built from its component and the TypeScript around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::file;

/// Where the Worker's sources are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters/cloudflare")
}

/// The Node that runs what belongs to it: the machine's own may be too old.
pub fn node() -> PathBuf {
    directory().join("node_modules/.bin/node")
}

/// Builds it: the Worker and the library in `dist/`, the Workers of the tests in
/// `test/dist/`. Gives what the build says of their sizes.
pub fn build() -> Result<String, String> {
    let directory = directory();
    chunk_store_build::npm::installed(&directory)?;
    let component = directory.join("gen/workers.wasm");
    let bytes = file("workers.wasm")?.bytes;
    let written =
        fs::create_dir_all(directory.join("gen")).and_then(|()| fs::write(&component, bytes));
    written.map_err(|error| format!("{}: {error}", component.display()))?;
    let built = Command::new(node())
        .arg("build/build.mjs")
        .arg("gen/workers.wasm")
        .current_dir(&directory)
        .output()
        .map_err(|error| format!("cannot run node: {error}"))?;
    let said = String::from_utf8_lossy(&built.stdout).into_owned();
    if built.status.success() {
        return Ok(said);
    }
    let log = String::from_utf8_lossy(&built.stderr);
    Err(format!("the Worker does not build:\n{said}{log}"))
}
