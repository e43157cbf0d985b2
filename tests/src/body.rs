//! Bodies for `put`: in one piece, in small pieces, failing, never ending.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

/// A body of known bytes, and what happens behind them.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    piece_bytes_max: usize,
    behind: Behind,
}

#[derive(Debug)]
enum Behind {
    End,
    Failure(&'static str),
    Silence,
}

impl Body {
    /// These bytes, then the end.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), piece_bytes_max: usize::MAX, behind: Behind::End }
    }

    /// Given out in pieces of at most so many bytes.
    pub fn in_pieces_of(self, piece_bytes_max: usize) -> Self {
        Self { piece_bytes_max, ..self }
    }

    /// Then an error in place of the end.
    pub fn then_failing(self, why: &'static str) -> Self {
        Self { behind: Behind::Failure(why), ..self }
    }

    /// Then nothing more, not even the end.
    pub fn then_silent(self) -> Self {
        Self { behind: Behind::Silence, ..self }
    }
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            return match self.behind {
                Behind::End => Poll::Ready(Ok(())),
                Behind::Failure(why) => Poll::Ready(Err(io::Error::other(why))),
                Behind::Silence => Poll::Pending,
            };
        }
        let count = self.bytes.len().min(self.piece_bytes_max).min(buffer.remaining());
        buffer.put_slice(&self.bytes[..count]);
        self.bytes.advance(count);
        Poll::Ready(Ok(()))
    }
}
