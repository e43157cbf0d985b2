//! `sweep`: gives back the space of what no object needs any more.

use std::process::ExitCode;

use chunk_store::object::{SweepOptions, SweepReport};
use chunk_store_host::ChunkStore;
use indicatif::ProgressBar;

use super::args::Sweep;
use super::failure::Failure;
use super::output::Output;

/// kv operations between two looks at how far it has come.
const OPERATIONS_A_CALL: u32 = 2000;

/// Sweeps the whole store, a part at a time.
pub async fn run(store: &ChunkStore, sweep: &Sweep, output: &Output) -> Result<ExitCode, Failure> {
    // Drawn on a terminal only.
    let progress = if output.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let mut sum = SweepReport::default();
    loop {
        let options = SweepOptions {
            grace_seconds: sweep.grace,
            no_writers: sweep.no_writers,
            operations_max: Some(OPERATIONS_A_CALL),
            cursor: sum.cursor.take(),
            dry_run: sweep.dry_run,
        };
        sum.add(store.sweep(options).await?);
        if sum.cursor.is_none() {
            break;
        }
        progress.set_message(described(&sum, sweep.dry_run));
        progress.tick();
    }
    progress.finish_and_clear();
    if output.json {
        output.json(&sum);
    } else {
        output.line(&described(&sum, sweep.dry_run));
    }
    Ok(ExitCode::SUCCESS)
}

fn described(sum: &SweepReport, dry_run: bool) -> String {
    let would = if dry_run { "would be " } else { "" };
    format!(
        "{} examined: {} {would}deleted, {} {would}condemned; {} {would}deleted, {} {would}dropped",
        counted(sum.segments_examined, "segment"),
        sum.segments_deleted,
        sum.segments_condemned,
        counted(sum.objects_expired, "expired object"),
        counted(sum.uploads_deleted, "upload"),
    )
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
