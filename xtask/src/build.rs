//! The components as files, the program that runs them, and the Worker for Cloudflare.

use crate::Result;
use crate::prepare;
use crate::step::{Step, target};

/// Builds them. `store.wasm` and `gateway.wasm` are the ones that are compiled into the
/// program, but that they say what they are; the others are for hosts that have an adapter. Each
/// is checked. The Worker and its library are in `adapters/cloudflare/dist`.
pub fn run() -> Result {
    prepare::run()?;
    let directory = target().join("components");
    Step::cargo("program", "build --release --package chunk-store-host").run()?;
    Step::cargo("components", "run --release --package chunk-store-components --")
        .args([directory.as_os_str()])
        .run()
}
