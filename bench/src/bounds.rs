//! The store beside what bounds it, on files in the page cache.
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

use std::error::Error;
use std::fs;
use std::path::Path;

use chunk_store::plan::Plan;
use tokio::runtime::Runtime;

use crate::place::Place;
use crate::processors::Processors;
use crate::table::{self, Bar, Row};
use crate::wasm::{DIGEST_BYTES, Guest};
use crate::{native, store, wasm};

/// Where others took more than this share of the processors, or the same computation so
/// many times its best, the machine was too busy to measure on.
const OTHERS_MAX: f64 = 0.10;
pub const SPREAD_MAX: f64 = 1.25;

/// Measures in so many rounds; gives whether the bars hold.
pub fn run(rounds: u32, place: Place) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let mut bench = Bench::new(place)?;
    let before = Processors::read();
    for round in 0..rounds {
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
    place: Place,
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
    fn new(place: Place) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
        let runtime = Runtime::new()?;
        let limits = runtime.block_on(store::limits(&place.directory.path().join("limits")))?;
        Ok(Self {
            runtime,
            plan: Plan::new(Some(place.size), &limits, None)?,
            guest: Guest::new(&wasm::build(root, &place.target)?)?,
            guest_memory_bytes: 0,
            buffer: vec![0; DIGEST_BYTES],
            place,
            store_put: Row::new("store put"),
            store_get: Row::new("store get"),
            native_put: Row::new("native put"),
            native_get: Row::new("native get"),
            wasm_blake3: Row::new("wasm BLAKE3"),
            native_blake3: Row::new("native BLAKE3"),
        })
    }

    fn directory(&self) -> &Path {
        self.place.directory.path()
    }

    fn round(&mut self, round: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
        for turn in 0..4 {
            match (round + turn) % 4 {
                0 => self.store()?,
                1 => self
                    .wasm_blake3
                    .push(self.guest.digest(&self.place.source, &self.place.digest)?),
                2 => self.native()?,
                _ => self.native_blake3()?,
            }
        }
        println!("round {} done", round + 1);
        Ok(())
    }

    fn store(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let directory = self.directory().join("store");
        let chunks = self.plan.chunks(self.place.size);
        let took = self.runtime.block_on(store::put_and_get(
            &self.place.source,
            self.place.size,
            &self.place.digest,
            chunks,
            &directory,
        ))?;
        self.store_put.push(took.put);
        self.store_get.push(took.get);
        self.guest_memory_bytes = self.guest_memory_bytes.max(took.guest_memory_bytes);
        Ok(fs::remove_dir_all(directory)?)
    }

    fn native(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let directory = self.directory().join("native");
        let (put, put_took) =
            native::put(&self.place.source, self.place.size, &self.plan, &directory)?;
        let (got, get_took) = native::get(self.place.size, &directory)?;
        if put != self.place.digest || got != self.place.digest {
            return Err("the native loop has another digest than the source".into());
        }
        self.native_put.push(put_took);
        self.native_get.push(get_took);
        Ok(fs::remove_dir_all(directory)?)
    }

    fn native_blake3(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (digest, took) = native::digest(&self.place.source, &mut self.buffer)?;
        if digest != self.place.digest {
            return Err("the source has changed meanwhile".into());
        }
        self.native_blake3.push(took);
        Ok(())
    }

    /// Prints the table and the bars; gives whether all of them hold.
    fn report(&self) -> bool {
        println!();
        table::print_head("of wasm");
        let wasm = self.wasm_blake3.rate(self.place.size);
        for row in [
            &self.store_put,
            &self.native_put,
            &self.store_get,
            &self.native_get,
            &self.wasm_blake3,
            &self.native_blake3,
        ] {
            row.print(self.place.size, wasm);
        }
        println!(
            "guest memory       {:.1} MiB at most\n",
            self.guest_memory_bytes as f64 / 1048576.0
        );
        let bar = |name, row: &Row, native: &Row, native_name| Bar {
            name,
            rate: row.rate(self.place.size),
            bounds: [native.rate(self.place.size), wasm],
            bound_names: [native_name, "wasm BLAKE3"],
        };
        let put = bar("store put", &self.store_put, &self.native_put, "native put").print();
        let get = bar("store get", &self.store_get, &self.native_get, "native get").print();
        put && get
    }
}
