//! A response's body on its way out.

use std::fmt;

use bytes::Bytes;
use chunk_store::error::Error;
pub use chunk_store::store::get::Piece;
use futures::future::{LocalBoxFuture, ready};

/// Where the pieces of a body come from.
pub(crate) trait Pieces {
    /// The next; `None` after the last.
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>>;

    /// Takes back the last bytes of a piece that may be.
    fn put_back(&mut self, bytes: u64);
}

/// The body of a response, piece by piece. An error is its last piece, and then the
/// connection has to be broken: a body that ends short of its length, or a chunked one
/// that ends cleanly, would look whole.
pub struct Body {
    /// How many bytes it has, if that is known.
    length: Option<u64>,
    /// How many of them are still to come.
    left: Option<u64>,
    pieces: Box<dyn Pieces>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Body {
    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// Bytes that are all at hand.
    pub fn whole(bytes: Bytes) -> Self {
        Self::new(Some(bytes.len() as u64), AtHand(bytes))
    }

    /// Pieces as they come; `length` of them together in bytes, if it is known.
    pub(crate) fn new(length: Option<u64>, pieces: impl Pieces + 'static) -> Self {
        Self { length, left: length, pieces: Box::new(pieces) }
    }

    /// How many bytes it has in all; `None` where nobody knows yet.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; `None` after the last, and after an error.
    pub async fn next(&mut self) -> Option<Result<Piece, Error>> {
        match self.pieces.next().await {
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
        }
    }

    /// Takes back the last `bytes` bytes of the last piece, which
    /// [may be](Piece::may_be_put_back): their memory is free at once, and they come again.
    /// For whoever sends to a client that has stopped to take anything.
    pub fn put_back(&mut self, bytes: u64) {
        self.left = self.left.map(|left| left + bytes);
        self.pieces.put_back(bytes);
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

struct AtHand(Bytes);

impl Pieces for AtHand {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>> {
        let bytes = std::mem::take(&mut self.0);
        Box::pin(ready((!bytes.is_empty()).then(|| Ok(bytes.into()))))
    }

    fn put_back(&mut self, _bytes: u64) {
        unreachable!("its pieces may not be put back")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_executor::block_on;

    use super::*;

    struct Listed(VecDeque<&'static str>);

    impl Pieces for Listed {
        fn next(&mut self) -> LocalBoxFuture<'_, Option<Result<Piece, Error>>> {
            let text = self.0.pop_front();
            Box::pin(ready(text.map(|text| Ok(Bytes::from_static(text.as_bytes()).into()))))
        }

        fn put_back(&mut self, _bytes: u64) {
            self.0.push_front("again");
        }
    }

    fn pieces(of: &[&'static str]) -> Listed {
        Listed(of.iter().copied().collect())
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

    #[test]
    fn what_is_put_back_counts_again() {
        let mut body = Body::new(Some(5), pieces(&["abcde"]));
        block_on(body.next()).unwrap().unwrap();
        body.put_back(5);
        assert_eq!(body.into_whole(), b"again");
    }
}
