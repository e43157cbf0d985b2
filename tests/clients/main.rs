//! Programs that people use, against `chunk-store serve`: curl, ffmpeg, tus-js-client.
//!
//! `cargo xtask test` gets what they need: Debian's `curl` and `ffmpeg`, and Node with npm.
//! What is missing is a failure, never a pass.

mod curl;
mod tus;
mod video;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use chunk_store_tests::serving::Server;

/// A server on an empty store.
fn server(arguments: &[&str]) -> Server {
    Server::start(tmp(), arguments)
}

fn tmp() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A program, to be run in the server's directory.
fn program(name: &str, server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(server.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end.
fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `cargo xtask test` installs what is missing")
    })
}

/// Runs it; it has to succeed. Gives what it printed.
#[track_caller]
fn works(command: &mut Command) -> Vec<u8> {
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {errors}", output.status);
    output.stdout
}
