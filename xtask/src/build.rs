//! The component as a file, and the program that runs it.

use crate::Result;
use crate::prepare;
use crate::step::{Step, target};

/// Builds both. The component is the one that is compiled into the program, byte for
/// byte.
pub fn run() -> Result {
    prepare::run()?;
    let file = target().join("components/store.wasm");
    Step::cargo("program", "build --release --package chunk-store-host").run()?;
    Step::cargo("component", "run --release --package chunk-store-bench --bin component --")
        .args([file.as_os_str()])
        .run()
}
