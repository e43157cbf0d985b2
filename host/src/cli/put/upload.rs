//! A put that can be gone on with: an upload, from its beginning or from where an earlier
//! put was cut off.

use std::io::{self, Read};

use chunk_store::error::Error as StoreError;
use chunk_store::object::{ObjectInfo, PutOptions, UploadStatus};
use chunk_store_host::{Body, ChunkStore, Error};

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::transfer::{self, Transfer};
use crate::cli::uploads;

const ADVICE: &str = "what has arrived is kept: give --resume to go on, with the same content";

/// Stores what `source` gives; tells how many bytes had to be sent for it.
pub async fn store(
    store: &ChunkStore,
    key: &str,
    source: Box<dyn Read + Send>,
    options: PutOptions,
    resume: bool,
    output: &Output,
) -> Result<(ObjectInfo, u64), Failure> {
    let of_key = |error| Failure::of(key, error);
    let size = options.size;
    let found = match resume {
        true => uploads::newest(store, key).await.map_err(of_key)?,
        false => None,
    };
    let (name, begun) = match found {
        None => (store.begin_upload(key, options).await.map_err(of_key)?, None),
        Some(name) => {
            let status = store.upload_status(&name).await.map_err(of_key)?;
            (name, Some(status))
        }
    };
    let offset = begun.as_ref().map_or(0, |status| status.offset);
    let source = match &begun {
        Some(status) => pass_over(key, source, size, status, output).await?,
        None => source,
    };
    output.advise(Some(ADVICE.to_string()));
    let stored = if begun.is_some_and(|status| status.sealed) {
        store.commit_upload(&name).await
    } else {
        let transfer = Transfer::new(output, key, size);
        transfer.begins_at(offset);
        let body = Body::blocking(transfer.watch(source));
        let appended = store.append(&name, offset, body).await;
        transfer.finish();
        match appended {
            Ok(_) => store.commit_upload(&name).await,
            Err(error) => Err(error),
        }
    };
    output.advise(None);
    match stored {
        Ok(info) => {
            let sent_bytes = info.size - offset;
            Ok((info, sent_bytes))
        }
        Err(error) => Err(failed(store, key, &name, error).await),
    }
}

/// Reads past what an upload holds already, which has to be the same.
async fn pass_over(
    key: &str,
    mut source: Box<dyn Read + Send>,
    size: Option<u64>,
    status: &UploadStatus,
    output: &Output,
) -> Result<Box<dyn Read + Send>, Failure> {
    let differs = || {
        Failure::usage(format!(
            "{key:?}: the interrupted put was of other content; leave --resume out to store this from its beginning"
        ))
    };
    if size.zip(status.size).is_some_and(|(size, announced)| size != announced) {
        return Err(differs());
    }
    let transfer = Transfer::new(output, &format!("comparing {key}"), Some(status.offset));
    let (watched, sealed) = (transfer.clone(), status.sealed);
    let offset = status.offset;
    let read = tokio::task::spawn_blocking(move || {
        let digest = transfer::digest(&mut watched.watch((&mut source).take(offset)))?;
        let more = sealed && io::copy(&mut (&mut source).take(1), &mut io::sink())? > 0;
        io::Result::Ok((source, digest, more))
    });
    let read = read.await.map_err(io::Error::other).and_then(|read| read);
    transfer.finish();
    let (source, digest, more) =
        read.map_err(|error| Failure::local(format!("cannot read what is to be stored: {error}")))?;
    // Also where it ended before: fewer bytes have another digest.
    if more || status.digest.as_ref() != Some(&format!("blake3:{digest}")) {
        return Err(differs());
    }
    Ok(source)
}

/// An upload that can never be committed is discarded; any other can be gone on with.
async fn failed(store: &ChunkStore, key: &str, name: &str, error: Error) -> Failure {
    let hopeless = matches!(
        &error,
        Error::Store(
            StoreError::BodyMismatch(_)
                | StoreError::PreconditionFailed(_)
                | StoreError::InvalidArgument(_)
                | StoreError::LimitExceeded(_)
                | StoreError::NotFound
        )
    );
    let failure = Failure::of(key, error);
    if hopeless {
        // Sweep finds it in any case.
        let _ = store.abort_upload(name).await;
        return failure;
    }
    Failure { message: format!("{}; {ADVICE}", failure.message), ..failure }
}
