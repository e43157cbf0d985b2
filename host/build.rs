//! Builds the components that the host runs: the store, and the store with HTTP in front.

use std::process::ExitCode;

fn main() -> ExitCode {
    let components = [("chunk-store", "store.wasm"), ("chunk-store-http", "gateway.wasm")];
    match chunk_store_build::components(&components, &["src", "adapters/http", "wit"]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}
