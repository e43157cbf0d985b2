//! Builds the adapters, which are composed below the components of the host's crate, and the
//! component for Workers, which has HTTP rules and store in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    let components = [
        ("chunk-store-filesystem", "filesystem.wasm"),
        ("chunk-store-spin", "spin.wasm"),
        ("chunk-store-wasi-keyvalue", "wasi-keyvalue.wasm"),
    ];
    let adapters = ["adapters/filesystem", "adapters/spin", "adapters/wasi-keyvalue"];
    let inputs = [&adapters[..], &["src", "adapters/kv", "build", "wit"]].concat();
    // What a Worker weighs is bounded.
    let workers = [("chunk-store-cloudflare", "workers.wasm")];
    let of_workers =
        ["adapters/cloudflare/Cargo.toml", "adapters/cloudflare/component", "adapters/http"];
    let built = chunk_store_build::components(&components, &inputs)
        .and_then(|()| chunk_store_build::small_components(&workers, &of_workers));
    match built {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}
