//! The crates as they would be published, with the components inside.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::build;
use crate::step::{Step, root, target};

/// What the host's crate carries, so that whoever installs it needs no wasm target.
const CARRIED: [&str; 2] = ["store.wasm", "gateway.wasm"];

/// Packs them and lets cargo check all that a registry would; `verify` compiles each from its
/// package, too, wasmtime included.
pub fn run(verify: bool) -> Result {
    build::run()?;
    let carried = root().join("host/prebuilt");
    let packed = carry(&carried).and_then(|()| publish(verify));
    // The host's build looks at them in a package only, but they would be old soon.
    let removed = fs::remove_dir_all(&carried);
    packed?;
    removed.map_err(|error| format!("cannot remove {}: {error}", carried.display()))
}

fn carry(directory: &Path) -> Result {
    let copied = fs::create_dir_all(directory).and_then(|()| {
        CARRIED.iter().try_for_each(|name| {
            let from = target().join("components").join(name);
            fs::copy(from, directory.join(name)).map(drop)
        })
    });
    copied.map_err(|error| format!("cannot copy components to {}: {error}", directory.display()))
}

fn publish(verify: bool) -> Result {
    // The components are not committed.
    let publish = Step::cargo("packages", "publish --dry-run --workspace --allow-dirty");
    let publish = if verify { publish } else { publish.args(["--no-verify"]) };
    publish.run()?;
    let list = "package --package chunk-store-host --list --allow-dirty";
    let listed = Step::cargo("the host's package", list).output()?;
    let missing = CARRIED.iter().find(|name| {
        let path = format!("prebuilt/{name}");
        !listed.lines().any(|line| line == path)
    });
    match missing {
        Some(name) => Err(format!("the package of chunk-store-host has no prebuilt/{name}")),
        None => Ok(()),
    }
}
