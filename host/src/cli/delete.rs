//! `delete`: objects go, one by one; one that cannot go does not keep the others.

use std::process::ExitCode;

use chunk_store_host::ChunkStore;
use serde_json::json;

use super::failure::Failure;
use super::output::Output;

/// Deletes objects.
pub async fn run(
    store: &ChunkStore,
    keys: &[String],
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for key in keys {
        match store.delete(key, None).await {
            Ok(()) if output.json => output.json(&json!({ "deleted": key })),
            Ok(()) => output.tell(&format!("deleted {key:?}")),
            Err(error) => code = output.fail(&Failure::of(key, error)),
        }
    }
    Ok(code)
}
