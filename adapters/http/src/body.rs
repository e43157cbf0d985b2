//! A response's body on its way out.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use chunk_store::budget::Share;
use chunk_store::error::Error;
use chunk_store::store::get;
use futures::stream::{self, LocalBoxStream};
use futures::{Stream, StreamExt};

/// Bytes of a body, with the share of the memory budget that they take. Drop it when
/// they have been passed on: that is the back-pressure.
#[derive(Debug)]
pub struct Piece {
    /// The bytes, at least one.
    pub bytes: Bytes,
    share: Option<Share>,
}

impl Piece {
    /// The bytes, and what has to be dropped when they have been passed on.
    pub fn into_parts(self) -> (Bytes, Option<Share>) {
        (self.bytes, self.share)
    }
}

impl From<get::Piece> for Piece {
    fn from(piece: get::Piece) -> Self {
        let (bytes, share) = piece.into_parts();
        Self { bytes, share: Some(share) }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, share: None }
    }
}

/// The body of a response: a stream of pieces. An error is its last item, and then the
/// connection has to be broken: a body that ends short of its length, or a chunked one
/// that ends cleanly, would look whole.
pub struct Body {
    /// How many bytes it has, if that is known.
    length: Option<u64>,
    /// How many of them are still to come.
    left: Option<u64>,
    pieces: LocalBoxStream<'static, Result<Piece, Error>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Body {
    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self::new(Some(0), stream::empty())
    }

    /// Bytes that are all at hand.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self::new(Some(length), stream::iter((!bytes.is_empty()).then(|| Ok(Piece::from(bytes)))))
    }

    /// Pieces as they come; `length` of them together in bytes, if it is known.
    pub(crate) fn new(
        length: Option<u64>,
        pieces: impl Stream<Item = Result<Piece, Error>> + 'static,
    ) -> Self {
        Self { length, left: length, pieces: pieces.boxed_local() }
    }

    /// How many bytes it has in all; `None` where nobody knows yet.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// All of it, at once.
    #[cfg(test)]
    pub(crate) fn into_whole(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = futures_executor::block_on(self.next()) {
            bytes.extend_from_slice(&piece.expect("a body that does not fail").bytes);
        }
        bytes
    }
}

impl Stream for Body {
    type Item = Result<Piece, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = futures::ready!(self.pieces.poll_next_unpin(cx));
        Poll::Ready(match next {
            Some(Ok(piece)) => {
                self.left = self.left.map(|left| left.saturating_sub(piece.bytes.len() as u64));
                Some(Ok(piece))
            }
            Some(Err(error)) => {
                self.left = None;
                Some(Err(error))
            }
            // The store says so itself; here it is the last that could.
            None if self.left.is_some_and(|left| left > 0) => {
                self.left = None;
                Some(Err(Error::Corrupt("the content ended before its length".to_string())))
            }
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    fn pieces(of: &'static [&'static str]) -> impl Stream<Item = Result<Piece, Error>> {
        stream::iter(of).map(|text| Ok(Piece::from(Bytes::from_static(text.as_bytes()))))
    }

    #[test]
    fn pieces_come_in_order() {
        assert_eq!(Body::new(Some(6), pieces(&["abc", "def"])).into_whole(), b"abcdef");
        assert_eq!(Body::new(None, pieces(&["abc"])).into_whole(), b"abc");
        assert_eq!(Body::whole(Bytes::new()).into_whole(), b"");
        assert_eq!(Body::empty().length(), Some(0));
    }

    #[test]
    fn a_body_that_ends_short_of_its_length_does_not_end_well() {
        let mut body = Body::new(Some(4), pieces(&["abc"]));
        let items = block_on(async { [body.next().await, body.next().await, body.next().await] });
        assert!(matches!(items, [Some(Ok(_)), Some(Err(Error::Corrupt(_))), None]));
    }
}
