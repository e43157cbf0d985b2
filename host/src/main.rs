//! The command line `chunk-store`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    chunk_store_host::keep_freed_memory();
    cli::main()
}
