//! The example for Node: the component through jco, over files of its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use chunk_store_components::file;
use chunk_store_tests::random::RandomReader;
use chunk_store_tests::{npm, process, scratch};

/// What the process may hold in memory: Node takes a quarter of it before it has done anything.
const RESIDENT_BYTES_MAX: u64 = 256 << 20;

/// Where it is, built.
static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let example = npm::installed("../examples/node");
    let directory = scratch();
    let component = directory.path().join("store.wasm");
    fs::write(&component, file("store.wasm").unwrap().bytes).unwrap();
    let built = node(&example, "build.mjs").arg(component).output().expect("node runs");
    let log = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "it does not build: {log}");
    example
});

/// One of its programs, by the Node that npm has installed.
fn node(example: &Path, program: &str) -> Command {
    let mut command = Command::new(example.join("node_modules/.bin/node"));
    command.arg("--experimental-wasm-jspi").arg(example.join(program));
    command
}

/// The digest of all that is read.
fn digest_of(mut reader: impl Read) -> String {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut reader, &mut hasher).expect("it can be read");
    format!("blake3:{}", hasher.finalize())
}

#[test]
fn three_hundred_megabytes_come_back_in_little_memory() {
    let size = 300_000_000;
    let directory = scratch();
    let film = directory.path().join("film.mp4");
    io::copy(&mut RandomReader::new(41, size), &mut File::create(&film).unwrap()).unwrap();
    let digest = digest_of(File::open(&film).unwrap());

    let mut command = node(&EXAMPLE, "main.mjs");
    let command = command.arg(&film).current_dir(directory.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().expect("piped");
    let came_back = std::thread::spawn(move || digest_of(stdout));
    let resident_bytes = process::watch(&mut child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said, format!("{size} bytes, {digest}\n"));
    assert_eq!(came_back.join().unwrap(), digest);
    println!("most memory: {} MiB", resident_bytes >> 20);
    assert!(resident_bytes > 0 && resident_bytes < RESIDENT_BYTES_MAX, "{resident_bytes} bytes");
}

#[test]
fn a_source_that_fails_stores_nothing() {
    let directory = scratch();
    let mut command = node(&EXAMPLE, "main.mjs");
    let output = command.arg("film.mp4").current_dir(directory.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said.contains("body-mismatch") && said.contains("no such file"), "{said}");
    let values = fs::read_dir(directory.path().join("data/values")).unwrap();
    assert_eq!(values.count(), 0);
}
