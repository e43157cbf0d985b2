//! `get`: an object, or part of it, to a file or standard output.

use std::io::{ErrorKind, Write};
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
        None => {
            let mut stdout = std::io::stdout().lock();
            let transfer = Transfer::new(output, &get.key, Some(reader.part().len()));
            let written = copy(&get.key, reader, &mut stdout, "standard output", &transfer).await;
            transfer.finish();
            written.map(|_| ExitCode::SUCCESS)
        }
    }
}

/// Writes to a file that appears under its name when it is whole.
async fn to_file(
    store: &ChunkStore,
    key: &str,
    reader: ObjectReader,
    path: &Path,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let shown = path.display().to_string();
    let cannot = |error: std::io::Error| Failure::local(format!("cannot write {shown}: {error}"));
    if path.is_dir() {
        return Err(Failure::local(format!("{shown} is a directory; give the name of a file")));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = temporary_beside(directory.unwrap_or(Path::new("."))).map_err(cannot)?;
    let transfer = Transfer::new(output, key, Some(reader.part().len()));
    let copied = copy(key, reader, file.as_file_mut(), &shown, &transfer).await;
    let took = transfer.finish();
    let (info, part) = copied?;
    file.persist(path).map_err(|error| cannot(error.error))?;
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

/// A temporary file on the same file system, with the permissions of a new file.
fn temporary_beside(directory: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(".chunk-store-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory)
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
