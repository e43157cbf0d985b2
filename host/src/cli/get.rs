//! `get`: an object, or part of it, to a file or standard output.

use std::fs::{File, Metadata, Permissions};
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use chunk_store::object::{GetOptions, ObjectInfo};
use chunk_store::range::Span;
use chunk_store_host::{ChunkStore, ObjectReader};
use indicatif::HumanBytes;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::args::Get;
use super::failure::Failure;
use super::output::{Output, pace};
use super::transfer::Transfer;

/// What `--json` says of an object written to a file.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Fetched<'a> {
    #[serde(flatten)]
    info: &'a ObjectInfo,
    part: Span,
    elapsed_ms: u128,
    guest_memory_bytes: usize,
}

/// Reads an object.
pub async fn run(store: &ChunkStore, get: Get, output: &Output) -> Result<ExitCode, Failure> {
    let options = GetOptions { range: get.range, precondition: None };
    let reader = store.get(&get.key, options).await.map_err(|e| Failure::of(&get.key, e))?;
    match get.output.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => to_file(store, &get.key, reader, path, output).await,
        None => to_standard_output(&get.key, reader, output).await,
    }
}

async fn to_standard_output(
    key: &str,
    reader: ObjectReader,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut stdout = std::io::stdout().lock();
    // A bar would stand among what is read.
    let watched = Output { interactive: output.interactive && !stdout.is_terminal(), ..*output };
    let transfer = Transfer::new(&watched, key, Some(reader.part().len()));
    let written = match stdout.is_terminal() {
        true => copy(key, reader, &mut Text(stdout), "standard output", &transfer).await,
        false => copy(key, reader, &mut stdout, "standard output", &transfer).await,
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

/// Writes to a file that appears under its name when it is whole. What is there and
/// is no regular file (a device, a pipe) is written to as it stands.
async fn to_file(
    store: &ChunkStore,
    key: &str,
    reader: ObjectReader,
    path: &Path,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let shown = path.display().to_string();
    let cannot = |error: std::io::Error| Failure::local(format!("cannot write {shown}: {error}"));
    // A symbolic link goes on pointing where it does.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let there = std::fs::metadata(&path).ok();
    if there.as_ref().is_some_and(Metadata::is_dir) {
        return Err(Failure::local(format!("{shown} is a directory; give the name of a file")));
    }
    let transfer = Transfer::new(output, key, Some(reader.part().len()));
    let copied = if there.as_ref().is_some_and(|there| !there.is_file()) {
        let mut target = File::options().write(true).open(&path).map_err(cannot)?;
        copy(key, reader, &mut target, &shown, &transfer).await
    } else {
        let mut file = temporary_beside(&path, there.as_ref(), &shown)?;
        match copy(key, reader, file.as_file_mut(), &shown, &transfer).await {
            Ok(copied) => file.persist(&path).map(|_| copied).map_err(|error| cannot(error.error)),
            Err(failure) => Err(failure),
        }
    };
    let took = transfer.finish();
    let (info, part) = copied?;
    if output.json {
        output.json(&Fetched {
            info: &info,
            part,
            elapsed_ms: took.as_millis(),
            guest_memory_bytes: store.guest_memory_bytes(),
        });
    }
    output.tell(&format!(
        "wrote {shown}: {}, verified ({})",
        HumanBytes(part.len()),
        pace(part.len(), took)
    ));
    Ok(ExitCode::SUCCESS)
}

/// A temporary file on the same file system, with the permissions of the file that
/// it replaces, or of a new one.
fn temporary_beside(
    path: &Path,
    replaces: Option<&Metadata>,
    shown: &str,
) -> Result<NamedTempFile, Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    // What is new has the permissions that the process gives new files; what is
    // replaced keeps its own, whatever those are.
    let made = tempfile::Builder::new()
        .prefix(".chunk-store-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory);
    let kept = made.and_then(|file| match replaces {
        Some(replaced) => file.as_file().set_permissions(replaced.permissions()).map(|()| file),
        None => Ok(file),
    });
    kept.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::local(format!(
            "cannot write {shown}: there is no directory {}; make it first",
            directory.display()
        )),
        kind => Failure::local(format!("cannot write {shown}: {kind}")),
    })
}

async fn copy(
    key: &str,
    mut reader: ObjectReader,
    target: &mut impl Write,
    shown: &str,
    transfer: &Transfer,
) -> Result<(ObjectInfo, Span), Failure> {
    while let Some(piece) = reader.next().await {
        let piece = piece.map_err(|error| Failure::of(key, error))?;
        // Blocks this thread only: guest and backend have threads of their own, and
        // go on until the few pieces between are waiting.
        target.write_all(&piece).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::local(format!("{shown} was closed before the end")),
            _ => Failure::local(format!("cannot write {shown}: {error}")),
        })?;
        transfer.passed(piece.len());
    }
    target.flush().map_err(|error| Failure::local(format!("cannot write {shown}: {error}")))?;
    Ok((reader.info().clone(), reader.part()))
}
