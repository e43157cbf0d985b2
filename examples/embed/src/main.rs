//! `store.wasm` in a wasmtime of one's own, over a key-value store of one's own (`map`): stores a
//! file and writes it back to standard output.
//!
//! ```sh
//! cargo xtask build
//! cargo run --release --bin example-embed -- target/components/store.wasm film.mp4
//! ```

mod map;
mod output;

use std::collections::BTreeMap;

use wasmtime::component::{Component, HasSelf, Linker, ResourceTable, StreamReader};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Result, Store};
use wasmtime_wasi::WasiCtx;

use self::bindings::exports::streaming::chunk_store::objects::{GetOptions, PutOptions};
use self::bindings::streaming::chunk_store::kv;
use self::map::Host;
use self::output::Output;

#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "store" });
}

const OPTIONS: PutOptions = PutOptions {
    size: None,
    digest: None,
    content_type: None,
    metadata: Vec::new(),
    ttl_seconds: None,
    precondition: None,
    inline_bytes_max: None,
    chunk_bytes_max: None,
    deadline_seconds: None,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut paths = std::env::args().skip(1);
    let component = paths.next().context("name the component store.wasm")?;
    let file = std::fs::read(paths.next().context("name a file")?)?;

    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    kv::add_to_linker::<Host, HasSelf<Host>>(&mut linker, |host| host)?;

    let (wasi, table) = (WasiCtx::default(), ResourceTable::new());
    let mut store = Store::new(&engine, Host { wasi, table, values: BTreeMap::new() });
    let component = Component::from_file(&engine, component)?;
    let instance = bindings::Store::instantiate_async(&mut store, &component, &linker).await?;
    let objects = instance.streaming_chunk_store_objects();
    store
        .run_concurrent(async |accessor| {
            let body = accessor.with(|access| StreamReader::new(access, file))?;
            let put = objects.call_put(accessor, "film".into(), body, None, OPTIONS);
            let info = put.await??;
            eprintln!("{} bytes, {}", info.size, info.digest);

            let whole = GetOptions { range: None, precondition: None, stripe: None };
            let got = objects.call_get(accessor, "film".into(), whole);
            let (_, stream, _) = got.await??;
            let (output, written) = Output::new();
            accessor.with(|access| stream.pipe(access, output))?;
            // A stream that ends early has failed; its future would say why.
            wasmtime::ensure!(written.await? == info.size, "not all of it came back");
            Ok(())
        })
        .await?
}
