//! Bodies between Rust's I/O and the guest's streams, both ways with back-pressure:
//! a bounded channel, filled on one side and emptied on the other.

use std::io::{ErrorKind, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::channel::mpsc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc as pieces, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Destination, FutureConsumer, Lift, Source, StreamConsumer, StreamProducer, StreamResult,
};

use crate::bindings::types;

/// What is on its way, either way, is in pieces of up to this many bytes. Every body has some
/// of them besides the guest's memory: with many at once they are what the host takes.
const PIECE_BYTES: usize = 512 << 10;

/// The guest is given so many bytes at once: what fits the second-level caches of
/// today beside all else.
const PART_BYTES: usize = 256 << 10;

/// So many pieces wait between source and guest, or guest and reader.
const PIECES_WAITING: usize = 2;

/// The end of a body: `Ok` if it was whole, or why not.
pub(crate) type End = Result<(), String>;

/// What a put stores: read ahead of the guest, in a task or a thread of its own.
pub struct Body {
    pub(crate) pieces: Pieces,
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
        let (pieces, filled) = pieces::channel(PIECES_WAITING);
        let (emptied, spare) = pieces::channel(PIECES_WAITING);
        let (end, ended) = oneshot::channel();
        let (wanted, unwanted) = oneshot::channel();
        let taken = Pieces { filled, emptied, piece: Vec::new(), taken: 0 };
        (Self { pieces: taken, ended, wanted }, Filler { pieces, spare, end, unwanted })
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
    /// Buffers that the guest has emptied.
    spare: pieces::Receiver<Vec<u8>>,
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
                // One that was used before is neither cleared again nor out of the caches.
                let next = self.spare.try_recv().unwrap_or_else(|_| vec![0; PIECE_BYTES]);
                let piece = std::mem::replace(&mut buffer, next);
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
    filled: pieces::Receiver<Vec<u8>>,
    emptied: pieces::Sender<Vec<u8>>,
    /// The piece that the guest is taking, and how many bytes of it the guest has taken.
    piece: Vec<u8>,
    taken: usize,
}

impl Pieces {
    /// Goes on to another piece; the one before may be filled again.
    fn turn_to(&mut self, next: Vec<u8>) {
        let emptied = std::mem::replace(&mut self.piece, next);
        self.taken = 0;
        // Pieces of a slow source are not of the usual length.
        if emptied.len() == PIECE_BYTES {
            let _ = self.emptied.try_send(emptied);
        }
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
        if self.taken == self.piece.len() {
            match self.filled.poll_recv(cx) {
                Poll::Ready(Some(piece)) => self.turn_to(piece),
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let mut destination = destination.as_direct(store, PART_BYTES);
        let room = destination.remaining();
        let rest = &self.piece[self.taken..];
        let count = room.len().min(rest.len()).min(PART_BYTES);
        room[..count].copy_from_slice(&rest[..count]);
        destination.mark_written(count);
        self.taken += count;
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
        let sent = source.remaining();
        let piece = Bytes::copy_from_slice(&sent[..sent.len().min(PIECE_BYTES)]);
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
