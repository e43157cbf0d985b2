//! HTTP in front of a store: the gateway component on wasmtime, behind a server.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use chunk_store_host::kv;
//! use chunk_store_host::serve::{Options, Server};
//!
//! let backend = kv::open("file:./data").await?;
//! let server = Server::bind(backend, Options::default()).await?;
//! println!("http://{}", server.local_addr());
//! let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! server.run(stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! A request takes the modules in this order: `connection` (HTTP/1.1 or HTTP/2, time-outs),
//! `exchange` (bounds, log), `pool` (a fixed number of instances of the component). What a
//! request means is decided in the component (`adapters/http`); nothing of it is here.

mod connection;
mod counters;
mod exchange;
mod head;
mod incoming;
pub mod limits;
mod pool;
mod record;
mod sweeping;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chunk_store::metrics::Snapshot;
use chunk_store_http::{SETTING_PREFIX, Settings};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::counters::Counters;
pub use self::counters::FAMILIES;
use self::exchange::Exchanges;
use self::pool::Pool;
pub use self::record::ACCESS_TARGET;
use crate::kv::Backend;
use crate::operations;

/// How a [`Server`] is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen. Port 0 takes any that is free. Off loopback there has to be a
    /// token. Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// What `Authorization: Bearer` has to give, 16 to 512 characters; without one
    /// everything is open to whoever reaches the server.
    pub token: Option<String>,
    /// Objects can be read without the token.
    pub public_read: bool,
    /// Nothing can be written.
    pub read_only: bool,
    /// Origins whose pages may read answers, like `https://example.org`, or `*`.
    pub cors: Vec<String>,
    /// Instances of the component, 1 to [`limits::INSTANCES_MAX`]. Each has a thread and its
    /// own memory for chunks. Default: the processors, 8 at most.
    pub instances: usize,
    /// Bytes of chunks that all requests together may hold in memory, shared out evenly to
    /// the instances: 16 MiB to 1 GiB for each. Others wait, and clients that have stopped to
    /// take anything give theirs back.
    pub memory_bytes: u64,
    /// Most connections at once, at least 1; more wait to be accepted.
    pub connections_max: usize,
    /// Most requests at once, at least 1. More wait for [`limits::QUEUE_TIMEOUT`],
    /// [`limits::QUEUE_MAX`] of them at most, then are told to come back.
    pub requests_max: usize,
    /// How long requests that are under way may go on once the server is to stop.
    pub grace: Duration,
    /// Sweep the store every so often. Default: never.
    pub sweep_every: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            token: None,
            public_read: false,
            read_only: false,
            cors: Vec::new(),
            instances: processors.min(8),
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            connections_max: limits::CONNECTIONS_MAX_DEFAULT,
            requests_max: limits::REQUESTS_MAX_DEFAULT,
            grace: Duration::from_secs(30),
            sweep_every: None,
        }
    }
}

impl Options {
    fn memory_share(&self) -> u64 {
        self.memory_bytes / self.instances.max(1) as u64
    }

    /// The component's settings, as its environment; refused here in one line if they
    /// would be there.
    fn environment(&self) -> Result<Vec<(String, String)>, BindError> {
        let mut environment = vec![("READ_ONLY", self.read_only.to_string())];
        match &self.token {
            Some(token) => {
                environment.push(("TOKEN", token.clone()));
                environment.push(("PUBLIC_READ", self.public_read.to_string()));
            }
            None if self.listen.ip().is_loopback() => {
                environment.push(("OPEN", true.to_string()));
            }
            None => return Err(BindError::Unprotected(self.listen)),
        }
        if !self.cors.is_empty() {
            environment.push(("CORS", self.cors.join(",")));
        }
        let environment: Vec<_> = environment
            .into_iter()
            .map(|(name, value)| (format!("{SETTING_PREFIX}{name}"), value))
            .collect();
        let pairs = environment.iter().map(|(name, value)| (name, value));
        Settings::parse(pairs).map_err(|why| {
            // People gave options and know nothing of these names.
            let why = why.strip_prefix(SETTING_PREFIX).unwrap_or(&why);
            BindError::Settings(why.to_lowercase())
        })?;
        if !(1..=limits::INSTANCES_MAX).contains(&self.instances) {
            let most = limits::INSTANCES_MAX;
            return Err(BindError::Settings(format!("instances: give 1 to {most}")));
        }
        let share = limits::INSTANCE_MEMORY_BYTES_MIN..=limits::INSTANCE_MEMORY_BYTES_MAX;
        if !share.contains(&self.memory_share()) {
            let why = "memory: give 16 MiB to 1 GiB for each instance".to_string();
            return Err(BindError::Settings(why));
        }
        if self.connections_max == 0 || self.requests_max == 0 {
            let why = "connections and requests at once: give at least 1".to_string();
            return Err(BindError::Settings(why));
        }
        Ok(environment)
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Anybody on the network could write.
    #[error(
        "without a token only this machine may reach the server, and {0} is open to others: set a token, or listen on 127.0.0.1"
    )]
    Unprotected(SocketAddr),
    /// An option means nothing.
    #[error("{0}")]
    Settings(String),
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}; choose another address or port")]
    Address(SocketAddr, String),
    /// The component does not start.
    #[error(transparent)]
    Component(#[from] crate::Error),
}

