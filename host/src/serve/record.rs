//! What the access log says of a request, once it is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::{Method, Request, StatusCode, Version};
use tokio::time::Instant;

use super::counters::Counters;
use crate::operations::{self, milliseconds};
use crate::trace::Trace;

/// The target of the events of `tracing` that tell of each request, once it is over; their
/// level is info.
pub const ACCESS_TARGET: &str = "chunk_store::access";

/// A request under way. Its end is logged, and counted, when this is dropped.
pub(super) struct Record {
    method: Method,
    /// Without the query: it may hold the signature of a link.
    path: String,
    peer: SocketAddr,
    version: Version,
    begun: Instant,
    pub received: Arc<AtomicU64>,
    /// `None` if the client went before there was an answer.
    pub status: Option<StatusCode>,
    pub sent: u64,
    pub whole: bool,
    pub failure: Option<String>,
    /// What its operations are part of, where they are logged.
    pub trace: Trace,
    counters: Arc<Counters>,
}

impl Record {
    pub fn new<B>(request: &Request<B>, peer: SocketAddr, counters: Arc<Counters>) -> Self {
        counters.request_began();
        let trace = match operations::is_wanted() {
            true => Trace::of_request(request.headers()),
            false => Trace::none(),
        };
        Self {
            counters,
            method: request.method().clone(),
            path: request.uri().path().to_string(),
            peer,
            version: request.version(),
            begun: Instant::now(),
            received: Arc::default(),
            status: None,
            sent: 0,
            whole: false,
            failure: None,
            trace,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.counters.request_ended(&self.method, self.status);
        let ended = match (&self.failure, self.whole) {
            (Some(_), _) => "failed",
            (None, true) => "whole",
            (None, false) => "client left",
        };
        tracing::info!(
            target: ACCESS_TARGET,
            method = %self.method,
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            received = self.received.load(Relaxed),
            sent = self.sent,
            ms = milliseconds(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            ended,
            failure = self.failure,
            peer = %self.peer,
            version = ?self.version,
            trace_id = self.trace.trace_id(),
            span_id = self.trace.span_id(),
            parent_id = self.trace.parent_id(),
            sampled = self.trace.unless_sampled(),
        );
    }
}
