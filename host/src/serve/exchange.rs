//! A request and its answer: bounded, and logged when the answer has gone out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::metrics::Snapshot;
use chunk_store_http::{has_no_body, metrics, refusal};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use super::counters::{Counters, FAMILIES};
use super::head::{is_plain, target};
use super::incoming::{ReadAhead, Received};
use super::limits::{QUEUE_MAX, QUEUE_TIMEOUT};
use super::pool::{Leave, Pool};
use super::record::Record;
use super::traffic::{Traffic, Turn};
use crate::error::Error;

/// Where the metrics are.
const METRICS_PATH: &str = "/_/metrics";

/// What answers requests, of all connections.
pub(super) struct Exchanges {
    pool: Pool,
    requests: Arc<Semaphore>,
    /// Places of those that wait to be one of them.
    queue: Semaphore,
    read_ahead: ReadAhead,
    counters: Arc<Counters>,
}

impl Exchanges {
    /// At most `requests_max` at once.
    pub fn new(pool: Pool, requests_max: usize, counters: Arc<Counters>) -> Self {
        let requests = Arc::new(Semaphore::new(requests_max.min(Semaphore::MAX_PERMITS)));
        let queue = Semaphore::new(QUEUE_MAX);
        Self { pool, requests, queue, read_ahead: ReadAhead::new(), counters }
    }

    /// Adds what somebody has counted who is gone.
    pub fn keep(&self, counted: Snapshot) {
        self.pool.keep(counted);
    }

    /// Logs the operations that have ended; waits no longer than `patience`.
    pub async fn log_operations(&self, patience: Duration) {
        self.pool.log_operations(patience).await;
    }

    /// What has been counted by all.
    pub async fn counted(&self) -> Result<Snapshot, Error> {
        self.pool.metrics().await
    }

    /// Answers a request. Whatever goes wrong is an answer too.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        traffic: Arc<Traffic>,
    ) -> Result<Response<Answer>, Infallible> {
        let turn = Turn::new(traffic);
        let mut record = Record::new(&request, peer, self.counters.clone());
        record.trace.mark(request.headers_mut());
        let is_head = request.method() == Method::HEAD;
        let version = request.version();
        let answered = self.try_answer(request, &turn, &record.received).await;
        let (response, leave) = match answered {
            Ok((response, leave)) if is_tellable(version, &response) => (response, leave),
            Ok(_) => (of_unknown_length(), None),
            Err(refused) => (refused, None),
        };
        let status = response.status();
        let left = response.body().size_hint().exact();
        record.status = Some(status);
        // Nobody asks such a body for its end.
        record.whole = is_head || has_no_body(status) || left == Some(0);
        turn.of_client();
        let held = Arc::new(Held { turn, _leave: leave });
        Ok(response.map(|body| Answer { body, left, record, held }))
    }

    async fn try_answer(
        &self,
        request: Request<Incoming>,
        turn: &Arc<Turn>,
        received: &Arc<AtomicU64>,
    ) -> Result<(Response<WasiBody>, Option<Leave>), Response<WasiBody>> {
        let mut request = Received::of(request, turn, received, &self.read_ahead);
        *request.uri_mut() = target(&request)
            .map_err(|why| refused(refusal(StatusCode::BAD_REQUEST, "invalid-argument", why)))?;
        if !is_plain(request.headers()) {
            let why = "the body has a transfer coding besides `chunked`; send it without";
            return Err(refused(refusal(StatusCode::NOT_IMPLEMENTED, "unsupported", why)));
        }
        let Some(permit) = self.permit().await else {
            let why = "the server has as many requests as it takes; try again later";
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return Err(refused(response));
        };
        let of_all = request.uri().path() == METRICS_PATH;
        let is_head = request.method() == Method::HEAD;
        let answered = match self.pool.handle(request, permit).await {
            // The instance has checked who asks, and what for.
            Ok((response, leave)) if of_all && response.status() == StatusCode::OK => {
                let answer = self.metrics(response, is_head).await;
                answer.map(|response| (response, leave))
            }
            answered => answered,
        };
        match answered {
            Ok((response, leave)) => Ok((response, Some(leave))),
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

impl Exchanges {
    /// Leave to be one of the requests under way; `None` if that takes too long, or too many
    /// wait for it already.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.requests.clone().try_acquire_owned() {
            return Some(permit);
        }
        let _place = self.queue.try_acquire().ok()?;
        timeout(QUEUE_TIMEOUT, self.requests.clone().acquire_owned()).await.ok()?.ok()
    }

    /// The answer of one instance, with the metrics of all in place of its own.
    async fn metrics(
        &self,
        answer: Response<WasiBody>,
        is_head: bool,
    ) -> Result<Response<WasiBody>, Error> {
        let text = metrics::text(&self.counted().await?, &FAMILIES);
        let mut head = answer.into_parts().0;
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        let body = Full::new(if is_head { Bytes::new() } else { Bytes::from(text) });
        Ok(Response::from_parts(head, body.map_err(WasiError::from).boxed_unsync()))
    }
}

