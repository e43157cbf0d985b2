//! Puts an adapter below a store.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

/// The component `store`, whose `kv` is given by `adapter`. What both import is imported
/// once.
///
/// Where the two `kv` are not the same, it stays imported:
/// [`Surface::check`](crate::Surface::check) finds that.
pub fn compose(store: &[u8], adapter: &[u8]) -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let store = register(&mut graph, "store", store)?;
    let adapter = register(&mut graph, "adapter", adapter)?;
    plug(&mut graph, vec![adapter], store).map_err(|error| error.to_string())?;
    graph.encode(EncodeOptions::default()).map_err(|error| error.to_string())
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: &[u8]) -> Result<PackageId, String> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())
        .map_err(|error| format!("the {name} is no component: {error:#}"))?;
    graph.register_package(package).map_err(|error| error.to_string())
}
