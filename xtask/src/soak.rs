//! What takes too long for every run. Memory must not grow with the object: a huge put
//! through a pipe, beside a small one. And the tests that try their luck, more often.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::step::{Step, root, seconds, target};
use crate::{Result, prepare};

/// What the huge object is compared with.
const SMALL_BYTES: u64 = 300_000_000;

/// And how often.
const SMALL_RUNS: u32 = 3;

/// The most that the process may hold in memory.
const RESIDENT_BYTES_MAX: u64 = 160 << 20;

/// The most that the guest may.
const GUEST_BYTES_MAX: u64 = 32 << 20;

/// By how much the huge object may take more.
const DIFFERENCE_MAX: f64 = 0.10;

/// Builds the program, puts both objects, and compares.
pub fn run(size: u64, zeros: bool, directory: Option<PathBuf>) -> Result {
    let source = if zeros { "/dev/zero" } else { "/dev/urandom" };
    let directory = directory.unwrap_or_else(|| target().join("soak"));
    Step::cargo("program", "build --release --package chunk-store-host").run()?;
    let small = measure_small(source, &directory)?;
    let huge = measure(source, size, &directory)?;
    let mut failures = Vec::new();
    for (name, small, huge, max) in [
        ("resident memory", small.resident_bytes, huge.resident_bytes, RESIDENT_BYTES_MAX),
        ("guest memory", small.guest_bytes, huge.guest_bytes, GUEST_BYTES_MAX),
    ] {
        let difference = huge as f64 / small as f64 - 1.0;
        let below = huge < max && small < max;
        // A source slower than the store fills its buffers only where the disk stalls,
        // which a long run meets and a short one may not.
        let judged = zeros || name == "guest memory";
        let flat = difference <= DIFFERENCE_MAX;
        println!(
            "xtask: {name}: {} MiB, {:+.1} % beside {} MiB of the small object; below {} MiB: {}; flat: {}",
            mebi(huge),
            100.0 * difference,
            mebi(small),
            mebi(max),
            if below { "holds" } else { "FAILS" },
            match (judged, flat) {
                (false, _) => "not judged with a slow source (see --zeros)",
                (true, true) => "holds",
                (true, false) => "FAILS",
            },
        );
        if !below || (judged && !flat) {
            failures.push(name);
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} grew or is too much; to run it again: cargo xtask soak --size {size}{}",
        failures.join(" and "),
        if zeros { " --zeros" } else { "" }
    ))
}

/// Runs the tests that take a number of tries, with another number.
pub fn tests(seeds: Option<u64>, kills: Option<u64>, load: Option<u64>) -> Result {
    prepare::run()?;
    let runs = [
        ("simulation", "CHUNK_STORE_SEEDS", seeds, "whatever_fails"),
        ("cli", "CHUNK_STORE_KILLS", kills, "kills::"),
        ("objects", "CHUNK_STORE_LOAD_SECONDS", load, "load::"),
    ];
    for (suite, variable, number, filter) in runs {
        let Some(number) = number else { continue };
        Step::new(suite, "env")
            .args([format!("{variable}={number}")])
            .args(["cargo", "test", "--release", "--workspace", "--test", suite, "--", filter])
            .args(["--nocapture"])
            .run()?;
    }
    Ok(())
}

struct Memory {
    resident_bytes: u64,
    guest_bytes: u64,
}

/// The most that the small object took in a few runs: a peak is a matter of chance,
/// and a long run has more of it.
fn measure_small(source: &str, directory: &Path) -> Result<Memory> {
    // The first run compiles the component, which takes more memory than any put.
    measure(source, SMALL_BYTES, directory)?;
    let mut most = Memory { resident_bytes: 0, guest_bytes: 0 };
    for _ in 0..SMALL_RUNS {
        let run = measure(source, SMALL_BYTES, directory)?;
        most.resident_bytes = most.resident_bytes.max(run.resident_bytes);
        most.guest_bytes = most.guest_bytes.max(run.guest_bytes);
    }
    Ok(most)
}

