//! The Worker for Cloudflare and its library, built from their components and the TypeScript
//! around them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::file;

/// The component of the Worker, and that of the library.
const COMPONENTS: [&str; 2] = ["workers-web.wasm", "workers.wasm"];

/// Where the Worker's sources are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters/cloudflare")
}

/// The Node that runs what belongs to it: the machine's own may be too old.
pub fn node() -> PathBuf {
    directory().join("node_modules/.bin/node")
}

/// Builds it: the Worker in `dist/`, the library in `lib/`, the Workers of the tests in
/// `test/dist/`. Gives what the build says of their sizes.
pub fn build() -> Result<String, String> {
    let directory = directory();
    chunk_store_build::npm::installed(&directory)?;
    let generated = directory.join("gen");
    fs::create_dir_all(&generated).map_err(|error| format!("{}: {error}", generated.display()))?;
    for name in COMPONENTS {
        let path = generated.join(name);
        fs::write(&path, file(name)?.bytes)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let built = Command::new(node())
        .arg("build/build.mjs")
        .args(COMPONENTS.map(|name| format!("gen/{name}")))
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
