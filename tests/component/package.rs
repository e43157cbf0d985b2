//! The WIT package as a registry would get it: what `wkg.toml` says of it, and that it can be
//! encoded. `cargo xtask package --registry` publishes it and gets it back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chunk_store_components::file;
use serde::Deserialize;
use wasm_metadata::Payload;
use wit_parser::{PackageId, Resolve};

/// `wkg.toml`.
#[derive(Deserialize)]
struct Manifest {
    overrides: BTreeMap<String, Override>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Override {
    path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    authors: String,
    description: String,
    licenses: String,
    source: String,
    homepage: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest() -> Manifest {
    let text = std::fs::read_to_string(root().join("wkg.toml")).expect("it is there");
    basic_toml::from_str(&text).expect("it is a manifest")
}

fn resolved() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("a package");
    (resolve, package)
}

#[test]
fn all_that_it_stands_on_is_found_in_the_repository() {
    let (resolve, package) = resolved();
    let others = resolve.packages.iter().filter(|(id, _)| *id != package);
    let others: BTreeSet<String> =
        others.map(|(_, other)| format!("{}:{}", other.name.namespace, other.name.name)).collect();
    let overrides = manifest().overrides;
    assert_eq!(overrides.keys().cloned().collect::<BTreeSet<_>>(), others);
    for (name, Override { path }) in overrides {
        let text = std::fs::read_to_string(root().join(&path)).expect("it is there");
        let named = text.lines().find_map(|line| line.strip_prefix("package "));
        assert!(named.is_some_and(|named| named.starts_with(&format!("{name}@"))), "{name}");
    }
}

#[test]
fn it_says_what_it_is_as_the_components_do() {
    let component = file("store.wasm").unwrap().bytes;
    let Payload::Component { metadata, .. } = Payload::from_binary(&component).unwrap() else {
        panic!("it is no component")
    };
    let said = |what: Option<String>| what.expect("it says all");
    let Metadata { authors, description, licenses, source, homepage } = manifest().metadata;
    assert_eq!(authors, said(metadata.authors.map(|it| it.to_string())));
    assert_eq!(licenses, said(metadata.licenses.map(|it| it.to_string())));
    assert_eq!(source, said(metadata.source.map(|it| it.to_string())));
    assert_eq!(homepage, said(metadata.homepage.map(|it| it.to_string())));
    assert!(description.contains("key-value"));
}

#[test]
fn it_can_be_encoded_with_all_its_worlds() {
    let (resolve, package) = resolved();
    let name = &resolve.packages[package].name;
    assert_eq!(name.to_string(), format!("streaming:chunk-store@{}", env!("CARGO_PKG_VERSION")));
    let encoded = wit_component::encode(&resolve, package).expect("it can be encoded");
    let decoded = wit_component::decode(&encoded).expect("it can be decoded");
    let package = &decoded.resolve().packages[decoded.package()];
    let worlds: BTreeSet<&str> = package.worlds.keys().map(String::as_str).collect();
    assert_eq!(
        worlds,
        BTreeSet::from(["gateway", "kv-adapter", "store", "workers", "workers-web"])
    );
}
