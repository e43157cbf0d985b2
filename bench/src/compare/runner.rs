//! Runs the measurements, each in a process of its own.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use chunk_store_tests::program;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::figure::Figure;
use super::measure::Figures;
use super::results::{Results, Row, Table};
use super::subject::Entry;
use super::{Args, disk, growth, startup, subjects};
use crate::place::write_source;
use crate::wasm::Guest;

/// What everybody has stored and read once before anything is measured: fills every buffer.
const WARM: ByteSize = ByteSize::mib(64);

/// A measurement that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// What all rounds may take where time is short: the rest of the five minutes is for growth.
const QUICK_TIME: Duration = Duration::from_secs(200);

/// How much grows, quick or not: bytes of an object, operations at once, objects in a listing.
const SIZES: [&[u64]; 2] = [
    &[10_000_000, 100_000_000, 300_000_000, 1 << 30],
    &[10_000_000, 100_000_000, 300_000_000, 1 << 30, 4 << 30, 16 << 30, 50 << 30],
];
const AT_ONCE: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LISTED: [&[u32]; 2] =
    [&[10, 100, 1_000, 10_000], &[10, 100, 1_000, 10_000, 100_000, 1_000_000]];

/// Where listings grow; on files only so far, as each object is a file.
const LISTING_KVS: [(&str, u32); 3] =
    [("memory", u32::MAX), ("redis", u32::MAX), ("files", 100_000)];

/// Everything that measurements need.
pub struct Runner<'a> {
    args: &'a Args,
    /// Removed at the end.
    directory: TempDir,
    target: PathBuf,
    program: PathBuf,
    wasm: PathBuf,
}

/// A file, with its digest.
struct Made {
    path: PathBuf,
    digest: blake3::Hash,
}

impl<'a> Runner<'a> {
    /// Builds what has to be built, and makes a place.
    pub fn new(args: &'a Args, root: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // The program lies in <target>/release.
        let this = std::env::current_exe()?;
        let target = this.ancestors().nth(2).ok_or("the program lies nowhere")?.to_path_buf();
        let tmp = target.join("tmp");
        fs::create_dir_all(&tmp)?;
        let program = program::path(&tmp).to_path_buf();
        chunk_store_build::npm::installed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tus"))?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(args.dir.as_deref().unwrap_or(&target))?;
        let wasm = crate::wasm::build(root, &target)?;
        Ok(Self { args, directory, target, program, wasm })
    }

    /// Cargo's directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Measures all that is wanted.
    pub fn run(&self) -> Result<Results, Box<dyn Error + Send + Sync>> {
        let mut results = Results::default();
        for (size, rounds, small) in self.args.sizes() {
            self.table(size, rounds, small, &mut results)?;
        }
        // What was measured before is told all the same.
        if let Err(why) = self.growth(&mut results) {
            results.failures.push(why.to_string());
        }
        if self.args.wants("startup") {
            println!("start-up");
            let tmp = self.target.join("tmp");
            results.startup = startup::measure(&self.program, &tmp, self.directory.path())?;
        }
        Ok(results)
    }

    fn made(&self, name: &str, size: ByteSize) -> Result<Made, Box<dyn Error + Send + Sync>> {
        let path = self.directory.path().join(name);
        let digest = write_source(&path, size.as_u64())?;
        Ok(Made { path, digest })
    }

    fn table(
        &self,
        size: ByteSize,
        rounds: u32,
        small: u32,
        results: &mut Results,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let fits = |entry: &&Entry| {
            let skipped = self.args.quick && !entry.group.is_quick();
            entry.bytes_max >= size.as_u64() && !skipped && self.args.wants(&entry.path())
        };
        let mut rows: Vec<Row> =
            subjects::all().filter(fits).map(|entry| Row { entry, rounds: Vec::new() }).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let source = self.made("source", size)?;
        let warm = self.made("warm", WARM.min(size))?;
        let mut wasm = Vec::new();
        let begun = Instant::now();
        for round in 0..rounds {
            // On a slow machine in fewer rounds, so that it stays quick.
            if round > 0 && self.args.quick && begun.elapsed() / round * (round + 1) > QUICK_TIME {
                break;
            }
            wasm.push(self.wasm_rate(&source, size)?);
            let count = rows.len();
            for turn in 0..count {
                // By thirds, so that neighbours change too.
                let at = (turn + round as usize * count.div_ceil(3)) % count;
                let row = &mut rows[at];
                let path = row.entry.path();
                let measured = self.subject(row.entry, [&source, &warm], small, round);
                let said = measured.as_ref().map_or_else(|why| format!("failed: {why}"), told);
                let (size, round) = (super::size(size.as_u64()), round + 1);
                println!("{size}, round {round} of {rounds}: {path}: {said}");
                match measured {
                    Ok(figures) => row.rounds.push(figures),
                    Err(why) => results.failures.push(format!("{path}: {why}")),
                }
            }
        }
        for made in [source, warm] {
            fs::remove_file(made.path)?;
        }
        results.tables.push(Table { size: size.as_u64(), rows, wasm });
        Ok(())
    }

