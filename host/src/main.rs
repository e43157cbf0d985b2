//! The command line `chunk-store`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
