//! The compiled component, shared by every store of the process.

use std::sync::OnceLock;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p3::bindings::{clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};

use crate::bindings::StorePre;
use crate::error::Error;
use crate::instance::State;
use crate::served;

/// What is needed to make instances.
pub(crate) struct Compiled {
    /// The engine they run in.
    pub engine: Engine,
    /// The component, linked.
    pub component: StorePre<State>,
}

/// The component, compiled and linked once.
pub(crate) fn compiled() -> Result<&'static Compiled, Error> {
    static COMPILED: OnceLock<Result<Compiled, Error>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| compile().map_err(|e| Error::Start(format!("{e:#}"))));
    compiled.as_ref().map_err(Clone::clone)
}

fn compile() -> wasmtime::Result<Compiled> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    // Compiling takes a fifth of a second; where there is no place to keep the result
    // (no home directory), every process pays it.
    if let Ok(cache) = Cache::new(CacheConfig::new()) {
        config.cache(Some(cache));
    }
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, crate::COMPONENT)?;
    let mut linker = Linker::new(&engine);
    served::add_to_linker(&mut linker)?;
    clocks::types::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    clocks::system_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    let component = StorePre::new(linker.instantiate_pre(&component)?)?;
    Ok(Compiled { engine, component })
}