    /// MB/s of BLAKE3 alone in wasm.
    fn wasm_rate(
        &self,
        source: &Made,
        size: ByteSize,
    ) -> Result<f64, Box<dyn Error + Send + Sync>> {
        let took = Guest::new(&self.wasm)?.digest(&source.path, &source.digest)?;
        Ok(size.as_u64() as f64 / 1e6 / took.as_secs_f64())
    }

    fn subject(
        &self,
        entry: &Entry,
        [source, warm]: [&Made; 2],
        small: u32,
        round: u32,
    ) -> Result<Figures, Box<dyn Error + Send + Sync>> {
        self.one(|one| {
            one.arg("subject").arg(entry.path());
            for made in [source, warm] {
                one.arg(&made.path).arg(made.digest.to_string());
            }
            one.arg("--small").arg(small.to_string()).arg("--seed").arg(round.to_string());
        })
    }

    fn growth(&self, results: &mut Results) -> Result<(), Box<dyn Error + Send + Sync>> {
        let long = usize::from(!self.args.quick);
        if self.args.wants("growth/size") {
            for bytes in SIZES[long] {
                println!("an object of {}", super::size(*bytes));
                results.sizes.push(self.grown(&["size", &bytes.to_string()])?);
            }
        }
        if self.args.wants("growth/at-once") {
            for operations in AT_ONCE {
                println!("{operations} operations at once");
                results.at_once.push(self.grown(&["at-once", &operations.to_string()])?);
            }
        }
        if self.args.wants("growth/listing") {
            for (kv, objects_max) in LISTING_KVS {
                for objects in LISTED[long].iter().filter(|objects| **objects <= objects_max) {
                    println!("a listing of {objects} on {kv}");
                    let listing: growth::Listing =
                        self.grown(&["listing", kv, &objects.to_string()])?;
                    results.listings.entry(kv.to_string()).or_default().push(listing);
                }
            }
        }
        Ok(())
    }

    fn grown<T: DeserializeOwned>(&self, what: &[&str]) -> Result<T, Box<dyn Error + Send + Sync>> {
        let measured = self.one(|one| {
            one.arg("growth");
            one.args(what);
        });
        measured.map_err(|why| format!("growth {}: {why}", what.join(" ")).into())
    }

    /// Starts this program for one measurement, on a place of its own; gives what it prints.
    fn one<T: DeserializeOwned>(
        &self,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<T, Box<dyn Error + Send + Sync>> {
        // Removed with the directory that it is in.
        let place = tempfile::tempdir_in(self.directory.path())?.keep();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("one");
        arguments(&mut command);
        command.env("CHUNK_STORE_BENCH_DIRECTORY", &place);
        command.env("CHUNK_STORE_BENCH_PROGRAM", &self.program);
        command.env("CHUNK_STORE_BENCH_TMP", self.target.join("tmp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // With its servers, so that they can be ended with it.
        command.process_group(0);
        let printed = finish(command.spawn()?);
        disk::empty(&place)?;
        disk::settle(self.directory.path())?;
        Ok(serde_json::from_str(&printed?)?)
    }
}

/// Waits for a process; gives its standard output.
fn finish(mut child: Child) -> Result<String, Box<dyn Error + Send + Sync>> {
    // Taken meanwhile, so that it never waits for somebody to read.
    let mut errors = child.stderr.take().ok_or("no standard error")?;
    let said = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            end_group(child.id());
            child.wait()?;
            return Err(format!("it did not end in {} s", PATIENCE.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(5));
    };
    // Servers of one that has panicked, or was killed.
    end_group(child.id());
    let said = said.join().expect("it does not panic")?;
    if !status.success() {
        return Err(format!("{status}: {}", said.trim()).into());
    }
    let mut printed = String::new();
    child.stdout.take().ok_or("no standard output")?.read_to_string(&mut printed)?;
    Ok(printed)
}

/// Kills what is left of a group of processes.
fn end_group(id: u32) {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &format!("-{id}")]).stderr(Stdio::null());
    // Mostly there is nothing left.
    let _ = kill.status();
}

/// The rates, for who watches.
fn told(figures: &Figures) -> String {
    let rates = [Figure::Put, Figure::Get].map(|figure| {
        let value = figures.get(&figure).map(|value| figure.written(*value));
        format!("{} {}", figure.title(), value.unwrap_or_default())
    });
    rates.join("; ")
}
