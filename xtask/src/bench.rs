//! Runs the program in `bench/`, which says what it measures.

use std::ffi::OsString;

use crate::Result;
use crate::prepare;
use crate::step::Step;

/// Builds and runs it with these arguments; it fails if a bar does.
pub fn run(arguments: &[OsString]) -> Result {
    prepare::run()?;
    Step::cargo("bench", "run --release --package chunk-store-bench --bin bench --")
        .args(arguments)
        .run()
}
