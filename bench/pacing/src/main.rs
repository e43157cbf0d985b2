//! The grid: every kind of source, reader and kv, and what the store reaches with it.

mod grid;
mod picture;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What the store's pacing reaches in virtual time, beside what is possible.
#[derive(Parser)]
struct Args {
    /// Writes pacing.md and pacing.svg here.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Every cell so far apart only, for a quick look.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    every: u16,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let results = match grid::run(usize::from(args.every)) {
        Ok(results) => results,
        Err(why) => {
            eprintln!("bench: {why}");
            return ExitCode::FAILURE;
        }
    };
    let report = report::of(&results);
    println!("{report}");
    if let Some(directory) = args.write {
        let page = report::page(&report);
        let picture = picture::of(&results);
        let written = std::fs::write(directory.join("pacing.md"), page)
            .and_then(|()| std::fs::write(directory.join("pacing.svg"), picture));
        if let Err(error) = written {
            eprintln!("bench: cannot write to {}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    match report::missed(&results) {
        None => ExitCode::SUCCESS,
        Some(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
