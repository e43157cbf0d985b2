//! Whether a connection still moves, and whose turn it is where it does not.
//!
//! A connection is closed when it has no request for a while, or when all its requests wait
//! for the client and no byte has moved for a while. What waits for the store is left in
//! peace: the store has time-outs of its own.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::limits::{HEAD_TIMEOUT, IDLE_TIMEOUT, STALL_TIMEOUT};

/// What moves on one connection.
pub(super) struct Traffic {
    begun: Instant,
    /// When a byte last moved, and when the last request ended: milliseconds since the
    /// beginning.
    moved_ms: AtomicU64,
    free_ms: AtomicU64,
    /// Whether it ever had a request.
    used: AtomicBool,
    requests: AtomicUsize,
    /// How many of them wait for the client.
    waiting: AtomicUsize,
}

impl Traffic {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            moved_ms: AtomicU64::new(0),
            free_ms: AtomicU64::new(0),
            used: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until the connection is to be closed; says why.
    pub async fn dead(&self) -> &'static str {
        loop {
            match self.patience() {
                Ok(wait) => sleep(wait).await,
                Err(why) => return why,
            }
        }
    }

    /// How long to wait before another look, or why not to wait any longer.
    fn patience(&self) -> std::result::Result<Duration, &'static str> {
        let requests = self.requests.load(Relaxed);
        let (since_ms, limit, why) = if requests > 0 {
            // One that begins to wait for the client just now waits at least this long.
            if self.waiting.load(Relaxed) < requests {
                return Ok(STALL_TIMEOUT);
            }
            (self.moved_ms.load(Relaxed), STALL_TIMEOUT, "the client stalled")
        } else if self.used.load(Relaxed) {
            (self.free_ms.load(Relaxed), IDLE_TIMEOUT, "idle")
        } else {
            (0, HEAD_TIMEOUT, "no request came")
        };
        let quiet = Duration::from_millis(self.now_ms().saturating_sub(since_ms));
        match limit.checked_sub(quiet) {
            Some(wait) if !wait.is_zero() => Ok(wait),
            _ => Err(why),
        }
    }
}

/// One request on a connection: counts it, and knows whose turn it is.
pub(super) struct Turn {
    traffic: Arc<Traffic>,
    client: AtomicBool,
}

impl Turn {
    pub fn new(traffic: Arc<Traffic>) -> Arc<Self> {
        traffic.requests.fetch_add(1, Relaxed);
        traffic.used.store(true, Relaxed);
        Arc::new(Self { traffic, client: AtomicBool::new(false) })
    }

    /// It is the client's turn: to send of a body, or to take of an answer.
    pub fn of_client(&self) {
        if !self.client.swap(true, Relaxed) {
            self.traffic.waiting.fetch_add(1, Relaxed);
        }
    }

    /// It is the store's turn.
    pub fn of_store(&self) {
        if self.client.swap(false, Relaxed) {
            self.traffic.waiting.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of_store();
        self.traffic.free_ms.store(self.traffic.now_ms(), Relaxed);
        self.traffic.requests.fetch_sub(1, Relaxed);
    }
}

/// A connection's bytes, which are noticed as they move.
pub(super) struct Watched<S> {
    stream: S,
    traffic: Arc<Traffic>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, traffic: Arc<Traffic>) -> Self {
        Self { stream, traffic }
    }

    fn moved(&self) {
        self.traffic.moved_ms.store(self.traffic.now_ms(), Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.moved();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.moved();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.moved();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_closed() {
        let traffic = Traffic::new();
        let begun = Instant::now();
        assert_eq!(traffic.dead().await, "no request came");
        assert_eq!(begun.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
        drop(Turn::new(traffic.clone()));
        let begun = Instant::now();
        assert_eq!(traffic.dead().await, "idle");
        assert_eq!(begun.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stalls_is_cut_off_and_the_store_is_not() {
        let traffic = Traffic::new();
        let turn = Turn::new(traffic.clone());
        advance(10 * STALL_TIMEOUT).await;
        assert!(traffic.patience().is_ok(), "it is the store's turn");
        turn.of_client();
        assert_eq!(traffic.patience(), Err("the client stalled"));
        let other = Turn::new(traffic.clone());
        assert!(traffic.patience().is_ok(), "another request waits for the store");
        drop(other);
        turn.of_store();
        assert!(traffic.patience().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_served_as_long_as_bytes_move() {
        let traffic = Traffic::new();
        let turn = Turn::new(traffic.clone());
        turn.of_client();
        let mut stream = Watched::new(tokio::io::sink(), traffic.clone());
        for _ in 0..10 {
            advance(STALL_TIMEOUT - Duration::from_secs(1)).await;
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"x").await.unwrap();
            assert!(traffic.patience().is_ok());
        }
    }
}
