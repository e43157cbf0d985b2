//! Bodies between Rust's I/O and the guest's streams, both ways with back-pressure:
//! a bounded channel, filled on one side and emptied on the other.

use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use chunk_store::object::{Content, ObjectInfo};
use chunk_store::range::Span;
use futures::channel::mpsc;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc as pieces, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Destination, FutureConsumer, Lift, Source, StreamConsumer, StreamProducer, StreamResult,
};

use crate::bindings::types;
use crate::error::Error;
use crate::instance::Instance;

/// The source is read in pieces of up to this many bytes.
const PIECE_BYTES: usize = 2 << 20;

/// The guest is given so many bytes at once: what fits the second-level caches of
/// today beside all else.
const PART_BYTES: usize = 256 << 10;

/// So many pieces wait between source and guest, or guest and reader.
const PIECES_WAITING: usize = 2;

/// The end of a body: `Ok` if it was whole, or why not.
pub(crate) type End = Result<(), String>;

/// What a put stores: read ahead of the guest, in a task or a thread of its own.
pub struct Body {
    pub(crate) pieces: pieces::Receiver<Vec<u8>>,
    pub(crate) ended: oneshot::Receiver<End>,
    /// Kept for as long as somebody wants the body: one whose put was dropped ends as
    /// one that failed, so that it is not committed.
    pub(crate) wanted: oneshot::Sender<()>,
}

impl Body {
    /// What an asynchronous reader gives. Needs a tokio runtime.
    pub fn new(source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (body, filler) = Self::channel();
        tokio::spawn(filler.fill(source));
        body
    }

    /// What a blocking reader gives, read on a thread of its own: the fastest way for
    /// files, and the only one for standard input.
    pub fn blocking(source: impl Read + Send + 'static) -> Self {
        let (body, filler) = Self::channel();
        // Without a thread the filler is dropped, and the body has failed.
        let thread = std::thread::Builder::new().name("chunk-store body".to_string());
        let _ = thread.spawn(move || filler.fill_blocking(source));
        body
    }

    fn channel() -> (Self, Filler) {
        let (sender, pieces) = pieces::channel(PIECES_WAITING);
        let (end, ended) = oneshot::channel();
        let (wanted, unwanted) = oneshot::channel();
        (Self { pieces, ended, wanted }, Filler { pieces: sender, end, unwanted })
    }
}

impl<R: AsyncRead + Send + Unpin + 'static> From<R> for Body {
    fn from(source: R) -> Self {
        Self::new(source)
    }
}

/// The side of a body that is filled.
struct Filler {
    pieces: pieces::Sender<Vec<u8>>,
    end: oneshot::Sender<End>,
    unwanted: oneshot::Receiver<()>,
}

impl Filler {
    async fn fill(mut self, mut source: impl AsyncRead + Unpin) {
        let result = tokio::select! {
            _ = &mut self.unwanted => Ok(()),
            result = pump(&mut source, &self.pieces) => result,
        };
        self.finish(result);
    }

    fn fill_blocking(mut self, mut source: impl Read) {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut filled = 0;
        let result = loop {
            match source.read(&mut buffer[filled..]) {
                Ok(0) => break Ok(()),
                Ok(_) if self.is_unwanted() => break Ok(()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => break Err(error.to_string()),
            }
            if filled == PIECE_BYTES {
                let piece = std::mem::replace(&mut buffer, vec![0; PIECE_BYTES]);
                filled = 0;
                if self.pieces.blocking_send(piece).is_err() {
                    break Ok(());
                }
                continue;
            }
            // What a slow source has given goes on at once; a guest that is behind
            // gets fuller pieces.
            match self.pieces.try_reserve() {
                Ok(place) => place.send(buffer[..std::mem::take(&mut filled)].to_vec()),
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Closed(())) => break Ok(()),
            }
        };
        buffer.truncate(filled);
        if filled > 0 {
            // Fails if the guest wants no more; it has its reasons.
            let _ = self.pieces.blocking_send(buffer);
        }
        self.finish(result);
    }

