//! A request's body on its way in: counted, read ahead within bounds, drained where nobody
//! wants it.
//!
//! A body is received on one thread and stored on another. One piece at a time, each of up to
//! 64 KiB, both would spend their time waking each other; so while the store digests, what
//! comes is gathered here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::limits::{
    GATHERED_BYTES_MAX, LINGER_BYTES_MAX, LINGER_TIMEOUT, READ_AHEAD_BODIES_MAX,
    READ_AHEAD_PIECE_BYTES,
};
use super::traffic::Turn;

/// How many bodies are read ahead at once; the others come piece by piece.
pub(super) struct ReadAhead(Arc<Semaphore>);

impl ReadAhead {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(READ_AHEAD_BODIES_MAX)))
    }
}

type Piece = Result<Frame<Bytes>, hyper::Error>;

/// A request's body on its way in.
pub(super) struct Received {
    body: Way,
    count: Arc<AtomicU64>,
    turn: Arc<Turn>,
    read_ahead: Arc<Semaphore>,
    runtime: Handle,
    /// Whether the client goes on sending a body that nobody reads.
    sends_on: bool,
}

enum Way {
    /// As it comes.
    Direct(Incoming),
    /// Gathered by a task of its own.
    Ahead(mpsc::Receiver<Piece>),
    Ended,
}

impl Received {
    pub fn of(
        request: Request<Incoming>,
        turn: &Arc<Turn>,
        count: &Arc<AtomicU64>,
        read_ahead: &ReadAhead,
    ) -> Request<Self> {
        // In HTTP/2 a stream is ended without the others, and who expects to be asked for
        // a body does not send it.
        let sends_on =
            request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        request.map(|body| Self {
            body: Way::Direct(body),
            count: count.clone(),
            turn: turn.clone(),
            read_ahead: read_ahead.0.clone(),
            runtime: Handle::current(),
            sends_on,
        })
    }

    /// A body that has been asked for, and goes on after its first piece, is read ahead from
    /// there: what is refused stays with the client, and small bodies need no task.
    fn goes_on(&mut self) {
        if let Way::Direct(body) = &self.body
            && !body.is_end_stream()
            && let Ok(permit) = self.read_ahead.clone().try_acquire_owned()
            && let Way::Direct(body) = std::mem::replace(&mut self.body, Way::Ended)
        {
            let (pieces, received) = mpsc::channel(1);
            self.runtime.spawn(gather(body, pieces, self.sends_on, permit));
            self.body = Way::Ahead(received);
        }
    }
}

/// Receives a body, and hands over what has come whenever there is room for it.
async fn gather(
    mut body: Incoming,
    pieces: mpsc::Sender<Piece>,
    sends_on: bool,
    _permit: OwnedSemaphorePermit,
) {
    let mut gathered = BytesMut::new();
    loop {
        let full = gathered.len() >= READ_AHEAD_PIECE_BYTES;
        tokio::select! {
            biased;
            room = pieces.reserve(), if !gathered.is_empty() => match room {
                Ok(room) => room.send(Ok(Frame::data(gathered.split().freeze()))),
                Err(_) => break,
            },
            () = pieces.closed(), if gathered.is_empty() => break,
            piece = body.frame(), if !full => match piece {
                Some(Ok(frame)) if frame.is_data() => {
                    if gathered.is_empty() {
                        // Grown as it fills, it would take up to twice as much.
                        gathered.reserve(GATHERED_BYTES_MAX);
                    }
                    gathered.extend(frame.into_data().ok());
                }
                last => {
                    // Who has gone misses nothing. A failure, or trailers, come after all data.
                    if !gathered.is_empty() {
                        let _ = pieces.send(Ok(Frame::data(gathered.freeze()))).await;
                    }
                    if let Some(last) = last {
                        let _ = pieces.send(last).await;
                    }
                    return;
                }
            },
        }
    }
    if sends_on {
        drain(body).await;
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let polled = match &mut self.body {
            Way::Direct(body) => Pin::new(body).poll_frame(cx),
            Way::Ahead(pieces) => pieces.poll_recv(cx),
            Way::Ended => Poll::Ready(None),
        };
        match &polled {
            Poll::Pending => self.turn.of_client(),
            Poll::Ready(frame) => {
                self.turn.of_store();
                if let Some(Ok(frame)) = frame
                    && let Some(bytes) = frame.data_ref()
                {
                    self.count.fetch_add(bytes.len() as u64, Relaxed);
                    self.goes_on();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Way::Direct(body) => body.is_end_stream(),
            Way::Ahead(_) => false,
            Way::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Way::Direct(body) => body.size_hint(),
            Way::Ahead(_) | Way::Ended => SizeHint::default(),
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.turn.of_store();
        if self.sends_on
            && let Way::Direct(body) = std::mem::replace(&mut self.body, Way::Ended)
            && !body.is_end_stream()
        {
            self.runtime.spawn(drain(body));
        }
    }
}
