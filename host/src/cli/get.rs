//! `get`: an object, or part of it, or one that is still being written, to a file or
//! standard output.

mod file;
mod partial;
mod reading;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use chunk_store_host::ChunkStore;

use self::reading::Reading;
use super::args::Get;
use super::failure::Failure;
use super::output::Output;
use super::transfer::Transfer;

/// Reads an object.
pub async fn run(store: &ChunkStore, get: Get, output: &Output) -> Result<ExitCode, Failure> {
    match get.file() {
        Some(path) => file::write(store, &get, path, output).await,
        None if get.resume => {
            Err(Failure::usage("standard output cannot be gone on with: give -o FILE"))
        }
        None => to_standard_output(store, &get, output).await,
    }
}

async fn to_standard_output(
    store: &ChunkStore,
    get: &Get,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut reading = Reading::open(store, get).await?;
    let mut stdout = std::io::stdout().lock();
    // A bar would stand among what is read.
    let watched = if stdout.is_terminal() { &output.unwatched() } else { output };
    let transfer = Transfer::new(watched, &get.key, reading.bytes());
    let written = match stdout.is_terminal() {
        true => copy(&mut reading, &mut Text(stdout), "standard output", &transfer).await,
        false => copy(&mut reading, &mut stdout, "standard output", &transfer).await,
    };
    transfer.finish();
    written.map(|_| ExitCode::SUCCESS)
}

/// A terminal, which bytes that are no text would only confuse.
struct Text<W>(W);

impl<W: Write> Write for Text<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.contains(&0) {
            return Err(std::io::Error::other(
                "this is no text for a terminal; give -o FILE, or | a program",
            ));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

async fn copy(
    reading: &mut Reading,
    target: &mut impl Write,
    shown: &str,
    transfer: &Transfer,
) -> Result<(), Failure> {
    while let Some(piece) = reading.next().await {
        let piece = piece?;
        // Blocks this thread only: guest and backend have threads of their own, and
        // go on until the few pieces between are waiting.
        target.write_all(&piece).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::local(format!("{shown} was closed before the end")),
            _ => Failure::local(format!("cannot write {shown}: {error}")),
        })?;
        transfer.passed(piece.len());
        // The next piece may be there already, always: a signal has to be noticed too.
        tokio::task::yield_now().await;
    }
    target.flush().map_err(|error| Failure::local(format!("cannot write {shown}: {error}")))
}
