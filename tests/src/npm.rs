//! Tests that run on Node: what they need is installed as their `package-lock.json` says.

use std::path::{Path, PathBuf};
use std::process::Output;

/// Sees that what a directory names is installed; gives the directory's path. It is named by its
/// way from `tests/`.
pub fn installed(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    chunk_store_build::npm::installed(&directory).unwrap_or_else(|why| panic!("{why}"));
    directory
}

/// Asserts that a file of tests for Node's own runner (`node --test`, reporter `spec`) has
/// passed; its output is shown if it has not.
#[track_caller]
pub fn assert_passed(file: &str, node: &Output) {
    let log = String::from_utf8_lossy(&node.stdout);
    let errors = String::from_utf8_lossy(&node.stderr);
    assert!(node.status.success(), "{file}:\n{log}\n{errors}");
    // A file in which nothing ran would pass too.
    let passed = log.lines().find_map(|line| line.strip_prefix("ℹ pass "));
    assert!(passed.is_some_and(|passed| passed.trim() != "0"), "{log}");
    println!("{log}");
}
