//! Runs the programs in `bench/`, which say what they measure; or the benchmark of `cached` on
//! Workers, which runs on Node.

use std::ffi::OsString;

use crate::Result;
use crate::build;
use crate::prepare;
use crate::step::{Step, root, target};

/// Builds and runs the one that these arguments name; it fails if a bar does.
pub fn run(arguments: &[OsString]) -> Result {
    if let Some((what, rest)) = arguments.split_first() {
        match what.to_str() {
            Some("workers") => return workers(rest),
            Some("pacing") => return pacing(rest),
            _ => {}
        }
    }
    prepare::run_for_benchmarks()?;
    // With the features of the whole workspace, as soaks have them: wasmtime is built once for both.
    Step::cargo("bench", "build --release --workspace --bin bench --bin chunk-store").run()?;
    Step::new("bench", target().join("release/bench")).args(arguments).run()
}

/// In virtual time: it needs nothing of the machine.
fn pacing(arguments: &[OsString]) -> Result {
    Step::cargo("bench", "run --release --package chunk-store-pacing --bin pacing --")
        .args(["--write", "docs"])
        .args(arguments)
        .run()
}

/// `cached` beside the algorithm that it answers, in workerd.
fn workers(arguments: &[OsString]) -> Result {
    build::run()?;
    let directory = root().join("adapters/cloudflare");
    let node = || Step::new("bench", directory.join("node_modules/.bin/node"));
    node().args([directory.join("test/cached/build.mjs")]).run()?;
    node().args([directory.join("bench/run.mjs")]).args(arguments).run()
}
