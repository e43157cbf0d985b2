//! How long the command line takes for next to nothing: a process for each, most of whose time
//! is its start.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chunk_store_tests::program;

use super::subject::Result;
use crate::table::median;

/// How often each is run.
const RUNS: usize = 21;

/// Of the object.
const BYTES: usize = 4096;

/// A command and its times.
pub struct Row {
    /// What was run.
    pub command: &'static str,
    /// The median, in milliseconds.
    pub median_ms: f64,
    /// The shortest.
    pub least_ms: f64,
}

/// What the bar is on.
pub const GET: &str = "chunk-store get, 4 KiB";

/// Runs the program, `rclone` for comparison, and `true` for what any process takes.
pub fn measure(binary: &Path, tmp: &Path, directory: &Path) -> Result<Vec<Row>> {
    let place = tempfile::tempdir_in(directory)?;
    let file = place.path().join("small");
    fs::write(&file, vec![7; BYTES])?;
    let own = |cache: &Path, arguments: &[&str]| {
        let mut command = Command::new(binary);
        program::isolate(&mut command, cache);
        command.args(arguments).current_dir(place.path());
        command
    };
    let put = ["--kv", "file:store", "--json", "put", "small", "object"];
    let get = ["--kv", "file:store", "get", "object"];
    let remote = format!(":chunker,remote=\"{}\",chunk_size=4Mi:", place.path().display());
    let rclone = || {
        let mut command = Command::new("rclone");
        command.args(["--config", "/dev/null", "--quiet", "cat"]).arg(format!("{remote}small"));
        command
    };
    // Leaves the object, and the compiled component in the cache.
    once(&mut own(tmp, &put))?;
    Ok(vec![
        row("true", |_| Command::new("true"))?,
        row("chunk-store --version", |_| own(tmp, &["--version"]))?,
        row(GET, |_| own(tmp, &get))?,
        row("chunk-store put, 4 KiB", |_| own(tmp, &put))?,
        // With an empty cache each time.
        row("chunk-store get, never run before", |run| {
            own(&place.path().join(format!("cache-{run}")), &get)
        })?,
        row("rclone cat, 4 KiB", |_| rclone())?,
    ])
}

fn row(command: &'static str, make: impl Fn(usize) -> Command) -> Result<Row> {
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..RUNS {
        times.push(once(&mut make(run))?);
    }
    let least_ms = times.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Row { command, median_ms: median(&times), least_ms })
}

/// Runs it; gives the milliseconds from its start to its end.
fn once(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let child = command.spawn()?;
    let output = child.wait_with_output()?;
    let took = begun.elapsed();
    match output.status.success() {
        true => Ok(took.as_secs_f64() * 1e3),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
