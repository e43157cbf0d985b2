//! `copy`: objects go to another store, several at once; one that cannot go does not
//! keep the others.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use chunk_store::object::ObjectInfo;
use chunk_store_host::ChunkStore;
use chunk_store_host::copy::{CopyError, CopyOptions, CopyOutcome, CopyProgress, CopyReport, Side};
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::json;

use super::args::Copy;
use super::failure::Failure;
use super::output::{Output, pace};
use super::transfer::Transfer;
use super::{Opened, open};

/// The bar is brought up to date so often.
const TICK: Duration = Duration::from_millis(100);

/// Copies objects. What the first failure was is the exit code.
pub async fn run(
    copy: Copy,
    namespace: Option<&str>,
    opened: &Opened,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let from_namespace = copy.from_namespace.as_deref().or(namespace);
    let to_namespace = copy.to_namespace.as_deref().or(namespace);
    if is_one_place(&copy.from, &copy.to) && from_namespace == to_namespace {
        return Err(Failure::usage(
            "source and destination are the same store; name another one with --to, or another part of it with --to-namespace",
        ));
    }
    // The source first: where there is none, no destination is to be made.
    let from =
        open(&copy.from, from_namespace, false, output).await.map_err(|f| of(Side::Source, f))?;
    let to = match open(&copy.to, to_namespace, !copy.dry_run, output).await {
        // Nothing is made to find out what would be copied.
        Err(missing) if copy.dry_run && missing.name == "not-found" => {
            open("memory:", None, true, output).await
        }
        opened => opened,
    };
    let to = to.map_err(|failure| of(Side::Destination, failure))?;
    let stores = [("source", &from), ("destination", &to)];
    opened.get_or_init(|| stores.map(|(which, store)| (Some(which), store.clone())).into());
    let options = CopyOptions {
        prefix: copy.prefix,
        keep_existing: copy.keep_existing,
        dry_run: copy.dry_run,
    };
    Ok(copy_all(&from, &to, options, output).await)
}

async fn copy_all(
    from: &ChunkStore,
    to: &ChunkStore,
    options: CopyOptions,
    output: &Output,
) -> ExitCode {
    let transfer = Transfer::new(output, "", Some(0));
    let mut sum = Sum::new(options.dry_run, &transfer, output);
    let mut copies = from.copy_to(to, options);
    let mut tick = tokio::time::interval(TICK);
    loop {
        let report = tokio::select! {
            report = copies.next() => report,
            _ = tick.tick() => {
                let at = copies.progress();
                transfer.stands_at(name(at), at.bytes_done, at.bytes);
                continue;
            }
        };
        match report {
            Some(Ok(report)) => sum.add(report),
            Some(Err(error)) => sum.stopped(error),
            None => break,
        }
    }
    sum.finish([from, to].map(ChunkStore::guest_memory_bytes).iter().sum())
}

/// What the bar says of objects: the total grows while they are listed.
fn name(at: CopyProgress) -> String {
    let more = if at.found_all { "" } else { "+" };
    format!("{} of {}{more} objects", at.objects_done, at.objects)
}

/// Whether two URLs are known to name one place. Two names for one place that are not
/// seen through do no harm: everything is already there.
fn is_one_place(one: &str, other: &str) -> bool {
    // The database behind a socket is an option; other options are not of the place.
    let place = |url| match url {
        _ if str::starts_with(url, "redis+unix:") => url,
        _ => url.split_once('?').map_or(url, |(place, _)| place),
    };
    let [one, other] = [one, other].map(place);
    let directory = |url: &str| {
        let path = url.strip_prefix("file:")?;
        Path::new(path.strip_prefix("//").unwrap_or(path)).canonicalize().ok()
    };
    one == other || directory(one).is_some_and(|one| Some(one) == directory(other))
}

/// A failure with the side that it is of.
fn of(side: Side, failure: Failure) -> Failure {
    Failure { message: format!("{side}: {}", failure.message), ..failure }
}

/// What `--json` says of an object that was copied.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Copied<'a> {
    outcome: &'static str,
    replaced: bool,
    #[serde(flatten)]
    info: &'a ObjectInfo,
}

