//! Bodies between Rust's I/O and the guest's streams, both ways with back-pressure:
//! a bounded channel, filled on one side and emptied on the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use chunk_store::object::{Content, ObjectInfo};
use chunk_store::range::Span;
use futures::channel::mpsc;
use futures::{SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Destination, FutureConsumer, Source, StreamConsumer, StreamProducer, StreamResult,
};

use crate::bindings::types;
use crate::error::Error;
use crate::instance::Instance;

/// The source is read in pieces of up to this many bytes.
const PIECE_BYTES: usize = 2 << 20;

/// So many pieces wait between source and guest, or guest and reader.
const PIECES_WAITING: usize = 2;

/// The end of a body: `Ok` if it was whole, or why not.
pub(crate) type End = Result<(), String>;

/// Reads a source ahead, in a task of its own; gives what the guest reads, how it
/// ended, and what has to be kept for as long as somebody wants it: a body whose
/// put was dropped ends as one that failed, so that it is not committed.
pub(crate) fn read_ahead(
    source: impl AsyncRead + Send + Unpin + 'static,
) -> (mpsc::Receiver<Bytes>, oneshot::Receiver<End>, oneshot::Sender<()>) {
    let (pieces, taken) = mpsc::channel(PIECES_WAITING);
    let (end, ended) = oneshot::channel();
    let (wanted, mut unwanted) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let result = tokio::select! {
            _ = &mut unwanted => Ok(()),
            result = pump(source, pieces) => result,
        };
        // Asked again: it may have been dropped while the source was ending.
        let given_up = unwanted.try_recv() == Err(oneshot::error::TryRecvError::Closed);
        let result = if given_up { Err("its caller has given up".to_string()) } else { result };
        // Nobody asks for the end of a body that was refused on the way.
        let _ = end.send(result);
    });
    (taken, ended, wanted)
}

async fn pump(
    mut source: impl AsyncRead + Send + Unpin + 'static,
    mut pieces: mpsc::Sender<Bytes>,
) -> End {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        match source.read_buf(&mut piece).await {
            Ok(0) => return Ok(()),
            Ok(_) if pieces.send(piece.freeze()).await.is_err() => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Gives the guest what was read ahead.
pub(crate) struct Pieces(pub mpsc::Receiver<Bytes>);

impl<D> StreamProducer<D> for Pieces {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.0.poll_next_unpin(cx) {
            Poll::Ready(Some(piece)) => {
                destination.set_buffer(piece);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Takes what the guest sends.
pub(crate) struct Taken(pub mpsc::Sender<Bytes>);

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

/// Takes how a body that the guest sent ended.
pub(crate) struct TakenEnd(pub Option<oneshot::Sender<Result<(), types::Error>>>);

impl<D> FutureConsumer<D> for TakenEnd {
    type Item = Result<(), types::Error>;

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

    /// The channel that `Taken` fills.
    pub(crate) fn channel() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
        mpsc::channel(PIECES_WAITING)
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
