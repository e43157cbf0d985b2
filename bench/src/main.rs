//! How fast the store is, beside what bounds it, on files in the page cache.
//!
//! Measured in one run and in an order that rotates from round to round, so that a
//! machine that is warm, or busy for a while, favours nobody:
//!
//! | figure | what |
//! |---|---|
//! | store put | a file through the component into chunk files |
//! | store get | back, every byte verified |
//! | native put | the same chunk files, written by a plain loop that digests |
//! | native get | the loop that reads them back and digests |
//! | wasm BLAKE3 | digesting the file's bytes in wasm, and nothing else |
//! | native BLAKE3 | the same natively, for information |
//!
//! The store digests in wasm and writes files, so it can be no faster than the slower
//! of the two alone: the bars are shares of that.

mod native;
mod processors;
mod store;
mod table;
mod wasm;

use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;
use chunk_store::plan::Plan;
use clap::Parser;
use tokio::runtime::Runtime;

use self::processors::Processors;
use self::table::{Bar, Row};
use self::wasm::Guest;

/// What BLAKE3 alone is given at once: more than caches hold, because no put or get
/// finds its bytes there. (The same 4 MiB over and over are digested a tenth faster.)
const DIGEST_BYTES: usize = 64 << 20;

/// Where others took more than this share of the processors, or the same computation so
/// many times its best, the machine was too busy to measure on.
const OTHERS_MAX: f64 = 0.10;
const SPREAD_MAX: f64 = 1.25;

