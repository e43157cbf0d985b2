//! The store and its HTTP rules in one component, for Cloudflare Workers: what the world
//! `workers` of `wit/workers.wit` exports. The store's own interfaces come with the core;
//! here is `web`. The Worker that runs it is TypeScript, in `src/`.

#[cfg(target_family = "wasm")]
mod answer;
#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
mod request;
