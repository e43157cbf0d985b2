//! The component as it was built asks for what its world names, and for nothing
//! else: no file system, no sockets, no environment.

mod composed;
mod hosts;
mod objects;
mod package;

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};

/// What it calls.
const IMPORTS: [&str; 4] = [
    "streaming:chunk-store/kv@0.1.0",
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:random/random@0.3.0",
];

/// Interfaces of types and no functions: nothing has to stand behind them.
const TYPES: [&str; 2] = ["streaming:chunk-store/types@0.1.0", "wasi:clocks/types@0.3.0"];

/// What it serves.
const EXPORTS: [&str; 5] = [
    "streaming:chunk-store/maintenance@0.1.0",
    "streaming:chunk-store/metrics@0.1.0",
    "streaming:chunk-store/objects@0.1.0",
    "streaming:chunk-store/sweeping@0.1.0",
    "streaming:chunk-store/uploads@0.1.0",
];

/// Interfaces by name, with the names of their functions.
type Interfaces = BTreeMap<String, BTreeSet<String>>;

/// What the component imports and exports.
fn interfaces() -> (Interfaces, Interfaces) {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, chunk_store_host::COMPONENT).unwrap().component_type();
    let functions = |name: &str, item: ComponentItem| {
        let ComponentItem::ComponentInstance(interface) = item else {
            panic!("{name} is no interface")
        };
        let exports = interface.exports(&engine);
        let functions = exports.filter(|(_, export)| is_function(&export.ty));
        (name.to_string(), functions.map(|(name, _)| name.to_string()).collect())
    };
    (
        component.imports(&engine).map(|(name, import)| functions(name, import.ty)).collect(),
        component.exports(&engine).map(|(name, export)| functions(name, export.ty)).collect(),
    )
}

/// What can be called; anything but a type counts.
fn is_function(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(String::from).into()
}

#[test]
fn imports_kv_clocks_and_random_and_nothing_else() {
    let (imports, _) = interfaces();
    let (types, called): (Interfaces, Interfaces) =
        imports.into_iter().partition(|(_, functions)| functions.is_empty());
    assert_eq!(called.into_keys().collect::<BTreeSet<_>>(), names(IMPORTS));
    let types: BTreeSet<String> = types.into_keys().collect();
    assert!(types.is_subset(&names(TYPES)), "{types:?}");
}

#[test]
fn exports_what_its_world_names_and_nothing_else() {
    let (_, exports) = interfaces();
    let exported: BTreeSet<String> =
        exports.into_iter().filter(|(_, functions)| !functions.is_empty()).map(|e| e.0).collect();
    assert_eq!(exported, names(EXPORTS));
}

#[test]
fn exports_every_function_of_its_interfaces() {
    let (_, exports) = interfaces();
    assert_eq!(exports[EXPORTS[0]], names(["verify"]));
    assert_eq!(exports[EXPORTS[1]], names(["read", "take-ended"]));
    assert_eq!(exports[EXPORTS[2]], names(["put", "get", "head", "delete", "list"]));
    assert_eq!(exports[EXPORTS[3]], names(["sweep"]));
    let uploads = names(["begin", "append", "status", "commit", "abort", "list", "follow"]);
    assert_eq!(exports[EXPORTS[4]], uploads);
}
