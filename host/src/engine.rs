//! The compiled components, shared by all instances of the process.

use std::sync::OnceLock;

use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p3::bindings::{clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};

use crate::bindings::{self, metrics};
use crate::error::Error;
use crate::served;
use crate::surroundings::State;

/// A component that the host runs, by what it exports.
pub(crate) trait Guest: Sized + Send + Sync + 'static {
    /// The component, compiled and linked: once in a process.
    fn compiled() -> Result<&'static InstancePre<State>, Error>;

    /// Its exports.
    fn exports(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Self>;

    /// One of them, which every one has.
    fn metrics(&self) -> &metrics::Guest;
}

impl Guest for bindings::Store {
    fn compiled() -> Result<&'static InstancePre<State>, Error> {
        static COMPILED: OnceLock<Result<InstancePre<State>, Error>> = OnceLock::new();
        once(&COMPILED, crate::COMPONENT, |_| Ok(()))
    }

    fn exports(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Self> {
        Self::new(store, instance)
    }

    fn metrics(&self) -> &metrics::Guest {
        self.streaming_chunk_store_metrics()
    }
}

/// The component in this cell, compiled the first time. `link` adds what it imports
/// beyond `kv`, clocks and random.
pub(crate) fn once(
    cell: &'static OnceLock<Result<InstancePre<State>, Error>>,
    component: &[u8],
    link: impl FnOnce(&mut Linker<State>) -> wasmtime::Result<()>,
) -> Result<&'static InstancePre<State>, Error> {
    let compiled =
        cell.get_or_init(|| compile(component, link).map_err(|e| Error::Start(format!("{e:#}"))));
    compiled.as_ref().map_err(Clone::clone)
}

fn compile(
    component: &[u8],
    link: impl FnOnce(&mut Linker<State>) -> wasmtime::Result<()>,
) -> wasmtime::Result<InstancePre<State>> {
    let mut config = config();
    // Compiling takes a fifth of a second; where there is no place to keep the result
    // (no home directory), every process pays it.
    if let Ok(cache) = Cache::new(CacheConfig::new()) {
        config.cache(Some(cache));
    }
    linked(&Engine::new(&config)?, component, link)
}

/// What every engine needs.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config
}

/// A component, compiled and linked by this engine.
pub(crate) fn linked(
    engine: &Engine,
    component: &[u8],
    link: impl FnOnce(&mut Linker<State>) -> wasmtime::Result<()>,
) -> wasmtime::Result<InstancePre<State>> {
    let component = Component::new(engine, component)?;
    let mut linker = Linker::new(engine);
    served::add_to_linker(&mut linker)?;
    clocks::types::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    clocks::system_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    link(&mut linker)?;
    linker.instantiate_pre(&component)
}
