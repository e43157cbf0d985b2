//! A request and its answer: bounded, and logged when the answer has gone out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store_http::refusal;
use http::header::{EXPECT, HOST, RETRY_AFTER};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use super::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT, QUEUE_TIMEOUT};
use super::pool::{Busy, Pool};
use super::traffic::{Traffic, Turn};
use crate::error::Error;

/// What answers requests, of all connections.
pub(super) struct Exchanges {
    pool: Pool,
    requests: Arc<Semaphore>,
}

impl Exchanges {
    /// At most `requests_max` at once.
    pub fn new(pool: Pool, requests_max: usize) -> Self {
        Self { pool, requests: Arc::new(Semaphore::new(requests_max.min(Semaphore::MAX_PERMITS))) }
    }

    /// Answers a request. Whatever goes wrong is an answer too.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        traffic: Arc<Traffic>,
    ) -> Result<Response<Answer>, Infallible> {
        let turn = Turn::new(traffic);
        let mut record = Record::new(&request, peer);
        let is_head = request.method() == Method::HEAD;
        let answered = self.try_answer(request, &turn, &record.received).await;
        let (response, held) = answered.unwrap_or_else(|refused| (refused, None));
        let status = response.status();
        let left = response.body().size_hint().exact();
        let bare = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        record.status = Some(status);
        // Nobody asks such a body for its end.
        record.whole = is_head || bare || left == Some(0);
        turn.of_client();
        Ok(response.map(|body| Answer { body, left, record, turn, _held: held }))
    }

    async fn try_answer(
        &self,
        request: Request<Incoming>,
        turn: &Arc<Turn>,
        received: &Arc<AtomicU64>,
    ) -> Result<(Response<WasiBody>, Option<Held>), Response<WasiBody>> {
        let mut request = Received::of(request, turn, received);
        *request.uri_mut() = target(&request)
            .map_err(|why| refused(refusal(StatusCode::BAD_REQUEST, "invalid-argument", why)))?;
        let permit = timeout(QUEUE_TIMEOUT, self.requests.clone().acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            let why = "the server has as many requests as it takes; try again later";
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return Err(refused(response));
        };
        match self.pool.handle(request).await {
            Ok((response, busy)) => Ok((response, Some(Held { _permit: permit, _busy: busy }))),
            Err(Error::Store(StoreError::InvalidArgument(why))) => {
                Err(refused(refusal(StatusCode::BAD_REQUEST, "invalid-argument", &why)))
            }
            Err(error) => {
                tracing::error!(target: "chunk_store", "{error}");
                let why = "the server failed to answer; its operator can see why";
                Err(refused(refusal(StatusCode::INTERNAL_SERVER_ERROR, "trap", why)))
            }
        }
    }
}

/// What a request holds until its answer has gone out.
struct Held {
    _permit: OwnedSemaphorePermit,
    _busy: Busy,
}

fn refused(response: Response<Bytes>) -> Response<WasiBody> {
    response.map(|bytes| Full::new(bytes).map_err(WasiError::from).boxed_unsync())
}

/// A request's target in absolute form (RFC 9112, section 3.3): the component is told the
/// host by it.
fn target<B>(request: &Request<B>) -> Result<Uri, &'static str> {
    if request.method() == Method::CONNECT {
        return Err("this is no proxy");
    }
    let authority = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => host(request)?,
    };
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    Uri::from_parts(parts).map_err(|_| "the request's target is no URI")
}

fn host<B>(request: &Request<B>) -> Result<Authority, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes())
            .map_err(|_| "the Host header is not understood; write HOST or HOST:PORT"),
        (None, _) if request.version() < Version::HTTP_11 => {
            Ok(Authority::from_static("localhost"))
        }
        _ => Err("there has to be one Host header (RFC 9112, section 3.2)"),
    }
}

/// A request's body on its way in.
struct Received {
    /// `None` once this is dropped.
    body: Option<Incoming>,
    count: Arc<AtomicU64>,
    turn: Arc<Turn>,
    /// Where what nobody read is taken in.
    lingering: Option<Handle>,
}

