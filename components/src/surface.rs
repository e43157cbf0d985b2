//! What a component imports and exports.

use std::collections::{BTreeMap, BTreeSet};

use wac_graph::types::{ItemKind, Package, Type, Types};

use crate::KV;

/// Interfaces by name, with the names of their functions.
pub type Interfaces = BTreeMap<String, BTreeSet<String>>;

/// What a component imports and exports. Interfaces of types only count as none: nothing
/// has to stand behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// What it calls.
    pub imports: Interfaces,
    /// What it serves.
    pub exports: Interfaces,
}

impl Surface {
    /// That of a component.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut types = Types::default();
        let package = Package::from_bytes("component", None, bytes, &mut types)
            .map_err(|error| format!("it is no component: {error:#}"))?;
        let world = &types[package.ty()];
        let interfaces = |items: &mut dyn Iterator<Item = (&String, &ItemKind)>| {
            let all = items.map(|(name, item)| (name.clone(), functions(&types, item)));
            all.filter(|(_, functions)| !functions.is_empty()).collect()
        };
        let imports = interfaces(&mut world.imports.iter());
        let exports = interfaces(&mut world.exports.iter());
        Ok(Self { imports, exports })
    }

    /// One of its imports, by itself.
    pub fn import(&self, name: &str) -> Result<Interfaces, String> {
        let functions =
            self.imports.get(name).ok_or_else(|| format!("it does not import {name}"))?;
        Ok(Interfaces::from([(name.into(), functions.clone())]))
    }

    /// Whether it imports nothing but what its host `gives`, and exports these interfaces,
    /// whole, and no more.
    pub fn check(&self, gives: &[&str], exports: &Interfaces) -> Result<(), String> {
        let given: BTreeSet<&str> = gives.iter().copied().collect();
        if self.imports.contains_key(KV) && !given.contains(KV) {
            return Err(format!(
                "{KV} is still imported: the adapter exports another one, of other types"
            ));
        }
        if let Some(name) = self.imports.keys().find(|name| !given.contains(name.as_str())) {
            return Err(format!("it imports {name}, which its host does not give"));
        }
        for (name, functions) in exports {
            let Some(exported) = self.exports.get(name) else {
                return Err(format!("it does not export {name}"));
            };
            if let Some(function) = functions.difference(exported).next() {
                return Err(format!("its {name} lacks {function}"));
            }
        }
        match self.exports.keys().find(|name| !exports.contains_key(*name)) {
            Some(name) => Err(format!("it exports {name}, which nobody asked for")),
            None => Ok(()),
        }
    }
}

/// What can be called of an item; anything but a type counts.
fn functions(types: &Types, item: &ItemKind) -> BTreeSet<String> {
    match item {
        ItemKind::Instance(interface) => {
            let exports = types[*interface].exports.iter();
            let called = exports.filter(|(_, item)| !matches!(item, ItemKind::Type(_)));
            called.map(|(name, _)| name.clone()).collect()
        }
        ItemKind::Type(Type::Resource(_) | Type::Value(_)) => BTreeSet::new(),
        other => BTreeSet::from([other.desc(types).to_string()]),
    }
}
