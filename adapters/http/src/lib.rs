//! The HTTP rules of the store, once: from a request's head and body to a response's.
//!
//! Nothing in here knows a server. Whoever links it (a `wasi:http` component, a Worker)
//! turns its platform's request into an [`http::Request`] over a
//! [`Source`](chunk_store::body::Source), passes it to [`Gateway::handle`], and sends what
//! comes back: the head, then the [`Body`] piece by piece. Bodies stream both ways; who
//! does not take a piece stops the reading of more. A body that yields an error MUST
//! break the connection, so that a failed transfer never looks whole.
//!
//! What is left to the server: the framing of messages (RFC 9112, RFC 9113), the `Date`
//! header, the bound on the size of a request's head, time-outs of slow clients, and what
//! becomes of a request's body that was not read to its end.
//!
//! Modules in the order a request takes.

mod auth;
mod body;
mod caching;
mod chunks;
#[cfg(all(target_family = "wasm", feature = "component"))]
mod component;
mod conditions;
mod cors;
mod delete;
mod follow;
mod gateway;
mod get;
mod health;
mod lead;
pub mod limits;
mod links;
mod list;
pub mod metrics;
mod multipart;
#[cfg(target_family = "wasm")]
mod outgoing;
mod problem;
mod put;
mod query;
mod ranges;
mod representation;
mod route;
mod settings;
mod sign;
mod sweep;
#[cfg(feature = "ui")]
mod ui;
mod uploads;

pub use body::{Body, Piece};
pub use gateway::{Gateway, has_no_body};
pub use links::sign;
pub use problem::{Failure, refusal};
pub use route::path_of;
pub use settings::{Origins, SETTING_PREFIX, Settings, Token, parse_flag};

#[cfg(test)]
mod tests;
