//! Sends a body to its reader, piece by piece.
//!
//! A reader that stops to take anything holds a whole chunk, and few of them would hold
//! all memory. So where memory is wanted, what such a reader has not taken goes back to
//! where it came from, and is fetched again should the reader go on.

use std::pin::pin;

use futures::future::{Either, select};
use wasip3::clocks::monotonic_clock;
use wit_bindgen::{StreamResult, StreamWrite, StreamWriter};

use super::store;
use crate::error::Error;
use crate::limits::{MEMORY_ASK_MS, STALLED_BYTES};
use crate::store::get::Piece;

/// A body on its way out of the component.
pub trait Outgoing {
    /// What there is to say when it has ended well.
    type End;

    /// What comes next. After an error or the end it is not asked again.
    #[allow(async_fn_in_trait)]
    async fn next(&mut self) -> Result<Next<Self::End>, Error>;

    /// Takes back the last bytes of a piece that may be.
    fn put_back(&mut self, bytes: u64);
}

/// What comes next of a body.
pub enum Next<E> {
    /// Bytes.
    Piece(Piece),
    /// There are no more.
    End(E),
}

/// Sends all of a body, and gives what it ended with; `None` if its reader went away,
/// so that nobody is left to tell.
pub async fn send<O: Outgoing>(
    body: &mut O,
    stream: &mut StreamWriter<u8>,
) -> Option<Result<O::End, Error>> {
    loop {
        let piece = match body.next().await {
            Ok(Next::Piece(piece)) => piece,
            Ok(Next::End(end)) => return Some(Ok(end)),
            Err(error) => return Some(Err(error)),
        };
        let may_stall = piece.may_be_put_back();
        let (bytes, share) = piece.into_parts();
        let rest = send_piece(Vec::from(bytes), may_stall, stream).await?;
        // The share of the memory budget is held until the bytes are taken.
        drop(share);
        if rest.is_empty() {
            continue;
        }
        body.put_back((rest.len().saturating_sub(STALLED_BYTES)) as u64);
        // Not cut short in its place: it would lie in the way of the next whole chunk.
        let kept = rest[..rest.len().min(STALLED_BYTES)].to_vec();
        drop(rest);
        if !stream.write_all(kept).await.is_empty() {
            return None;
        }
    }
}

/// Sends a piece, and gives what is left of it: nothing, unless it `may_stall` and did
/// while memory was wanted. `None` if the reader went away.
async fn send_piece(
    bytes: Vec<u8>,
    may_stall: bool,
    stream: &mut StreamWriter<u8>,
) -> Option<Vec<u8>> {
    if !may_stall {
        return stream.write_all(bytes).await.is_empty().then(Vec::new);
    }
    let mut write = stream.write(bytes);
    loop {
        let ((status, rest), stalled) = unless_stalled(write).await;
        match status {
            StreamResult::Dropped => return None,
            _ if rest.remaining() == 0 => return Some(Vec::new()),
            _ if stalled => return Some(rest.into_vec()),
            _ => write = stream.write_buf(rest),
        }
    }
}

/// How a write ended, and what is left of its bytes.
type Written = <StreamWrite<'static, u8> as Future>::Output;

/// Waits for one write; one under which nothing moves while memory is wanted is taken
/// back.
async fn unless_stalled(write: StreamWrite<'_, u8>) -> (Written, bool) {
    let store = store();
    let begun = monotonic_clock::now();
    let mut write = pin!(write);
    loop {
        let wanted = pin!(store.memory_wanted());
        match select(write.as_mut(), wanted).await {
            Either::Left((written, _)) => return (written, false),
            Either::Right(_) => {
                if monotonic_clock::now() - begun >= MEMORY_ASK_MS * 1_000_000 {
                    return (write.cancel(), true);
                }
            }
        }
    }
}