/// The last line of `--json`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Counts {
    copied: u64,
    would_copy: u64,
    already_there: u64,
    kept: u64,
    gone: u64,
    failed: u64,
    /// Of what was, or would be, copied.
    bytes: u64,
}

struct Sum<'a> {
    dry_run: bool,
    transfer: &'a Transfer,
    output: &'a Output,
    counts: Counts,
    /// Of the first failure.
    code: Option<ExitCode>,
}

impl<'a> Sum<'a> {
    fn new(dry_run: bool, transfer: &'a Transfer, output: &'a Output) -> Self {
        Self { dry_run, transfer, output, counts: Counts::default(), code: None }
    }

    fn add(&mut self, report: CopyReport) {
        let output = self.output;
        let key = &report.key;
        let counts = &mut self.counts;
        let (count, told) = match report.outcome {
            CopyOutcome::Copied { info, replaced } => {
                counts.bytes += info.size;
                counts.copied += 1;
                if output.json {
                    output.json(&Copied { outcome: "copied", replaced, info: &info });
                }
                return;
            }
            CopyOutcome::WouldCopy { summary, replaces } => {
                counts.bytes += summary.size;
                if !output.json {
                    let what = if replaces { "replace" } else { "new" };
                    let line = format!("{what:<7}  {key}  {}", HumanBytes(summary.size));
                    self.transfer.aside(|| output.line(&line));
                }
                let told = json!({ "key": key, "outcome": "would-copy", "replaces": replaces, "size": summary.size });
                (&mut counts.would_copy, told)
            }
            CopyOutcome::AlreadyThere(_) => {
                (&mut counts.already_there, json!({ "key": key, "outcome": "already-there" }))
            }
            CopyOutcome::Kept => (&mut counts.kept, json!({ "key": key, "outcome": "kept" })),
            CopyOutcome::Gone => (&mut counts.gone, json!({ "key": key, "outcome": "gone" })),
            CopyOutcome::Failed(CopyError { side, error }) => {
                let failure = of(side, Failure::of(key, error));
                let code = self.transfer.aside(|| output.fail(&failure));
                self.code.get_or_insert(code);
                let told = json!({ "key": key, "outcome": "failed", "error": failure.name });
                (&mut counts.failed, told)
            }
        };
        *count += 1;
        if output.json {
            output.json(&told);
        }
    }

    /// Objects that were not reported were not copied.
    fn stopped(&mut self, CopyError { side, error }: CopyError) {
        let failure = of(side, Failure::from(error));
        let message =
            format!("stopped before the last object: {}; run it again to go on", failure.message);
        let failure = Failure { message, ..failure };
        let code = self.transfer.aside(|| self.output.fail(&failure));
        self.code.get_or_insert(code);
    }

    fn finish(self, guest_memory_bytes: usize) -> ExitCode {
        let Self { counts, output, .. } = &self;
        let took = self.transfer.finish();
        if output.json {
            let mut summary = serde_json::to_value(counts).expect("plain data");
            summary["elapsed-ms"] = json!(took.as_millis() as u64);
            summary["guest-memory-bytes"] = json!(guest_memory_bytes);
            output.json(&json!({ "summary": summary }));
        }
        output.tell(&counts.tell(self.dry_run, took));
        self.code.unwrap_or(ExitCode::SUCCESS)
    }
}

impl Counts {
    /// One line for people; of what did not happen it says nothing.
    fn tell(&self, dry_run: bool, took: Duration) -> String {
        let objects = |count| match count {
            1 => "1 object".to_string(),
            count => format!("{count} objects"),
        };
        let bytes = HumanBytes(self.bytes);
        let mut line = match dry_run {
            true if self.would_copy == 0 => "would copy nothing".to_string(),
            false if self.copied == 0 => "copied nothing".to_string(),
            true => format!("would copy {}: {bytes}", objects(self.would_copy)),
            false => {
                format!("copied {}: {bytes} ({})", objects(self.copied), pace(self.bytes, took))
            }
        };
        for (count, what) in [
            (self.already_there, "already there"),
            (self.kept, "kept as they are there"),
            (self.gone, "gone meanwhile"),
            (self.failed, "failed"),
        ] {
            if count > 0 {
                line += &format!("; {count} {what}");
            }
        }
        line
    }
}
