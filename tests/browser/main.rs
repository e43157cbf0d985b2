//! The page `/_/ui` in headless Chromium.
//!
//! Each test is a file of tests for Node in this directory, against a `chunk-store serve`
//! of its own on an empty store. They need Node with npm, Debian's `chromium` and `ffmpeg`:
//! `cargo xtask test` gets them. What is missing is a failure, never a pass.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use chunk_store_tests::program;
use serde_json::Value;
use tempfile::TempDir;

/// What the servers under test are told to ask for.
const TOKEN: &str = "token-of-the-browser-tests";

/// One browser at a time: two would take each other the processor, and films stutter.
static TURN: Mutex<()> = Mutex::new(());

/// This directory, with what its `package-lock.json` names installed.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let lock = fs::read(directory.join("package-lock.json")).expect("it is there");
    let installed = directory.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return directory;
    }
    let npm = Command::new("npm").arg("ci").current_dir(&directory).output();
    let npm = npm.expect("npm is there: install it, or run `cargo xtask test`, which does");
    let log = String::from_utf8_lossy(&npm.stderr);
    assert!(npm.status.success(), "npm cannot get what the tests need:\n{log}");
    fs::write(installed, lock).expect("node_modules can be written");
    directory
});

/// A `chunk-store serve` on an empty store; ends with its value.
struct Server {
    child: Child,
    url: String,
    _directory: TempDir,
}

impl Server {
    fn start() -> Self {
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = chunk_store_tests::scratch();
        let mut child = Command::new(program::build(tmp))
            .args(["--json", "--kv", "file:store?sync=none", "serve", "--listen", "127.0.0.1:0"])
            .arg("--quiet")
            .current_dir(directory.path())
            .env("CHUNK_STORE_HTTP_TOKEN", TOKEN)
            .env("XDG_CACHE_HOME", tmp.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let said: Value = serde_json::from_str(&line).expect("a line of JSON");
        let url = said["listening"].as_str().expect("an address").to_string();
        Self { child, url, _directory: directory }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a file of tests; its output is shown if one fails.
fn passes(file: &str) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let directory = &*DIRECTORY;
    let server = Server::start();
    let node = Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .current_dir(directory)
        .env("CHUNK_STORE_TEST_URL", &server.url)
        .env("CHUNK_STORE_TEST_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .output()
        .expect("node is there: install it, or run `cargo xtask test`, which does");
    let log = String::from_utf8_lossy(&node.stdout);
    let errors = String::from_utf8_lossy(&node.stderr);
    assert!(node.status.success(), "{file}:\n{log}\n{errors}");
    // A file in which nothing ran would pass too.
    let passed = log.lines().find_map(|line| line.strip_prefix("ℹ pass "));
    assert!(passed.is_some_and(|passed| passed.trim() != "0"), "{log}");
    println!("{log}");
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
