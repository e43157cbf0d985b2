//! The page `/_/ui` in headless Chromium.
//!
//! Each test is a file of tests for Node in this directory, against a `chunk-store serve`
//! of its own on an empty store. They need Node with npm, Debian's `chromium` and `ffmpeg`:
//! `cargo xtask test` gets them. What is missing is a failure, never a pass.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use chunk_store_tests::npm;
use chunk_store_tests::serving::Server;

/// What the servers under test are told to ask for.
const TOKEN: &str = "token-of-the-browser-tests";

/// One browser at a time: two would take each other the processor, and films stutter.
static TURN: Mutex<()> = Mutex::new(());

/// Runs a file of tests; its output is shown if one fails.
fn passes(file: &str) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let directory = npm::installed("browser");
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let server = Server::start(tmp, &["--token", TOKEN]);
    let node = Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .current_dir(directory)
        .env("CHUNK_STORE_TEST_URL", server.url())
        .env("CHUNK_STORE_TEST_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .output()
        .expect("node is there: install it, or run `cargo xtask test`, which does");
    npm::assert_passed(file, &node);
}

#[test]
fn access() {
    passes("access.test.mjs");
}

#[test]
fn uploads() {
    passes("uploads.test.mjs");
}

#[test]
fn playing() {
    passes("playing.test.mjs");
}

#[test]
fn looking() {
    passes("looking.test.mjs");
}

#[test]
fn stored_pages() {
    passes("stored-pages.test.mjs");
}
