//! What `examples/spin/spin.toml` says of the app's component.

use std::collections::BTreeMap;

use serde::Deserialize;

const TEXT: &str = include_str!("../../../examples/spin/spin.toml");

/// Of the one component that the trigger names.
pub struct Manifest {
    /// Names of dependencies, and their files.
    pub dependencies: Vec<(String, String)>,
    /// What all dependencies together inherit.
    pub inherited: Vec<String>,
    /// The stores that it may open.
    pub key_value_stores: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    spin_manifest_version: u32,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
struct Component {
    key_value_stores: Vec<String>,
    dependencies: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    path: String,
    inherit_configuration: Vec<String>,
}

impl Manifest {
    /// That of the example.
    pub fn read() -> Self {
        let document: Document = basic_toml::from_str(TEXT).expect("it is a manifest");
        assert_eq!(document.spin_manifest_version, 2);
        let [Trigger { route, component }] = &document.trigger.http[..] else {
            panic!("one trigger")
        };
        assert_eq!(route, "/...");
        let component = &document.component[component];
        let dependencies = component.dependencies.iter();
        let inherited =
            dependencies.clone().flat_map(|(_, dependency)| &dependency.inherit_configuration);
        Self {
            inherited: inherited.cloned().collect(),
            dependencies: dependencies
                .map(|(name, dependency)| (name.clone(), dependency.path.clone()))
                .collect(),
            key_value_stores: component.key_value_stores.clone(),
        }
    }
}
