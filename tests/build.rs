//! Builds the component of the example for Spin, which the suite `examples` runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    let components = [("chunk-store-example-spin", "example-spin.wasm")];
    match chunk_store_build::components(&components, &["examples/spin", "build", "wit"]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}
