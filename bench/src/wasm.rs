//! BLAKE3 alone in wasm, built as the component is and run in the same wasmtime.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

const TARGET: &str = "wasm32-unknown-unknown";

/// What BLAKE3 alone is given at once: more than caches hold, because no put or get
/// finds its bytes there. (The same 4 MiB over and over are digested a tenth faster.)
pub const DIGEST_BYTES: usize = 64 << 20;

/// The guest, with a buffer in its memory.
pub struct Guest {
    store: Store<()>,
    update: TypedFunc<(u32, u32), ()>,
    finish: TypedFunc<(), u64>,
    memory: Memory,
    pointer: u32,
}

impl Guest {
    /// Starts the guest that was built.
    pub fn new(built: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let engine = Engine::default();
        let module = Module::from_file(&engine, built)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let alloc: TypedFunc<u32, u32> = instance.get_typed_func(&mut store, "alloc")?;
        let update = instance.get_typed_func(&mut store, "update")?;
        let finish = instance.get_typed_func(&mut store, "finish")?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        let pointer = alloc.call(&mut store, u32::try_from(DIGEST_BYTES)?)?;
        Ok(Self { store, update, finish, memory, pointer })
    }

    /// Digests a file; reading it is not counted.
    pub fn digest(
        &mut self,
        source: &Path,
        digest: &blake3::Hash,
    ) -> Result<Duration, Box<dyn Error + Send + Sync>> {
        let mut file = File::open(source)?;
        let mut took = Duration::ZERO;
        let start = self.pointer as usize;
        loop {
            let buffer = &mut self.memory.data_mut(&mut self.store)[start..start + DIGEST_BYTES];
            let length = file.read(buffer)?;
            if length == 0 {
                break;
            }
            let begun = Instant::now();
            self.update.call(&mut self.store, (self.pointer, u32::try_from(length)?))?;
            took += begun.elapsed();
        }
        let expected = u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("32 bytes"));
        if self.finish.call(&mut self.store, ())? != expected {
            return Err("BLAKE3 in wasm gives another digest than native BLAKE3".into());
        }
        Ok(took)
    }
}

/// Builds the guest with the settings that `host/build.rs` gives the component, in
/// the same directory, so that they share the compiled blake3; gives its file.
pub fn build(root: &Path, target: &Path) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let directory = target.join("component");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["build", "--quiet", "--release", "--package", "chunk-store-bench-guest"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&directory)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .status()?;
    if !status.success() {
        return Err(format!("the guest in bench/guest does not build for {TARGET}").into());
    }
    Ok(directory.join(TARGET).join("release/chunk_store_bench_guest.wasm"))
}