fn measure(source: &str, size: u64, directory: &Path) -> Result<Memory> {
    // What an earlier run that was stopped has left.
    remove(directory)?;
    let path = std::path::absolute(directory)
        .map_err(|error| format!("{} is no directory: {error}", directory.display()))?;
    let url = format!("file:{}?sync=none", path.display());
    println!("xtask: soak: {size} bytes of {source} through a pipe into {url}");
    let begun = Instant::now();
    let (resident_bytes, json) = put(source, size, &url)?;
    println!(
        "xtask: soak: ok, {}, {:.0} MB/s",
        seconds(begun),
        size as f64 / 1e6 / begun.elapsed().as_secs_f64()
    );
    remove(directory)?;
    let guest_bytes = read_answer(&json, size)?;
    Ok(Memory { resident_bytes, guest_bytes })
}

/// Runs the program behind a pipe; gives its peak resident memory, and its answer.
fn put(source: &str, size: u64, url: &str) -> Result<(u64, Vec<u8>)> {
    let program = target().join("release/chunk-store");
    let mut head = start(
        Command::new("head").arg("-c").arg(size.to_string()).arg(source).stdout(Stdio::piped()),
    )?;
    let pipe = head.stdout.take().ok_or("head has no output")?;
    let put = start(
        Command::new(&program)
            .args(["--kv", url, "--json", "put", "-", "big"])
            .current_dir(root())
            .stdin(pipe)
            .stdout(Stdio::piped()),
    );
    let result = put.and_then(watch);
    // A program that failed leaves it with a broken pipe: that failure is told below.
    let _ = head.wait();
    let (resident_bytes, output) = result?;
    if !output.status.success() {
        return Err(format!("{} failed ({})", program.display(), output.status));
    }
    Ok((resident_bytes, output.stdout))
}

fn start(command: &mut Command) -> Result<Child> {
    command.spawn().map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))
}

/// Waits for a process; gives the most memory that it had, in bytes.
fn watch(mut child: Child) -> Result<(u64, std::process::Output)> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The mark only rises, and is gone when the process has ended.
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak = peak.max(high_water_mark(&text).unwrap_or(0));
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Ok(Some(_)) => break,
            Err(error) => return Err(format!("cannot wait for the program: {error}")),
        }
    }
    // Its answer is one line, so the pipe held it all.
    let output = child.wait_with_output().map_err(|error| format!("no answer: {error}"))?;
    if peak == 0 && output.status.success() {
        return Err(format!("{status} does not give VmHWM: run this on Linux"));
    }
    Ok((peak, output))
}

/// `VmHWM` of a `/proc/PID/status`, in bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Checks the answer of a put; gives the memory of its guest, in bytes.
fn read_answer(json: &[u8], size: u64) -> Result<u64> {
    let answer: serde_json::Value = serde_json::from_slice(json).map_err(|error| {
        format!("the answer {:?} is no JSON: {error}", String::from_utf8_lossy(json))
    })?;
    if answer["size"].as_u64() != Some(size) {
        return Err(format!("{size} bytes were put, the answer is {answer}"));
    }
    let memory = answer["guest-memory-bytes"].as_u64();
    memory.ok_or_else(|| format!("the answer has no guest-memory-bytes: {answer}"))
}

fn remove(directory: &Path) -> Result {
    // Only what a store makes, so that a directory named by mistake survives.
    for name in ["data", "tmp", "locks"] {
        let path = directory.join(name);
        if path.exists() {
            fs::remove_dir_all(&path)
                .map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn mebi(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1 << 20) as f64)
}

/// Reads `10GiB`, `300MB` or a number of bytes.
pub fn parse_size(text: &str) -> Result<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("{unit:?} is no unit; use B, KB, MB, GB, KiB, MiB or GiB")),
    };
    let number: Option<u64> = number.parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(factor)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("{text:?} is no size; give one like 10GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("10GiB"), Ok(10 << 30));
        assert_eq!(parse_size("300 MB"), Ok(300_000_000));
        assert_eq!(parse_size("7"), Ok(7));
        for wrong in ["", "0", "GiB", "1 TB", "-1", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_mark_is_found_in_a_status() {
        let status = "Name:\thead\nVmPeak:\t    5 kB\nVmHWM:\t    1900 kB\nVmRSS:\t 3 kB\n";
        assert_eq!(high_water_mark(status), Some(1900 << 10));
        assert_eq!(high_water_mark("Name:\thead\n"), None);
    }
}
