//! An object on its way out, from one instance or from several that take turns.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use chunk_store::limits::CHUNK_BYTES_USUAL;
use chunk_store::object::{Content, ObjectInfo};
use chunk_store::range::Span;
use futures::Stream;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;

use crate::bindings::types;
use crate::error::Error;
use crate::instance::Instance;

/// Instances that read one object take turns after so many bytes: no chunk that a store
/// with the least usual memory can read is longer, and one is ready while another is sent.
pub(crate) const RUN_BYTES: u64 = CHUNK_BYTES_USUAL;

/// What an instance sends of an object.
pub(crate) struct Sent {
    pieces: mpsc::Receiver<Bytes>,
    ended: Option<oneshot::Receiver<Result<(), types::Error>>>,
    instance: Instance,
    /// Why it will never say how it ended.
    trap: Option<BoxFuture<'static, Error>>,
    /// What belongs to the next of its runs.
    rest: Bytes,
}

impl Sent {
    pub fn new(
        pieces: mpsc::Receiver<Bytes>,
        ended: oneshot::Receiver<Result<(), types::Error>>,
        instance: Instance,
    ) -> Self {
        Self { pieces, ended: Some(ended), instance, trap: None, rest: Bytes::new() }
    }

    /// The next bytes, no more than `bytes_max`; `None` after the last, and only if it was
    /// all.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        bytes_max: u64,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.pieces).poll_next(cx)) {
                Some(piece) => self.rest = piece,
                None => return self.poll_end(cx).map(|end| end.map(Err)),
            }
        }
        let count = (self.rest.len() as u64).min(bytes_max) as usize;
        Poll::Ready(Some(Ok(self.rest.split_to(count))))
    }

    /// What was wrong, if anything was.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if let Some(trap) = &mut self.trap {
            return trap.as_mut().poll(cx).map(Some);
        }
        let Some(ended) = &mut self.ended else { return Poll::Ready(None) };
        let end = ready!(Pin::new(ended).poll(cx));
        self.ended = None;
        match end {
            Ok(Ok(())) => Poll::Ready(None),
            Ok(Err(error)) => Poll::Ready(Some(Error::Store(error.into()))),
            Err(_) => {
                let instance = self.instance.clone();
                let trap = self.trap.insert(Box::pin(async move { instance.trap().await }));
                trap.as_mut().poll(cx).map(Some)
            }
        }
    }
}

/// An object being read: its description, and its body as [`AsyncRead`] or piece by
/// piece. Every byte that it gives has been verified, and it ends with an error
/// unless it was whole.
pub struct ObjectReader {
    content: Content,
    /// The instances that read it, in the order of their turns.
    senders: Vec<Sent>,
    /// Where the next bytes lie in the object.
    position: u64,
    /// What `AsyncRead` has not passed on yet.
    rest: Bytes,
}

impl ObjectReader {
    pub(crate) fn new(content: Content, sent: Sent) -> Self {
        let position = content.part.start;
        Self { content, senders: vec![sent], position, rest: Bytes::new() }
    }

    /// Adds an instance whose turn comes after all others.
    pub(crate) fn join(&mut self, sent: Sent) {
        self.senders.push(sent);
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
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.position == self.content.part.end {
            return self.poll_ends(cx);
        }
        let (turn, bytes_max) = self.turn();
        let piece = ready!(self.senders[turn].poll_next(cx, bytes_max));
        Poll::Ready(Some(match piece {
            Some(Ok(piece)) => {
                self.position += piece.len() as u64;
                Ok(piece)
            }
            Some(Err(error)) => {
                // Nothing comes after an error.
                self.position = self.content.part.end;
                self.senders.clear();
                Err(error)
            }
            None => Err(Error::Trap(format!("it gave nothing behind byte {}", self.position))),
        }))
    }

    /// Whose turn it is, and for how many bytes.
    fn turn(&self) -> (usize, u64) {
        let many = self.senders.len() as u64;
        if many == 1 {
            return (0, u64::MAX);
        }
        let run = self.position / RUN_BYTES;
        let turn = (run - self.content.part.start / RUN_BYTES) % many;
        (turn as usize, (run + 1) * RUN_BYTES - self.position)
    }

    /// Whether all that were to send have sent all: what each says only at its end.
    fn poll_ends(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        while let Some(last) = self.senders.last_mut() {
            let end = ready!(last.poll_next(cx, u64::MAX));
            self.senders.pop();
            let error = match end {
                None => continue,
                Some(Err(error)) => error,
                Some(Ok(_)) => Error::Trap("it gave more than it said".to_string()),
            };
            self.senders.clear();
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(None)
    }
}

impl AsyncRead for ObjectReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.poll_piece(cx)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}
