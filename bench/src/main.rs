//! How fast the store is.
//!
//! Without a name of one: [everything beside others](compare). `bench store` measures the store
//! beside [what bounds it](bounds), `bench http` [the server](http), `bench distant` a
//! [Redis that is far away](distant); `bench pacing` is a program of its own.

mod bounds;
mod compare;
mod distant;
mod http;
mod native;
mod nginx;
mod place;
mod processors;
mod store;
mod table;
mod wasm;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Parser;

use self::place::Place;

/// Measures the store beside others and beside what bounds it; fails if a bar does.
#[derive(Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --quick\n  cargo xtask bench --filter cached/\n  cargo xtask bench store --size 256MiB --rounds 3\n  cargo xtask bench http\n  cargo xtask bench distant"
)]
struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    compare: compare::Args,
}

#[derive(clap::Subcommand)]
enum What {
    /// Put and get beside a native loop and beside BLAKE3 alone in wasm: at least 0.8 of
    /// the slower of the two.
    Store(Usual),
    /// `serve`: put and get at 0.6 or more of the command line's, small requests beside
    /// nginx.
    Http(Usual),
    /// A Redis that is 20 ms away: put and get at least four times as fast as with one
    /// operation at a time.
    Distant(Usual),
    #[command(hide = true, subcommand)]
    One(compare::One),
}

#[derive(clap::Args)]
struct Usual {
    /// Size of the object [default: 1 GiB, of http and distant 300 MB].
    #[arg(long)]
    size: Option<ByteSize>,
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
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether all bars hold.
fn run(args: Args) -> Result<bool, Box<dyn Error + Send + Sync>> {
    match args.what {
        None => compare::run(&args.compare),
        Some(What::One(one)) => compare::one(one).map(|()| true),
        Some(What::Store(usual)) => bounds::run(usual.rounds, usual.place(ByteSize::gib(1))?),
        Some(What::Http(usual)) => {
            let place = usual.place(ByteSize::mb(300))?;
            let directory = place.directory.path();
            let mut bench =
                http::Bench::new(&place.source, place.size, place.digest, directory, &place.target);
            usual.rounds(|round| bench.round(round))?;
            Ok(bench.report())
        }
        Some(What::Distant(usual)) => {
            let place = usual.place(ByteSize::mb(300))?;
            let mut bench = distant::Bench::new(&place.source, place.size, place.digest);
            usual.rounds(|round| bench.round(round))?;
            Ok(bench.report())
        }
    }
}

impl Usual {
    fn place(&self, usual: ByteSize) -> Result<Place, Box<dyn Error + Send + Sync>> {
        let size = self.size.unwrap_or(usual);
        if size < ByteSize::mib(1) {
            return Err("a size below 1 MiB measures nothing; give more".into());
        }
        let place = Place::new(self.dir.as_deref(), size.as_u64())?;
        println!(
            "{size}, {} rounds, files below {}",
            self.rounds,
            place.directory.path().display()
        );
        Ok(place)
    }

    fn rounds(
        &self,
        mut round: impl FnMut(u32) -> Result<(), Box<dyn Error + Send + Sync>>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        for number in 0..self.rounds {
            round(number)?;
            println!("round {} done", number + 1);
        }
        Ok(())
    }
}
