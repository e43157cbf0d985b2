//! Sweeps in the background, in an instance of their own, so that requests keep theirs.

use std::sync::Arc;
use std::time::Duration;

use chunk_store::object::{SweepOptions, SweepReport};
use tokio::time::sleep;

use super::exchange::Exchanges;
use crate::kv::Backend;
use crate::{ChunkStore, Error};

/// kv operations between two pauses.
const OPERATIONS_A_CALL: u32 = 500;

/// How long a sweep rests after each call, so that requests go first.
const PAUSE: Duration = Duration::from_millis(100);

/// Sweeps the whole store again and again, the first time after `every`. One that fails is
/// tried again the next time.
pub(super) async fn sweep_every(
    backend: Arc<dyn Backend>,
    every: Duration,
    exchanges: Arc<Exchanges>,
) {
    loop {
        sleep(every).await;
        match sweep(&backend, &exchanges).await {
            Ok(sum) => tracing::info!(
                target: "chunk_store",
                segments_examined = sum.segments_examined,
                segments_condemned = sum.segments_condemned,
                segments_deleted = sum.segments_deleted,
                objects_expired = sum.objects_expired,
                uploads_deleted = sum.uploads_deleted,
                "swept"
            ),
            Err(error) => tracing::error!(target: "chunk_store", "the sweep failed: {error}"),
        }
    }
}

async fn sweep(backend: &Arc<dyn Backend>, exchanges: &Exchanges) -> Result<SweepReport, Error> {
    let store = ChunkStore::new(backend.clone())?;
    let swept = sweep_all(&store).await;
    // Its instance ends here.
    exchanges.keep(store.metrics().await?);
    swept
}

async fn sweep_all(store: &ChunkStore) -> Result<SweepReport, Error> {
    let mut sum = SweepReport::default();
    loop {
        let options = SweepOptions {
            operations_max: Some(OPERATIONS_A_CALL),
            cursor: sum.cursor.take(),
            ..SweepOptions::default()
        };
        sum.add(store.sweep(options).await?);
        if sum.cursor.is_none() {
            return Ok(sum);
        }
        sleep(PAUSE).await;
    }
}
