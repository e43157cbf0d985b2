//! `uploads`: writes that are under way, or were interrupted.

use std::process::ExitCode;

use chunk_store::error::Error as StoreError;
use chunk_store::limits::LIST_LIMIT_MAX;
use chunk_store::object::UploadStatus;
use chunk_store_host::{ChunkStore, Error};
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use super::args::Uploads;
use super::failure::Failure;
use super::output::{Output, time};

/// What `--json` says of one.
#[derive(Serialize)]
struct Named<'a> {
    upload: &'a str,
    #[serde(flatten)]
    status: &'a UploadStatus,
}

/// Lists, describes or discards uploads.
pub async fn run(
    store: &ChunkStore,
    command: Uploads,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match command {
        Uploads::List { prefix } => {
            let mut uploads = all(store, &prefix).await?;
            uploads.sort_by(|(_, a), (_, b)| (&a.key, a.started).cmp(&(&b.key, b.started)));
            for (name, status) in &uploads {
                list_one(name, status, output);
            }
        }
        Uploads::Show { upload } => {
            let name = named(store, &upload).await?;
            let status = store.upload_status(&name).await.map_err(|e| no_upload(&upload, e))?;
            describe(&name, &status, output);
        }
        Uploads::Abort { uploads } => return abort(store, &uploads, output).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest upload under way for a key.
pub async fn newest(store: &ChunkStore, key: &str) -> Result<Option<String>, Error> {
    let uploads = all(store, key).await?.into_iter().filter(|(_, status)| status.key == key);
    Ok(uploads.max_by_key(|(_, status)| status.started).map(|(name, _)| name))
}

async fn all(store: &ChunkStore, prefix: &str) -> Result<Vec<(String, UploadStatus)>, Error> {
    let mut uploads = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.list_uploads(prefix, cursor, LIST_LIMIT_MAX).await?;
        uploads.extend(page.uploads);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(uploads);
        }
    }
}

/// The upload that is called so, or else the newest for the object that is.
async fn named(store: &ChunkStore, upload: &str) -> Result<String, Failure> {
    if chunk_store::key::named_upload(upload).is_ok() {
        return Ok(upload.to_string());
    }
    let found = newest(store, upload).await?;
    found.ok_or_else(|| no_upload(upload, Error::Store(StoreError::NotFound)))
}

fn no_upload(upload: &str, error: Error) -> Failure {
    match error {
        Error::Store(StoreError::NotFound) => Failure {
            message: format!(
                "{upload:?}: no upload of that name, and none for that key, is under way"
            ),
            ..error.into()
        },
        error => Failure::of(upload, error),
    }
}

/// One that cannot be discarded does not keep the others.
async fn abort(
    store: &ChunkStore,
    uploads: &[String],
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for upload in uploads {
        let aborted = match named(store, upload).await {
            Ok(name) => store.abort_upload(&name).await.map_err(|e| no_upload(upload, e)),
            Err(failure) => Err(failure),
        };
        match aborted {
            Ok(()) if output.json => output.json(&json!({ "aborted": upload })),
            Ok(()) => output.tell(&format!("aborted {upload:?}")),
            Err(failure) => code = output.fail(&failure),
        }
    }
    Ok(code)
}

/// How far it has come: of the announced size, if there is one.
fn reached(status: &UploadStatus) -> String {
    let offset = HumanBytes(status.offset);
    match status.size {
        Some(size) => format!("{offset} of {}", HumanBytes(size)),
        None => offset.to_string(),
    }
}

fn list_one(name: &str, status: &UploadStatus, output: &Output) {
    if output.json {
        return output.json(&Named { upload: name, status });
    }
    output.line(&format!(
        "{:>24}  {}  {}  {name}",
        reached(status),
        time(status.started),
        status.key
    ));
}

fn describe(name: &str, status: &UploadStatus, output: &Output) {
    if output.json {
        return output.json(&Named { upload: name, status });
    }
    let stands = if status.sealed { "complete, being committed" } else { "open" };
    for (what, value) in [
        ("upload", name.to_string()),
        ("key", status.key.clone()),
        ("stands", stands.to_string()),
        ("accepted", format!("{} ({} bytes)", reached(status), status.offset)),
        ("digest", status.digest.clone().unwrap_or_default()),
        ("started", time(status.started)),
        ("deadline", time(status.deadline)),
    ] {
        output.line(&format!("{what:<13}{value}"));
    }
}
