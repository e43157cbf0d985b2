//! What a component says of itself, for registries and for people.

use wasm_metadata::AddMetadataField::Set;
use wasm_metadata::{AddMetadata, Authors, Description, Homepage, Licenses, Source, Version};

/// The component, with what it is, and with this project's version, authors and licence.
pub fn described(component: &[u8], name: &str, what: &str) -> Result<Vec<u8>, String> {
    let error = |error| format!("it cannot be described: {error:#}");
    let mut metadata = AddMetadata::default();
    metadata.name = Set(name.into());
    metadata.description = Set(Description::new(what.to_string()));
    metadata.version = Set(Version::new(env!("CARGO_PKG_VERSION")));
    metadata.authors = Set(Authors::new(env!("CARGO_PKG_AUTHORS")));
    metadata.licenses = Set(Licenses::new(env!("CARGO_PKG_LICENSE")).map_err(error)?);
    metadata.source = Set(Source::new(env!("CARGO_PKG_REPOSITORY")).map_err(error)?);
    metadata.homepage = Set(Homepage::new(env!("CARGO_PKG_REPOSITORY")).map_err(error)?);
    metadata.to_wasm(component).map_err(error)
}
