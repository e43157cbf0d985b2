//! To a file, which appears under its name when it is whole.

use std::fs::{File, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use chunk_store::object::ObjectInfo;
use chunk_store::range::Span;
use chunk_store_host::ChunkStore;
use indicatif::HumanBytes;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::copy;
use super::partial;
use super::reading::Reading;
use crate::cli::args::Get;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, pace};
use crate::cli::transfer::Transfer;

/// What `--json` says of an object written to a file.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Fetched<'a> {
    #[serde(flatten)]
    info: &'a ObjectInfo,
    part: Span,
    /// Bytes that this command has read; an earlier one may have read the others.
    received_bytes: u64,
    elapsed_ms: u128,
    guest_memory_bytes: usize,
}

/// What was written to a file.
pub struct Written {
    /// The object.
    pub info: ObjectInfo,
    /// Which bytes of it.
    pub part: Span,
    /// How many of them were read now.
    pub received_bytes: u64,
}

/// Writes to a file. What is there and is no regular file (a device, a pipe) is written
/// to as it stands.
pub async fn write(
    store: &ChunkStore,
    get: &Get,
    path: &Path,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let shown = path.display().to_string();
    // A symbolic link goes on pointing where it does.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let there = std::fs::metadata(&path).ok();
    if there.as_ref().is_some_and(Metadata::is_dir) {
        return Err(Failure::local(format!("{shown} is a directory; give the name of a file")));
    }
    let target = Target { path: &path, there: there.as_ref(), shown: &shown };
    let reading = Reading::open(store, get).await?;
    let transfer = Transfer::new(output, &get.key, reading.bytes());
    let written = match reading.whole_object() {
        _ if there.as_ref().is_some_and(|there| !there.is_file()) => {
            as_it_stands(reading, &target, &transfer).await
        }
        Some(info) if info.size >= partial::KEPT_BYTES_MIN => {
            partial::write(store, reading, &target, get.resume, &transfer, output).await
        }
        _ => whole_or_not_at_all(reading, &target, &transfer).await,
    };
    let took = transfer.finish();
    let Written { info, part, received_bytes } = written?;
    if output.json {
        output.json(&Fetched {
            info: &info,
            part,
            received_bytes,
            elapsed_ms: took.as_millis(),
            guest_memory_bytes: store.guest_memory_bytes(),
        });
    }
    let rest = match part.len() - received_bytes {
        0 => String::new(),
        had => format!(", {} were there already", HumanBytes(had)),
    };
    output.tell(&format!(
        "wrote {shown}: {}, verified{rest} ({})",
        HumanBytes(part.len()),
        pace(received_bytes, took)
    ));
    Ok(ExitCode::SUCCESS)
}

/// The file that comes to be.
pub struct Target<'a> {
    /// Where.
    pub path: &'a Path,
    /// What it takes the place of.
    pub there: Option<&'a Metadata>,
    /// What the user calls it.
    pub shown: &'a str,
}

impl Target<'_> {
    /// The failure of something done to it.
    pub fn cannot(&self, error: std::io::Error) -> Failure {
        let shown = self.shown;
        match error.kind() {
            ErrorKind::NotFound => Failure::local(format!(
                "cannot write {shown}: there is no directory {}; make it first",
                self.directory().display()
            )),
            _ => Failure::local(format!("cannot write {shown}: {error}")),
        }
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    /// Gives a new file the permissions of the one that it replaces.
    pub fn keep_permissions(&self, file: &File) -> std::io::Result<()> {
        self.there.map_or(Ok(()), |replaced| file.set_permissions(replaced.permissions()))
    }
}

async fn as_it_stands(
    mut reading: Reading,
    target: &Target<'_>,
    transfer: &Transfer,
) -> Result<Written, Failure> {
    let opened = File::options().write(true).open(target.path);
    let mut file = opened.map_err(|error| target.cannot(error))?;
    copy(&mut reading, &mut file, target.shown, transfer).await?;
    Ok(Written::all_of(reading))
}

async fn whole_or_not_at_all(
    mut reading: Reading,
    target: &Target<'_>,
    transfer: &Transfer,
) -> Result<Written, Failure> {
    let mut file = temporary_beside(target).map_err(|error| target.cannot(error))?;
    copy(&mut reading, file.as_file_mut(), target.shown, transfer).await?;
    file.persist(target.path).map_err(|error| target.cannot(error.error))?;
    Ok(Written::all_of(reading))
}

/// A temporary file on the same file system, with the permissions of the file that
/// it replaces, or of a new one.
fn temporary_beside(target: &Target<'_>) -> std::io::Result<NamedTempFile> {
    // What is new has the permissions that the process gives new files.
    let file = tempfile::Builder::new()
        .prefix(".chunk-store-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(target.directory())?;
    target.keep_permissions(file.as_file())?;
    Ok(file)
}

impl Written {
    /// All of it was read now.
    pub fn all_of(reading: Reading) -> Self {
        let (info, part) = reading.ended();
        Self { info, part, received_bytes: part.len() }
    }
}
