//! Writes the component that the host runs to a file, and says what it imports and
//! exports.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};

/// Writes the component to a file, and prints its size, imports and exports.
#[derive(Parser)]
struct Args {
    /// Where to; directories are made as needed.
    path: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { path } = Args::parse();
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let bytes = chunk_store_host::COMPONENT;
    fs::write(&path, bytes)?;
    println!("{}: {} bytes", path.display(), bytes.len());

    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, bytes)?.component_type();
    for (name, import) in component.imports(&engine) {
        print("imports", name, &import.ty, &engine);
    }
    for (name, export) in component.exports(&engine) {
        print("exports", name, &export.ty, &engine);
    }
    Ok(())
}

fn print(direction: &str, name: &str, item: &ComponentItem, engine: &Engine) {
    println!("  {direction} {name}");
    if let ComponentItem::ComponentInstance(instance) = item {
        for (function, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                println!("    {function}");
            }
        }
    }
}
