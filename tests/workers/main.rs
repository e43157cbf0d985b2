//! The Worker of Cloudflare in workerd: what happens when its platform fails or its clients
//! leave, that what it stores is what every host stores, and that its memory stays flat.
//!
//! The rules of `kv` are held against its namespaces in `tests/conformance`, those of HTTP
//! against the Worker in `tests/http`. Node and workerd come from npm; there is no network.

mod exchange;
mod failing;
mod large;
mod library;
mod metrics;
mod page;
mod sweeping;

use std::sync::Arc;

use chunk_store_host::kv::Backend as _;
use chunk_store_tests::workers::{Namespace, Workerd};

/// A Worker of the test's own: faults are told to all of it.
async fn workerd() -> Arc<Workerd> {
    let started = tokio::task::spawn_blocking(Workerd::start).await;
    Arc::new(started.expect("workerd starts"))
}

/// The namespace that it serves from, without the faults.
async fn served(workerd: &Arc<Workerd>) -> Namespace {
    workerd.namespace("KV").await
}

/// Its keys with this prefix.
async fn keys(namespace: &Namespace, prefix: &str) -> Vec<String> {
    let page = namespace.list_keys(prefix, None, 1000).await.unwrap();
    assert_eq!(page.cursor, None);
    page.keys.into_iter().map(|listed| listed.key).collect()
}
