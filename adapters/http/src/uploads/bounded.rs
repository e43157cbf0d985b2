//! A body that may not be longer than was said.

use std::cell::Cell;
use std::rc::Rc;

use chunk_store::body::Source;

/// Gives so many bytes of a body and no more; what was left of it shows in `exceeded`.
pub(super) struct Bounded<S> {
    source: S,
    /// How many bytes it may still have; `None` where nothing was said.
    left: Option<u64>,
    exceeded: Rc<Cell<bool>>,
}

impl<S: Source> Bounded<S> {
    /// The body, and where it shows that it was longer.
    pub fn new(source: S, bytes_max: Option<u64>) -> (Self, Rc<Cell<bool>>) {
        let exceeded = Rc::new(Cell::new(false));
        (Self { source, left: bytes_max, exceeded: exceeded.clone() }, exceeded)
    }
}

impl<S: Source> Source for Bounded<S> {
    async fn read(&mut self, buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let had = buffer.len();
        let (mut buffer, ended) = self.source.read(buffer).await;
        let Some(left) = self.left else { return (buffer, ended) };
        let more = (buffer.len() - had) as u64;
        if more > left {
            self.exceeded.set(true);
            buffer.truncate(had + left as usize);
            return (buffer, true);
        }
        self.left = Some(left - more);
        (buffer, ended)
    }

    async fn done(&mut self) -> Result<(), String> {
        self.source.done().await
    }
}

#[cfg(test)]
mod tests {
    use chunk_store::body::SliceSource;
    use futures_executor::block_on;

    use super::*;

    fn read(length: usize, bytes_max: Option<u64>) -> (usize, bool) {
        let content = vec![7; length];
        let (mut bounded, exceeded) = Bounded::new(SliceSource::new(&content, 10), bytes_max);
        let mut taken = 0;
        loop {
            let (bytes, ended) = block_on(bounded.read(Vec::with_capacity(16)));
            taken += bytes.len();
            if ended {
                return (taken, exceeded.get());
            }
        }
    }

    #[test]
    fn the_excess_is_not_given_out() {
        assert_eq!(read(25, None), (25, false));
        assert_eq!(read(25, Some(25)), (25, false));
        assert_eq!(read(25, Some(26)), (25, false));
        assert_eq!(read(25, Some(24)), (24, true));
        assert_eq!(read(25, Some(10)), (10, true));
        assert_eq!(read(25, Some(0)), (0, true));
    }
}