/// What a request holds until its answer has gone out: to the last byte, and not only to the
/// end of its body, which HTTP/2 takes in ahead of clients that take nothing.
struct Held {
    turn: Arc<Turn>,
    _leave: Option<Leave>,
}

/// Bytes that hold it until they are written, or given up with their connection.
struct Sent {
    bytes: Bytes,
    _held: Arc<Held>,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn refused(response: Response<Bytes>) -> Response<WasiBody> {
    response.map(|bytes| Full::new(bytes).map_err(WasiError::from).boxed_unsync())
}

/// Whether a client of this version can tell the end of an answer from a connection that
/// broke: HTTP/1.0 has no chunks, so there the length has to be known (RFC 9112, section 8).
fn is_tellable(version: Version, response: &Response<WasiBody>) -> bool {
    version >= Version::HTTP_11
        || has_no_body(response.status())
        || response.headers().contains_key(CONTENT_LENGTH)
        || response.body().size_hint().exact().is_some()
}

fn of_unknown_length() -> Response<WasiBody> {
    let why = "how long this is is not known yet, which HTTP/1.0 cannot say; ask with HTTP/1.1";
    refused(refusal(StatusCode::NOT_IMPLEMENTED, "unsupported", why))
}

/// An answer's body on its way out.
pub(super) struct Answer {
    body: WasiBody,
    left: Option<u64>,
    record: Record,
    held: Arc<Held>,
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
            Poll::Pending => self.held.turn.of_store(),
            Poll::Ready(frame) => {
                self.held.turn.of_client();
                self.note(frame.as_ref());
            }
        }
        polled.map(|frame| frame.map(|frame| frame.map(|frame| self.holding(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    fn holding(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        frame.map_data(|bytes| Bytes::from_owner(Sent { bytes, _held: self.held.clone() }))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// HTTP/2 may take in a whole answer for a client that reads nothing, and close the body.
    #[tokio::test]
    async fn a_request_is_under_way_until_its_last_byte_is_written() {
        let requests = Arc::new(Semaphore::new(1));
        let permit = requests.clone().try_acquire_owned().unwrap();
        let leave = Leave::new(permit, &Arc::default());
        let held = Held { turn: Turn::new(Traffic::new()), _leave: Some(leave) };
        let request = Request::get("/a").body(()).unwrap();
        let body = Full::new(Bytes::from_static(b"hello")).map_err(WasiError::from).boxed_unsync();
        let mut answer = Answer {
            body,
            left: Some(5),
            record: Record::new(&request, ([127, 0, 0, 1], 1).into(), Arc::default()),
            held: Arc::new(held),
        };
        let bytes = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(answer.frame().await.is_none());
        drop(answer);
        assert_eq!((&bytes[..], requests.available_permits()), (&b"hello"[..], 0));
        drop(bytes);
        assert_eq!(requests.available_permits(), 1);
    }
}
