//! Builds the adapters, which are composed below the components of the host's crate, and the
//! components for Workers, which have HTTP rules and store in one.

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
    let of_workers =
        ["adapters/cloudflare/Cargo.toml", "adapters/cloudflare/component", "adapters/http"];
    let small = |file, features: &[&str]| {
        let component = ("chunk-store-cloudflare", file);
        chunk_store_build::small_component(component, features, &of_workers)
    };
    let built = chunk_store_build::components(&components, &inputs)
        .and_then(|()| small("workers-web.wasm", &[]))
        .and_then(|()| small("workers.wasm", &["store"]));
    match built {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}
