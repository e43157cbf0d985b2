//! `put`: a file, or standard input, becomes an object.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::ExitCode;

use chunk_store::object::{ObjectInfo, Precondition, PutOptions};
use chunk_store_host::{Body, ChunkStore, Error};
use indicatif::HumanBytes;
use serde::Serialize;

use super::args::Put;
use super::failure::Failure;
use super::output::{Output, pace};
use super::transfer::Transfer;

/// What `--json` says: the object, and what it took to store it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stored<'a> {
    #[serde(flatten)]
    info: &'a ObjectInfo,
    elapsed_ms: u128,
    guest_memory_bytes: usize,
}

/// Stores an object.
pub async fn run(store: &ChunkStore, put: Put, output: &Output) -> Result<ExitCode, Failure> {
    let standard_input = put.file == Path::new("-");
    let key = key(&put, standard_input)?;
    let options = PutOptions {
        content_type: put.content_type.clone().or_else(|| guess_type(&put.file)),
        metadata: put.meta.clone(),
        ttl_seconds: put.ttl,
        precondition: put.if_absent.then_some(Precondition::Absent),
        chunk_bytes_max: put.chunk_max,
        inline_bytes_max: put.inline_max,
        ..PutOptions::default()
    };
    if standard_input {
        return store_body(store, &key, std::io::stdin(), options, output).await;
    }
    let (file, size) = open(&put.file)?;
    store_body(store, &key, file, PutOptions { size, ..options }, output).await
}

async fn store_body(
    store: &ChunkStore,
    key: &str,
    source: impl Read + Send + 'static,
    options: PutOptions,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let transfer = Transfer::new(output, key, options.size);
    let stored = store.put(key, Body::blocking(transfer.watch(source)), options).await;
    let took = transfer.finish();
    let info = stored.map_err(|error: Error| Failure::of(key, error))?;
    if output.json {
        output.json(&Stored {
            info: &info,
            elapsed_ms: took.as_millis(),
            guest_memory_bytes: store.guest_memory_bytes(),
        });
    }
    let chunks = match info.chunks {
        0 => "in one value".to_string(),
        1 => "in 1 chunk".to_string(),
        chunks => format!("in {chunks} chunks"),
    };
    output.tell(&format!(
        "stored {key:?}: {} {chunks} ({})\n{}",
        HumanBytes(info.size),
        pace(info.size, took),
        info.digest
    ));
    Ok(ExitCode::SUCCESS)
}

fn key(put: &Put, standard_input: bool) -> Result<String, Failure> {
    if let Some(key) = &put.key {
        return Ok(key.clone());
    }
    if standard_input {
        return Err(Failure::usage("standard input has no name: give a key, as in `put - KEY`"));
    }
    match put.file.file_name().map(|name| name.to_str()) {
        Some(Some(name)) if !name.contains(char::is_control) => Ok(name.to_string()),
        _ => Err(Failure::usage(format!(
            "{:?} has no name that can be a key: give one, as in `put FILE KEY`",
            put.file
        ))),
    }
}

fn guess_type(file: &Path) -> Option<String> {
    mime_guess::from_path(file).first_raw().map(str::to_string)
}

/// Opens a file; its size is known only of a regular one.
fn open(path: &Path) -> Result<(File, Option<u64>), Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::local(format!("there is no file {shown}")),
        _ => Failure::local(format!("cannot read {shown}: {error}")),
    };
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Failure::local(format!(
            "{shown} is a directory; store its files one by one, or as `tar c {shown} | chunk-store put - KEY`"
        )));
    }
    // Files of the kernel have size 0 and content all the same.
    let size = (metadata.is_file() && metadata.len() > 0).then_some(metadata.len());
    Ok((file, size))
}