impl Received {
    fn of(request: Request<Incoming>, turn: &Arc<Turn>, count: &Arc<AtomicU64>) -> Request<Self> {
        // In HTTP/2 a stream is ended without the others, and who expects to be asked for
        // a body does not send it.
        let sends_on =
            request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        request.map(|body| Self {
            body: Some(body),
            count: count.clone(),
            turn: turn.clone(),
            lingering: sends_on.then(Handle::current),
        })
    }
}

/// Takes in the rest of a body that nobody wants. To close the connection in place of that
/// would be to reset it, and the client, still sending, might never read the answer.
async fn drain(mut body: Incoming) {
    let rest = async {
        let mut left = LINGER_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(fewer) => left = fewer,
                None => break,
            }
        }
    };
    // Then it is closed all the same.
    let _ = timeout(LINGER_TIMEOUT, rest).await;
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let body = self.body.as_mut().expect("it is there until this is dropped");
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Pending => self.turn.of_client(),
            Poll::Ready(frame) => {
                self.turn.of_store();
                if let Some(Ok(frame)) = frame
                    && let Some(bytes) = frame.data_ref()
                {
                    self.count.fetch_add(bytes.len() as u64, Relaxed);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.turn.of_store();
        if let (Some(body), Some(runtime)) = (self.body.take(), &self.lingering)
            && !body.is_end_stream()
        {
            runtime.spawn(drain(body));
        }
    }
}

/// An answer's body on its way out.
pub(super) struct Answer {
    body: WasiBody,
    left: Option<u64>,
    record: Record,
    turn: Arc<Turn>,
    _held: Option<Held>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = WasiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => self.turn.of_store(),
            Poll::Ready(frame) => {
                self.turn.of_client();
                self.note(frame.as_ref());
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, WasiError>>) {
        match frame {
            None => self.record.whole = true,
            Some(Err(error)) => self.record.failure = Some(error.to_string()),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                self.record.sent += bytes;
                // Where the length is known nobody asks for what comes after.
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                self.record.whole = self.left == Some(0);
            }
        }
    }
}

/// What the access log says of a request, once it is over.
struct Record {
    method: Method,
    /// Without the query: it may hold the signature of a link.
    path: String,
    peer: SocketAddr,
    version: Version,
    begun: Instant,
    received: Arc<AtomicU64>,
    /// `None` if the client went before there was an answer.
    status: Option<StatusCode>,
    sent: u64,
    whole: bool,
    failure: Option<String>,
}

impl Record {
    fn new(request: &Request<Incoming>, peer: SocketAddr) -> Self {
        Self {
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
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let ended = match (&self.failure, self.whole) {
            (Some(_), _) => "failed",
            (None, true) => "whole",
            (None, false) => "client left",
        };
        tracing::info!(
            target: "chunk_store::access",
            method = %self.method,
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            received = self.received.load(Relaxed),
            sent = self.sent,
            ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended,
            failure = self.failure,
            peer = %self.peer,
            version = ?self.version,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(
        method: &str,
        uri: &str,
        hosts: &[&str],
        version: Version,
    ) -> Result<Uri, &'static str> {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        target(&request.body(()).unwrap())
    }

    #[test]
    fn the_host_is_the_one_that_the_client_named() {
        let of = |uri, hosts: &[&str]| {
            target_of("GET", uri, hosts, Version::HTTP_11).map(|uri| uri.to_string())
        };
        assert_eq!(of("/a?b", &["h:8080"]).unwrap(), "http://h:8080/a?b");
        assert_eq!(of("http://other/a", &["h"]).unwrap(), "http://other/a");
        assert_eq!(of("*", &["h"]).unwrap(), "http://h*");
        assert!(of("/a", &[]).is_err(), "HTTP/1.1 has to say it");
        assert!(of("/a", &["h", "h"]).is_err() && of("/a", &["h h"]).is_err());
        let old = target_of("GET", "/a", &[], Version::HTTP_10).unwrap();
        assert_eq!(old.to_string(), "http://localhost/a");
        assert!(target_of("CONNECT", "h:80", &["h:80"], Version::HTTP_11).is_err());
    }
}