/// A server that listens, and answers once [`Server::run`] is called.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    backend: Arc<dyn Backend>,
    exchanges: Arc<Exchanges>,
    counters: Arc<Counters>,
    connections: Arc<Semaphore>,
    grace: Duration,
    sweep_every: Option<Duration>,
}

/// What a [`Server`] counts; it keeps the instances of the component running.
pub struct ServerMetrics(Arc<Exchanges>);

impl ServerMetrics {
    /// What all instances and the server have counted so far; `docs/metrics.md` lists the
    /// names.
    pub async fn read(&self) -> Result<Snapshot, crate::Error> {
        self.0.counted().await
    }
}

impl Server {
    /// Starts the component's instances over `backend` and listens.
    pub async fn bind(backend: Arc<dyn Backend>, options: Options) -> Result<Self, BindError> {
        let environment = options.environment()?;
        let unbound = |error: std::io::Error| BindError::Address(options.listen, error.to_string());
        let listener = TcpListener::bind(options.listen).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let counters = Arc::new(Counters::default());
        let (instances, memory) = (options.instances, options.memory_share());
        let pool = Pool::start(backend.clone(), environment, instances, memory, counters.clone())?;
        Ok(Self {
            listener,
            address,
            backend,
            exchanges: Arc::new(Exchanges::new(pool, options.requests_max, counters.clone())),
            counters,
            connections: Arc::new(Semaphore::new(options.connections_max)),
            grace: options.grace,
            sweep_every: options.sweep_every,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What this server counts, to be read after it has ended too.
    pub fn metrics(&self) -> ServerMetrics {
        ServerMetrics(self.exchanges.clone())
    }

    /// Answers requests until `stop` completes. Then no more connections are accepted, and
    /// requests that are under way have [`Options::grace`] to end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let sweeping = self.sweep_every.map(|every| {
            tokio::spawn(sweeping::sweep_every(self.backend.clone(), every, self.exchanges.clone()))
        });
        let connections = GracefulShutdown::new();
        tokio::select! {
            () = self.accept(&connections) => {}
            () = stop => {}
        }
        let Self { listener, grace, exchanges, .. } = self;
        drop(listener);
        if let Some(sweeping) = sweeping {
            sweeping.abort();
        }
        let open = connections.count();
        tracing::info!(target: "chunk_store", connections = open, "stopping: no new requests");
        if timeout(grace, connections.shutdown()).await.is_err() {
            tracing::warn!(target: "chunk_store", "some requests did not end in time and were cut off");
        }
        if operations::is_wanted() {
            exchanges.log_operations(limits::LOG_TIMEOUT).await;
        }
    }

    async fn accept(&self, connections: &GracefulShutdown) {
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // The client is gone already, or the process is out of descriptors:
                    // then some have to be closed first.
                    tracing::warn!(target: "chunk_store", "cannot accept a connection: {error}");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let served =
                connection::serve(stream, peer, self.exchanges.clone(), connections.watcher());
            let counters = self.counters.clone();
            counters.connection_opened();
            tokio::spawn(async move {
                served.await;
                counters.connection_closed();
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: &Options) -> String {
        let line = options.environment().unwrap_err().to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    }

    #[test]
    fn without_a_token_only_this_machine_is_served() {
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 8080));
        let open = Options { listen: everywhere, ..Options::default() };
        assert!(refused(&open).contains("set a token"));
        let token = Some("0123456789abcdef".to_string());
        assert!(Options { token, ..open }.environment().is_ok());
        assert!(Options::default().environment().is_ok());
    }

    #[test]
    fn what_means_nothing_is_refused_before_anything_starts() {
        let short = Options { token: Some("short".into()), ..Options::default() };
        assert!(refused(&short).starts_with("token: "), "{}", refused(&short));
        let cors = Options { cors: vec!["example.org".into()], ..Options::default() };
        assert!(refused(&cors).starts_with("cors: "), "{}", refused(&cors));
        let none = Options { instances: 0, ..Options::default() };
        assert!(refused(&none).contains("give 1 to"));
        let none = Options { requests_max: 0, ..Options::default() };
        assert!(refused(&none).contains("at least 1"));
    }
}
