//! Whether a component fits a world of Spin, in `tests/worlds/spin.wit`, as `wac targets` tells.

use std::path::Path;

use wac_graph::types::{ItemKind, Package, Type, Types, WorldId, validate_target};
use wit_parser::Resolve;

/// Interfaces of types and no functions: nothing has to stand behind them.
const TYPES: &str = "streaming:chunk-store/types@0.1.0";

/// What does not fit, in words.
pub fn misfits(component: &[u8], world: &str) -> Vec<String> {
    let mut types = Types::default();
    let wit = Package::from_bytes("wit", None, wit(), &mut types).expect("a package");
    let world = world_of(&types, wit.ty(), world);
    let component = Package::from_bytes("component", None, component, &mut types);
    let result = validate_target(&types, world, component.expect("a component").ty());
    match result {
        Ok(()) => Vec::new(),
        Err(report) => {
            let more = report.imports_not_in_target().filter(|name| *name != TYPES);
            let more = more.map(|name| format!("it imports {name}"));
            let less =
                report.missing_exports().map(|(name, _)| format!("it does not export {name}"));
            let other = report.mismatched_types().map(|(name, _, why)| format!("{name}: {why:#}"));
            more.chain(less).chain(other).collect()
        }
    }
}

/// The package of Spin's worlds, with all that they name, encoded.
fn wit() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut resolve = Resolve::default();
    for directory in ["wit", "adapters/spin/wit", "adapters/wasi-keyvalue/wit"] {
        resolve.push_dir(root.join(directory)).expect(directory);
    }
    let package = resolve.push_file(root.join("tests/worlds/spin.wit")).expect("worlds");
    wit_component::encode(&resolve, package).expect("they can be encoded")
}

/// A world by its name, in an encoded package.
fn world_of(types: &Types, package: WorldId, name: &str) -> WorldId {
    let found = types[package].exports.iter().find(|(exported, _)| {
        exported.rsplit('/').next().and_then(|last| last.split('@').next()) == Some(name)
    });
    let Some((_, ItemKind::Type(Type::World(wrapper)))) = found else { panic!("no world {name}") };
    match types[*wrapper].exports.values().next() {
        Some(ItemKind::Component(world)) => *world,
        other => panic!("{name} is {other:?}"),
    }
}
