//! The project's tasks, each one command: `cargo xtask test`, and so on.
//!
//! CI runs what a developer runs (`.ci/run`), so what has to be done to check or build
//! the project is here and nowhere else. Only the release profile is built; what is
//! there to be tested without what makes programs faster and their build longer.

mod bench;
mod build;
mod package;
mod prepare;
mod registry;
mod soak;
mod step;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

/// Tests, builds and measures the project.
#[derive(Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask test                  all that CI checks\n  cargo xtask build                 target/components/*.wasm\n  cargo xtask bench --quick         beside peers and native loops\n  cargo xtask soak --size 2GiB      memory of a long put"
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every check and every test; CI runs this.
    Test,
    /// Builds the components as target/components/*.wasm, the CLI, and the Worker for Cloudflare.
    Build,
    /// Packs the crates for a registry, with the components inside, and checks what a registry
    /// would; publishes nothing.
    Package {
        /// Compiles each from its package, too. It takes as long as a first build.
        #[arg(long)]
        verify: bool,
        /// In place of that: publishes the WIT package and the components to a registry on this
        /// machine, fetches them, and compares. The first time compiles its client.
        #[arg(long, conflicts_with = "verify")]
        registry: bool,
    },
    /// Measures the store beside peers and native loops, and writes docs/benchmarks.md; half an
    /// hour, or five minutes with --quick. Or one thing: put and get beside what bounds them
    /// (store); the server (http); a Redis far away (distant); `cached` on Workers (workers); or,
    /// in virtual time, what pacing reaches of what is possible, for docs/pacing.md (pacing).
    Bench {
        /// Passed on: --quick, --filter NAME; or store, http, distant or pacing, --size, --rounds,
        /// --dir; see `cargo xtask bench -- --help`. Or workers, with --size BYTES, --rounds, --put-ms.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What is too long for every run: a huge object, more seeds, more kills, more load.
    ///
    /// Without --seeds, --kills and --load: puts a huge object through a pipe, and checks that
    /// memory stays flat.
    #[command(
        after_help = "Examples:\n  cargo xtask soak                  10 GiB, a few minutes\n  cargo xtask soak --size 1GiB --zeros\n  cargo xtask soak --seeds 1000000  the simulation, an hour of it\n  cargo xtask soak --kills 5000\n  cargo xtask soak --load 60"
    )]
    Soak {
        /// Size of the object: a number of bytes, or of KB, MB, GB, KiB, MiB, GiB.
        #[arg(long, default_value = "10GiB", value_parser = soak::parse_size)]
        size: u64,
        /// Zeros in place of random bytes: they come faster than the store writes, so
        /// that every buffer fills.
        #[arg(long)]
        zeros: bool,
        /// Where the stored files go for a while, as much as the size [default:
        /// target/soak].
        #[arg(long)]
        dir: Option<PathBuf>,
        /// In place of that: so many seeds of the simulation.
        #[arg(long, value_name = "N")]
        seeds: Option<u64>,
        /// In place of that: so many kills of real processes, on files and on Redis.
        #[arg(long, value_name = "N")]
        kills: Option<u64>,
        /// In place of that: so many seconds of readers and a writer beside two sweeps.
        #[arg(long, value_name = "SECONDS")]
        load: Option<u64>,
    },
}

/// How a task ended; the message is one line that says what to do.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let begun = Instant::now();
    let result = match Args::parse().task {
        Task::Test => test::run(),
        Task::Build => build::run(),
        Task::Package { registry: true, .. } => registry::run(),
        Task::Package { verify, .. } => package::run(verify),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Soak { seeds: None, kills: None, load: None, size, zeros, dir } => {
            soak::run(size, zeros, dir)
        }
        Task::Soak { seeds, kills, load, .. } => soak::tests(seeds, kills, load),
    };
    match result {
        Ok(()) => {
            println!("xtask: done in {}", step::seconds(begun));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
