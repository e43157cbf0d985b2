//! BLAKE3 alone in wasm, built as the component is and run in the same wasmtime.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

const TARGET: &str = "wasm32-unknown-unknown";

/// The guest, with a buffer in its memory.
pub struct Guest {
    store: Store<()>,
    digest: TypedFunc<(u32, u32), u64>,
    pointer: u32,
    length: u32,
}

impl Guest {
    /// Builds the guest, starts it, and puts `buffer` into its memory.
    pub fn new(root: &Path, target: &Path, buffer: &[u8]) -> Result<Self, Box<dyn Error>> {
        let engine = Engine::default();
        let module = Module::from_file(&engine, build(root, target)?)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let alloc: TypedFunc<u32, u32> = instance.get_typed_func(&mut store, "alloc")?;
        let digest = instance.get_typed_func(&mut store, "digest")?;
        let memory: Memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        let length = u32::try_from(buffer.len())?;
        let pointer = alloc.call(&mut store, length)?;
        memory.write(&mut store, pointer as usize, buffer)?;
        let mut guest = Self { store, digest, pointer, length };
        let expected = u64::from_le_bytes(*blake3::hash(buffer).as_bytes().first_chunk().unwrap());
        if guest.call()? != expected {
            return Err("BLAKE3 in wasm gives another digest than native BLAKE3".into());
        }
        Ok(guest)
    }

    fn call(&mut self) -> Result<u64, Box<dyn Error>> {
        Ok(self.digest.call(&mut self.store, (self.pointer, self.length))?)
    }

    /// Digests the buffer again and again until `size` bytes are digested.
    pub fn digest(&mut self, size: u64) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        for _ in 0..size.div_ceil(u64::from(self.length)) {
            self.call()?;
        }
        Ok(begun.elapsed())
    }
}

/// Builds the guest with the settings that `host/build.rs` gives the component, in
/// the same directory, so that they share the compiled blake3.
fn build(root: &Path, target: &Path) -> Result<PathBuf, Box<dyn Error>> {
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
