//! `delete`: objects go, a few at a time; one that cannot go does not keep the others.

use std::process::ExitCode;

use chunk_store::error::Error as StoreError;
use chunk_store::limits::LIST_LIMIT_MAX;
use chunk_store::object::ListOptions;
use chunk_store_host::{ChunkStore, Error};
use futures::{StreamExt, stream};
use serde_json::json;

use super::args::Delete;
use super::failure::Failure;
use super::output::Output;

/// How many objects are being deleted at once.
const AT_ONCE: usize = 8;

/// Deletes objects.
pub async fn run(store: &ChunkStore, delete: Delete, output: &Output) -> Result<ExitCode, Failure> {
    let Some(prefix) = &delete.prefix else {
        return Ok(delete_all(store, &delete.keys, &delete, output).await);
    };
    let mut code = ExitCode::SUCCESS;
    let mut cursor = None;
    loop {
        let page = ListOptions {
            prefix: prefix.clone(),
            cursor,
            limit: LIST_LIMIT_MAX,
            ..ListOptions::default()
        };
        let page = store.list(page).await?;
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        let ended = delete_all(store, &keys, &delete, output).await;
        if ended != ExitCode::SUCCESS {
            code = ended;
        }
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(code),
        }
    }
}

/// Deletes these; gives the exit code of the last that could not be.
async fn delete_all(
    store: &ChunkStore,
    keys: &[String],
    delete: &Delete,
    output: &Output,
) -> ExitCode {
    let dry_run = delete.dry_run;
    let deleting = stream::iter(keys).map(|key| async move {
        let deleted = match dry_run {
            true => Ok(()),
            false => store.delete(key, None).await,
        };
        (key, deleted)
    });
    let mut deleting = std::pin::pin!(deleting.buffered(AT_ONCE));
    let mut code = ExitCode::SUCCESS;
    while let Some((key, deleted)) = deleting.next().await {
        match deleted {
            Ok(()) if output.json && dry_run => output.json(&json!({ "would-delete": key })),
            Ok(()) if output.json => output.json(&json!({ "deleted": key })),
            // The result that was asked for, and not only news of it.
            Ok(()) if dry_run => output.line(&format!("would delete {key:?}")),
            Ok(()) => output.tell(&format!("deleted {key:?}")),
            // Somebody else was quicker; it is gone, as it was to be.
            Err(Error::Store(StoreError::NotFound)) if delete.prefix.is_some() => {}
            Err(error) => code = output.fail(&Failure::of(key, error)),
        }
    }
    code
}