    fn is_unwanted(&mut self) -> bool {
        self.unwanted.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    /// Says how it ended; only then may the guest see that it did.
    fn finish(mut self, result: End) {
        let given_up = self.is_unwanted();
        let end = if given_up { Err("its caller has given up".to_string()) } else { result };
        let _ = self.end.send(end);
    }
}

async fn pump(source: &mut (impl AsyncRead + Unpin), pieces: &pieces::Sender<Vec<u8>>) -> End {
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        match source.read_buf(&mut piece).await {
            Ok(0) => return Ok(()),
            Ok(_) if pieces.send(piece).await.is_err() => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Gives the guest what was read ahead, a little at a time: the guest digests each
/// part before it asks for the next, while it is still in the nearer cache.
pub(crate) struct Pieces {
    pieces: pieces::Receiver<Vec<u8>>,
    /// What the guest has not taken yet of the piece before.
    rest: Bytes,
}

impl Pieces {
    pub fn new(pieces: pieces::Receiver<Vec<u8>>) -> Self {
        Self { pieces, rest: Bytes::new() }
    }
}

impl<D> StreamProducer<D> for Pieces {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.rest.is_empty() {
            match self.pieces.poll_recv(cx) {
                Poll::Ready(Some(piece)) => self.rest = piece.into(),
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let mut destination = destination.as_direct(store, PART_BYTES);
        let room = destination.remaining();
        let count = room.len().min(self.rest.len()).min(PART_BYTES);
        room[..count].copy_from_slice(&self.rest[..count]);
        destination.mark_written(count);
        self.rest.advance(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// Takes what the guest sends.
pub(crate) struct Taken(mpsc::Sender<Bytes>);

impl<D> StreamConsumer<D> for Taken {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.0.poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        let mut source = source.as_direct(store);
        let piece = Bytes::copy_from_slice(source.remaining());
        source.mark_read(piece.len());
        if !piece.is_empty() && self.0.start_send(piece).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Taken {
    /// And where it comes out.
    pub fn channel() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING);
        (Self(sender), pieces)
    }
}

/// Takes how a body that the guest sent ended.
pub(crate) struct TakenEnd<T>(pub Option<oneshot::Sender<Result<T, types::Error>>>);

impl<D, T: Lift + Send + 'static> FutureConsumer<D> for TakenEnd<T> {
    type Item = Result<T, types::Error>;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<D>,
        mut source: Source<'_, Self::Item>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut end = None;
        source.read(store, &mut end)?;
        if let (Some(end), Some(sender)) = (end, self.0.take()) {
            // A reader that has gone does not want to know.
            let _ = sender.send(end);
        }
        Poll::Ready(Ok(()))
    }
}

/// An object being read: its description, and its body as [`AsyncRead`] or piece by
/// piece. Every byte that it gives has been verified, and it ends with an error
/// unless it was whole.
pub struct ObjectReader {
    content: Content,
    pieces: mpsc::Receiver<Bytes>,
    ended: Option<oneshot::Receiver<Result<(), types::Error>>>,
    instance: Instance,
    /// What `AsyncRead` has not passed on yet.
    rest: Bytes,
}

/// What `get` hands over: a channel to take the body from, and how it ends.
pub(crate) type Opened =
    (Content, mpsc::Receiver<Bytes>, oneshot::Receiver<Result<(), types::Error>>);

impl ObjectReader {
    pub(crate) fn new((content, pieces, ended): Opened, instance: Instance) -> Self {
        Self { content, pieces, ended: Some(ended), instance, rest: Bytes::new() }
    }

    /// The object.
    pub fn info(&self) -> &ObjectInfo {
        &self.content.info
    }

    /// Which bytes of the object the body holds.
    pub fn part(&self) -> Span {
        self.content.part
    }

    /// The next bytes; `None` after the last, and only if the body was whole.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if !self.rest.is_empty() {
            return Some(Ok(std::mem::take(&mut self.rest)));
        }
        if let Some(piece) = self.pieces.next().await {
            return Some(Ok(piece));
        }
        match self.ended.take()?.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(Error::Store(error.into()))),
            Err(_) => Some(Err(self.instance.trap().await)),
        }
    }
}

impl AsyncRead for ObjectReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.pieces).poll_next(cx)) {
                Some(piece) => self.rest = piece,
                None => return self.poll_end(cx),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl ObjectReader {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(ended) = &mut self.ended else { return Poll::Ready(Ok(())) };
        let end = ready!(Pin::new(ended).poll(cx));
        self.ended = None;
        Poll::Ready(match end {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(io::Error::other(Error::Store(error.into()))),
            Err(_) => Err(io::Error::other(Error::Trap("it ended during a read".to_string()))),
        })
    }
}
