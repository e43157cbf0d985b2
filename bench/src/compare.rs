//! This project beside native loops and beside others, on this machine, in one run.
//!
//! A [subject](subject) is a way of keeping objects; each is [measured](measure) once in each
//! round, in a process of its own, in an order that rotates, so that a machine that is warm, or
//! busy for a while, favours nobody. Medians of the rounds go into the tables, and the
//! [bars](bars) are judged by them. [Growth](growth) and [start-up](startup) are measured
//! beside that.

mod bars;
mod disk;
mod figure;
mod growth;
mod machine;
mod measure;
mod native;
mod page;
mod results;
mod runner;
mod startup;
mod subject;
mod subjects;
mod usage;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytesize::ByteSize;
use tokio::runtime::Runtime;

use self::growth::Growth;
use self::measure::Work;
use self::subject::{Site, Source};
pub use self::usage::stat_ticks;

/// The sizes of the object.
const SIZE: ByteSize = ByteSize::mb(300);
const LARGE: ByteSize = ByteSize::gib(2);

/// How often everything is measured, and with the large object.
const ROUNDS: u32 = 5;
const QUICK_ROUNDS: u32 = 3;
const LARGE_ROUNDS: u32 = 3;

/// How many small objects.
const SMALL: u32 = 2000;

/// What is compared, and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Under five minutes: three rounds of 300 MB, little growth, no Redis on a disk. Writes to
    /// target/benchmarks in place of docs
    #[arg(long)]
    quick: bool,
    /// Only what has this in its name: GROUP/SUBJECT, growth/WHAT or startup. Writes nothing
    #[arg(long)]
    filter: Option<String>,
    /// Another size than 300 MB and 2 GiB. Writes nothing
    #[arg(long)]
    size: Option<ByteSize>,
    /// Another number of rounds than 5, or 3 of 2 GiB
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Where the files go for a while, up to five times the size [default: the build's target
    /// directory]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    /// Whether this has to be measured.
    fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// The sizes, with the rounds of each and the number of small objects.
    fn sizes(&self) -> Vec<(ByteSize, u32, u32)> {
        let rounds = |usual| self.rounds.unwrap_or(usual);
        match (self.size, self.quick) {
            (Some(size), _) => vec![(size, rounds(QUICK_ROUNDS), SMALL)],
            (None, true) => vec![(SIZE, rounds(QUICK_ROUNDS), SMALL)],
            (None, false) => vec![(SIZE, rounds(ROUNDS), SMALL), (LARGE, rounds(LARGE_ROUNDS), 0)],
        }
    }

    /// Where the page goes, if it does.
    fn written_to(&self, root: &Path, target: &Path) -> Option<PathBuf> {
        match (&self.filter, self.size, self.quick) {
            (None, None, true) => Some(target.join("benchmarks")),
            (None, None, false) => Some(root.join("docs")),
            _ => None,
        }
    }
}

/// One measurement, by a process that this program has started: prints its figures as JSON.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum One {
    /// A subject.
    Subject {
        /// GROUP/NAME.
        path: String,
        /// The object, and its digest.
        source: PathBuf,
        digest: blake3::Hash,
        /// What is stored before, and its digest.
        warm: PathBuf,
        warm_digest: blake3::Hash,
        /// How many small objects.
        #[arg(long)]
        small: u32,
        /// What offsets are drawn from.
        #[arg(long)]
        seed: u64,
        #[command(flatten)]
        site: SiteArgs,
    },
    /// What grows.
    Growth {
        #[command(flatten)]
        site: SiteArgs,
        #[command(subcommand)]
        what: Growth,
    },
}

/// See [`Site`].
#[derive(Debug, Clone, clap::Args)]
pub struct SiteArgs {
    #[arg(long, env = "CHUNK_STORE_BENCH_DIRECTORY")]
    directory: PathBuf,
    #[arg(long, env = "CHUNK_STORE_BENCH_PROGRAM")]
    program: PathBuf,
    #[arg(long, env = "CHUNK_STORE_BENCH_TMP")]
    tmp: PathBuf,
}

/// Measures one.
pub fn one(one: One) -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = Runtime::new()?;
    let json = match one {
        One::Subject { path, source, digest, warm, warm_digest, small, seed, site } => {
            let mut all = subjects::all();
            let entry = all.find(|entry| entry.path() == path).ok_or("there is no such subject")?;
            let SiteArgs { directory, program, tmp } = site;
            let site = Site { directory, program, tmp };
            let file = |path: PathBuf, digest| -> Result<Source, std::io::Error> {
                Ok(Source { size: path.metadata()?.len(), path, digest })
            };
            let (source, warm) = (file(source, digest)?, file(warm, warm_digest)?);
            let work = Work { source, warm, small, seed };
            serde_json::to_string(&runtime.block_on(measure::measure(entry, &site, &work))?)
        }
        One::Growth { site, what } => match what {
            Growth::Size { bytes } => {
                serde_json::to_string(&runtime.block_on(growth::size(bytes))?)
            }
            Growth::AtOnce { operations } => {
                let measured = runtime.block_on(growth::at_once(operations, &site.directory))?;
                serde_json::to_string(&measured)
            }
            Growth::Listing { kv, objects } => {
                let listed = growth::listing(&kv, objects, &site.directory);
                serde_json::to_string(&runtime.block_on(listed)?)
            }
        },
    };
    println!("{}", json?);
    Ok(())
}

/// Measures everything, writes it down; whether all bars hold and everything worked.
pub fn run(args: &Args) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let machine = machine::describe()?;
    println!("{machine}");
    let runner = runner::Runner::new(args, root)?;
    let results = runner.run()?;
    let bars = bars::of(&results);
    let page = page::of(&results, &bars, &machine, args.quick);
    println!("{}", page.text);
    if let Some(directory) = args.written_to(root, runner.target()) {
        page.write(&directory)?;
        println!("Written to {}.", directory.join("benchmarks.md").display());
    }
    println!("It took {:.0} s.", begun.elapsed().as_secs_f64());
    for failure in &results.failures {
        eprintln!("error: {failure}");
    }
    if results.tables.iter().any(|table| table.was_busy()) {
        println!("The machine was busy: this decides nothing, neither way; measure again.");
    }
    println!("{}", bars::line(&bars));
    Ok(results.failures.is_empty() && bars.iter().all(|bar| bar.holds))
}

/// A size as people write it.
fn size(bytes: u64) -> String {
    let decimal = bytes.is_multiple_of(1_000_000);
    let size = ByteSize::b(bytes);
    let text = if decimal { size.display().si() } else { size.display().iec() };
    text.to_string().replace(".0 ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_the_units_that_fit() {
        assert_eq!(size(300_000_000), "300 MB");
        assert_eq!(size(2 << 30), "2 GiB");
    }
}
