//! A body on its way in, wherever it comes from.

use std::future::Future;

/// Where the bytes of a put come from.
pub trait Source {
    /// Reads into the spare capacity of `buffer`, which is at least one byte, and
    /// gives it back; `true` with it when the body has ended, with or without last
    /// bytes.
    fn read(&mut self, buffer: Vec<u8>) -> impl Future<Output = (Vec<u8>, bool)>;

    /// Called once after the end: whether it was the end of a whole body, or the
    /// source broke off, and why.
    fn done(&mut self) -> impl Future<Output = Result<(), String>>;
}

/// Bytes that are all at hand, given in pieces of at most `piece_bytes`.
#[derive(Debug, Clone)]
pub struct SliceSource<'a> {
    bytes: &'a [u8],
    piece_bytes: usize,
}

impl<'a> SliceSource<'a> {
    /// All of `bytes`; `piece_bytes` is at least one.
    pub fn new(bytes: &'a [u8], piece_bytes: usize) -> Self {
        assert!(piece_bytes > 0, "pieces of no bytes never end");
        Self { bytes, piece_bytes }
    }
}

impl Source for SliceSource<'_> {
    async fn read(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, bool) {
        let room = buffer.capacity() - buffer.len();
        let (now, later) = self.bytes.split_at(self.bytes.len().min(room).min(self.piece_bytes));
        buffer.extend_from_slice(now);
        self.bytes = later;
        (buffer, later.is_empty())
    }

    async fn done(&mut self) -> Result<(), String> {
        Ok(())
    }
}
