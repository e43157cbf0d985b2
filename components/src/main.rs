//! Writes the components as files and describes them, and builds the Worker, for
//! `cargo xtask build`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use chunk_store_components::{File, Interfaces, Surface, all, worker};
use clap::Parser;

/// Writes the components, and prints their sizes, imports and exports; builds the Worker for
/// Cloudflare.
#[derive(Parser)]
struct Args {
    /// Where to; directories are made as needed.
    directory: PathBuf,
}

fn main() -> ExitCode {
    let Args { directory } = Args::parse();
    match write(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("components: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &std::path::Path) -> Result<(), String> {
    let files = all()?;
    fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    for File { name, bytes } in &files {
        let path = directory.join(name);
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let surface = Surface::of(bytes)?;
        println!("{}: {} bytes", path.display(), bytes.len());
        print("imports", &surface.imports);
        print("exports", &surface.exports);
    }
    print!("{}", worker::build()?);
    Ok(())
}

fn print(direction: &str, interfaces: &Interfaces) {
    for (name, functions) in interfaces {
        let functions: Vec<&str> = functions.iter().map(String::as_str).collect();
        println!("  {direction} {name}: {}", functions.join(", "));
    }
}
