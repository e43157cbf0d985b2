//! The examples that are programs.

use std::path::Path;
use std::process::{Command, Output};

use chunk_store_components::file;
use chunk_store_tests::{digest, program, random};

/// Runs one in a directory, and expects that it succeeds.
fn run(name: &str, directory: &Path, arguments: &[&Path]) -> Output {
    let program = program::built(Path::new(env!("CARGO_TARGET_TMPDIR")), name);
    let mut command = Command::new(program);
    program::isolate(&mut command, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let output = command.args(arguments).current_dir(directory).output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {log}");
    output
}

#[test]
fn the_library_stores_a_file_and_reads_a_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let body = random::bytes(1, 5 << 20);
    let path = directory.path().join("film.mp4");
    std::fs::write(&path, &body).unwrap();
    let output = run("example-library", directory.path(), &[&path]);
    assert_eq!(output.stdout, body[..100]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("{} bytes, {}\n", body.len(), digest(&body)));
}

#[test]
fn the_component_runs_in_a_wasmtime_over_a_map() {
    let directory = tempfile::tempdir().unwrap();
    let body = random::bytes(2, 5 << 20);
    let path = directory.path().join("film.mp4");
    std::fs::write(&path, &body).unwrap();
    let component = directory.path().join("store.wasm");
    std::fs::write(&component, file("store.wasm").unwrap().bytes).unwrap();
    let output = run("example-embed", directory.path(), &[&component, &path]);
    assert!(output.stdout == body, "{} bytes came back", output.stdout.len());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("{} bytes, {}\n", body.len(), digest(&body)));
}
