//! A stream, written to standard output as it comes.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Source, StreamConsumer, StreamResult};

/// Takes a stream, and tells how many bytes there were when it ends.
pub struct Output {
    bytes: u64,
    tell: Option<oneshot::Sender<u64>>,
}

impl Output {
    /// One, and what tells of its end.
    pub fn new() -> (Self, oneshot::Receiver<u64>) {
        let (tell, told) = oneshot::channel();
        (Self { bytes: 0, tell: Some(tell) }, told)
    }
}

impl<T> StreamConsumer<T> for Output {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<T>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let count = source.remaining().len();
        std::io::stdout().write_all(source.remaining())?;
        source.mark_read(count);
        self.bytes += count as u64;
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            // Whoever does not wait does not want to know.
            let _ = tell.send(self.bytes);
        }
    }
}
