//! The components as files, the program that runs them, and the Worker for Cloudflare.

use crate::Result;
use crate::prepare;
use crate::step::{Step, target};

/// Builds them. `store.wasm` and `gateway.wasm` are the ones that are compiled into the
/// program, but that they say what they are; the others are for hosts that have an adapter. Each
/// is checked. The Worker is in `adapters/cloudflare/dist`, its library in `lib` beside that.
pub fn run() -> Result {
    prepare::run()?;
    // At once: by itself each has other features, and wasmtime would be compiled for both.
    Step::cargo("programs", "build --release --package chunk-store-host")
        .args(["--package", "chunk-store-components"])
        .run()?;
    Step::new("components", target().join("release/components"))
        .args([target().join("components")])
        .run()
}
