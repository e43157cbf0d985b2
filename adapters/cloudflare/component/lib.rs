//! The store and its HTTP rules in one component, for Cloudflare Workers: what the world
//! `workers-web` of `wit/workers.wit` exports, or, with the feature `store`, the world `workers`.
//! What is the store's own comes with the core; here are `web` and `tally`. What runs it is
//! TypeScript, in `src/`.

#[cfg(target_family = "wasm")]
mod answer;
#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
mod request;
