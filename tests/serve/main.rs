//! `chunk-store serve` as a process: what the rules of `tests/http` cannot see from a base
//! URL. Bodies that are cut off, a store that is damaged behind the server's back, requests
//! that are none, clients that take their time or come in hundreds, how it starts and stops.

mod cutting;
mod damage;
mod dashboard;
mod load;
mod metrics;
mod raw;
mod requests;
mod slow;
mod starting;
mod stopping;
mod traces;

use std::path::Path;
use std::sync::Arc;

use chunk_store_host::kv::{self, Backend};
use chunk_store_tests::http::{Client, Protocol};
use chunk_store_tests::serving::Server;

/// A server on an empty store; the arguments come after `serve`.
fn server(arguments: &[&str]) -> Server {
    Server::start(tmp(), arguments)
}

fn tmp() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A client of a server that needs no token.
fn client(server: &Server, protocol: Protocol) -> Client {
    Client::new(&server.url(), protocol, None)
}

/// The store below a server, at hand.
async fn store_of(server: &Server) -> Arc<dyn Backend> {
    kv::open(&format!("file:{}?sync=none", server.store().display())).await.expect("it is there")
}
