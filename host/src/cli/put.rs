//! `put`: a file, or standard input, becomes an object.

mod upload;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chunk_store::object::{ObjectInfo, Precondition, PutOptions};
use chunk_store_host::{Body, ChunkStore};
use indicatif::HumanBytes;
use serde::Serialize;

use super::args::Put;
use super::failure::Failure;
use super::output::{Output, pace};
use super::transfer::Transfer;

/// Files from this size on are stored as uploads, so that an interrupted put can be gone
/// on with; below, sending all of it again costs less than the care.
const RESUMABLE_BYTES_MIN: u64 = 64 << 20;

/// What `--json` says: the object, and what it took to store it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stored<'a> {
    #[serde(flatten)]
    info: &'a ObjectInfo,
    /// Bytes that this command has sent; an earlier one may have sent the others.
    sent_bytes: u64,
    elapsed_ms: u128,
    guest_memory_bytes: usize,
}

/// Stores an object.
pub async fn run(store: &ChunkStore, put: Put, output: &Output) -> Result<ExitCode, Failure> {
    let standard_input = put.file == Path::new("-");
    let key = key(&put, standard_input)?;
    let (source, size): (Box<dyn Read + Send>, _) = match standard_input {
        true => (Box::new(std::io::stdin()), None),
        false => open(&put.file).map(|(file, size)| (Box::new(file) as _, size))?,
    };
    let options = PutOptions {
        size: put.size.or(size),
        digest: put.digest.clone(),
        content_type: put.content_type.clone().or_else(|| guess_type(&put.file)),
        metadata: put.meta.clone(),
        ttl_seconds: put.ttl,
        precondition: put.if_absent.then_some(Precondition::Absent),
        chunk_bytes_max: put.chunk_max,
        inline_bytes_max: put.inline_max,
        deadline_seconds: put.deadline,
    };
    let began = Instant::now();
    let (info, sent_bytes) = match put.resume || put.live || is_resumable(&options) {
        true => upload::store(store, &key, source, options, put.resume, output).await?,
        false => store_body(store, &key, source, options, output).await?,
    };
    report(store, &info, sent_bytes, began.elapsed(), output);
    Ok(ExitCode::SUCCESS)
}

fn is_resumable(options: &PutOptions) -> bool {
    let one_value = u64::from(options.inline_bytes_max.unwrap_or(0));
    options.size.is_some_and(|size| size >= RESUMABLE_BYTES_MIN && size > one_value)
}

async fn store_body(
    store: &ChunkStore,
    key: &str,
    source: Box<dyn Read + Send>,
    options: PutOptions,
    output: &Output,
) -> Result<(ObjectInfo, u64), Failure> {
    let transfer = Transfer::new(output, key, options.size);
    let stored = store.put(key, Body::blocking(transfer.watch(source)), options).await;
    transfer.finish();
    let info = stored.map_err(|error| Failure::of(key, error))?;
    let size = info.size;
    Ok((info, size))
}

fn report(
    store: &ChunkStore,
    info: &ObjectInfo,
    sent_bytes: u64,
    elapsed: Duration,
    output: &Output,
) {
    if output.json {
        output.json(&Stored {
            info,
            sent_bytes,
            elapsed_ms: elapsed.as_millis(),
            guest_memory_bytes: store.guest_memory_bytes(),
        });
    }
    let chunks = match info.chunks {
        0 => "in one value".to_string(),
        1 => "in 1 chunk".to_string(),
        chunks => format!("in {chunks} chunks"),
    };
    let rest = match info.size - sent_bytes {
        0 => String::new(),
        there => format!(", {} were there already", HumanBytes(there)),
    };
    output.tell(&format!(
        "stored {:?}: {} {chunks}{rest} ({})\n{}",
        info.key,
        HumanBytes(info.size),
        pace(sent_bytes, elapsed),
        info.digest
    ));
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