/// Measures put and get beside a native loop and beside BLAKE3 alone in wasm; fails
/// if they are below 0.8 of the slower of the two.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --size 256MiB --rounds 3"
)]
struct Args {
    /// Size of the object.
    #[arg(long, default_value = "1GiB")]
    size: ByteSize,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the files go for a while, up to three times the size [default: the
    /// build's target directory].
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    // As the program `chunk-store` does.
    chunk_store_host::keep_freed_memory();
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether all bars hold.
fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let size = args.size.as_u64();
    if size < 1 << 20 {
        return Err("a size below 1 MiB measures nothing; give more".into());
    }
    let mut bench = Bench::new(args, size)?;
    println!("{}, {} rounds, files below {}", args.size, args.rounds, bench.directory().display());
    let before = Processors::read();
    for round in 0..args.rounds {
        bench.round(round)?;
    }
    let holds = bench.report();
    // Others who compute take more from the store, which uses both cores, than from a
    // loop on one; and what they slow down most decides which bar is missed.
    let others = before.zip(Processors::read()).map(|(before, after)| after.others_since(&before));
    let spread = bench.wasm_blake3.spread();
    println!(
        "Others took {} of the processors; wasm BLAKE3 took up to {spread:.2} times its best.",
        others.map_or("an unknown share".to_string(), |share| format!("{:.0} %", 100.0 * share))
    );
    if others.is_some_and(|share| share > OTHERS_MAX) || spread > SPREAD_MAX {
        println!("The machine was busy: this decides nothing, neither way; measure again.");
    }
    Ok(holds)
}

struct Bench {
    runtime: Runtime,
    directory: tempfile::TempDir,
    source: PathBuf,
    size: u64,
    digest: blake3::Hash,
    plan: Plan,
    buffer: Vec<u8>,
    guest: Guest,
    guest_memory_bytes: usize,
    store_put: Row,
    store_get: Row,
    native_put: Row,
    native_get: Row,
    wasm_blake3: Row,
    native_blake3: Row,
}

impl Bench {
    fn new(args: &Args, size: u64) -> Result<Self, Box<dyn Error>> {
        // The program lies in <target>/release.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or("the program lies nowhere")?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(args.dir.as_deref().unwrap_or(target))?;
        let source = directory.path().join("source");
        let digest = write_source(&source, size)?;
        let runtime = Runtime::new()?;
        let limits = runtime.block_on(store::limits(&directory.path().join("limits")))?;
        Ok(Self {
            runtime,
            source,
            size,
            digest,
            plan: Plan::new(Some(size), &limits, None)?,
            guest: Guest::new(root, target)?,
            guest_memory_bytes: 0,
            buffer: vec![0; DIGEST_BYTES],
            directory,
            store_put: Row::new("store put"),
            store_get: Row::new("store get"),
            native_put: Row::new("native put"),
            native_get: Row::new("native get"),
            wasm_blake3: Row::new("wasm BLAKE3"),
            native_blake3: Row::new("native BLAKE3"),
        })
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn round(&mut self, round: u32) -> Result<(), Box<dyn Error>> {
        for turn in 0..4 {
            match (round + turn) % 4 {
                0 => self.store()?,
                1 => self.wasm_blake3.push(self.guest.digest(&self.source, &self.digest)?),
                2 => self.native()?,
                _ => self.native_blake3()?,
            }
        }
        println!("round {} done", round + 1);
        Ok(())
    }

    fn store(&mut self) -> Result<(), Box<dyn Error>> {
        let directory = self.directory().join("store");
        let chunks = self.plan.chunks(self.size);
        let took = self.runtime.block_on(store::put_and_get(
            &self.source,
            self.size,
            &self.digest,
            chunks,
            &directory,
        ))?;
        self.store_put.push(took.put);
        self.store_get.push(took.get);
        self.guest_memory_bytes = self.guest_memory_bytes.max(took.guest_memory_bytes);
        Ok(fs::remove_dir_all(directory)?)
    }

    fn native(&mut self) -> Result<(), Box<dyn Error>> {
        let directory = self.directory().join("native");
        let (put, put_took) = native::put(&self.source, self.size, &self.plan, &directory)?;
        let (got, get_took) = native::get(self.size, &directory)?;
        if put != self.digest || got != self.digest {
            return Err("the native loop has another digest than the source".into());
        }
        self.native_put.push(put_took);
        self.native_get.push(get_took);
        Ok(fs::remove_dir_all(directory)?)
    }

    fn native_blake3(&mut self) -> Result<(), Box<dyn Error>> {
        let (digest, took) = native::digest(&self.source, &mut self.buffer)?;
        if digest != self.digest {
            return Err("the source has changed meanwhile".into());
        }
        self.native_blake3.push(took);
        Ok(())
    }

    /// Prints the table and the bars; gives whether all of them hold.
    fn report(&self) -> bool {
        println!();
        table::print_head("of wasm");
        let wasm = self.wasm_blake3.rate(self.size);
        for row in [
            &self.store_put,
            &self.native_put,
            &self.store_get,
            &self.native_get,
            &self.wasm_blake3,
            &self.native_blake3,
        ] {
            row.print(self.size, wasm);
        }
        println!(
            "guest memory       {:.1} MiB at most\n",
            self.guest_memory_bytes as f64 / 1048576.0
        );
        let bar = |name, row: &Row, native: &Row, native_name| Bar {
            name,
            rate: row.rate(self.size),
            bounds: [native.rate(self.size), wasm],
            bound_names: [native_name, "wasm BLAKE3"],
        };
        let put = bar("store put", &self.store_put, &self.native_put, "native put").print();
        let get = bar("store get", &self.store_get, &self.native_get, "native get").print();
        put && get
    }
}

/// Writes `size` bytes that do not compress, the same in every run; gives their digest.
fn write_source(path: &Path, size: u64) -> Result<blake3::Hash, Box<dyn Error>> {
    let mut random = blake3::Hasher::new_derive_key("chunk-store bench source").finalize_xof();
    let mut file = File::create_new(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let piece = &mut buffer[..left.min(1 << 20) as usize];
        random.fill(piece);
        hasher.update(piece);
        file.write_all(piece)?;
        left -= piece.len() as u64;
    }
    // Written back now rather than in the middle of a measurement.
    file.sync_all()?;
    Ok(hasher.finalize())
}
