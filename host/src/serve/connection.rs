//! One connection: HTTP/1.1, or HTTP/2 for who begins with it (prior knowledge).

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;

use super::exchange::Exchanges;
use super::limits;
use super::traffic::{Traffic, Watched};

/// Serves a connection to its end. `watcher` has it end when the server stops.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    exchanges: Arc<Exchanges>,
    watcher: Watcher,
) {
    // Heads and last pieces go out at once. A socket that refuses is slower, no more.
    let _ = stream.set_nodelay(true);
    let traffic = Traffic::new();
    let stream = TokioIo::new(Watched::new(stream, traffic.clone()));
    let counted = traffic.clone();
    let service =
        service_fn(move |request| exchanges.clone().answer(request, peer, counted.clone()));
    let connection = protocols().serve_connection(stream, service).into_owned();
    let mut connection = pin!(watcher.watch(connection));
    tokio::select! {
        ended = &mut connection => if let Err(error) = ended {
            tracing::debug!(target: "chunk_store", %peer, "the connection broke: {error}");
        },
        why = traffic.dead() => {
            tracing::debug!(target: "chunk_store", %peer, "the connection was closed: {why}");
        }
    }
}

fn protocols() -> Builder<TokioExecutor> {
    let mut protocols = Builder::new(TokioExecutor::new());
    protocols
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIMEOUT)
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .max_headers(limits::HEAD_FIELDS_MAX);
    protocols
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(limits::HEAD_BYTES_MAX);
    protocols
}
