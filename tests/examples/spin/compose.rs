//! Composes a component with its dependencies as Spin does: an import whose name a dependency
//! has, with or without its version, is that dependency's export; nothing else is connected.

use wac_graph::types::{Package, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

/// The component and its dependencies by the names that the manifest gives them.
pub fn as_spin_does(component: &[u8], dependencies: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let (world, instance) = instantiated(&mut graph, "component", component);
    let imports: Vec<String> = graph.types()[world].imports.keys().cloned().collect();
    for (name, bytes) in dependencies {
        let import = imports.iter().find(|import| {
            *import == name || import.split_once('@').is_some_and(|(plain, _)| plain == *name)
        });
        let import = import.unwrap_or_else(|| panic!("the component does not import {name}"));
        let (_, dependency) = instantiated(&mut graph, name, bytes);
        let export = graph.alias_instance_export(dependency, import).expect("it is exported");
        // Fails where the types are not the same.
        graph.set_instantiation_argument(instance, import, export).expect("it fits");
    }
    let exports: Vec<String> = graph.types()[world].exports.keys().cloned().collect();
    for export in exports {
        let exported = graph.alias_instance_export(instance, &export).expect("it has it");
        graph.export(exported, &export).expect("once");
    }
    graph.encode(EncodeOptions::default()).expect("it is a component")
}

fn instantiated(graph: &mut CompositionGraph, name: &str, bytes: &[u8]) -> (WorldId, NodeId) {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut()).expect(name);
    let world = package.ty();
    let package = graph.register_package(package).expect("each has a name of its own");
    (world, graph.instantiate(package))
}
