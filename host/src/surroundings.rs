//! What an instance runs over: its `kv`, its memory, what it is told and what it says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use chunk_store::kv::KvLimits;
use tokio::io::AsyncWrite;
use wasmtime::ResourceLimiter;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::kv::Backend;

/// What an instance runs over.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// What `kv` is served from.
    pub backend: Arc<dyn Backend>,
    pub memory: Arc<GuestMemory>,
    /// How many bytes of values the guest may hold; what the backend says if `None`.
    pub memory_bytes_max: Option<u64>,
    /// Names and values of the guest's environment, and nothing of the process's own.
    pub environment: Vec<(String, String)>,
}

impl Surroundings {
    /// What an instance starts with.
    pub fn state(self) -> State {
        let mut wasi = WasiCtxBuilder::new();
        wasi.envs(&self.environment).stderr(GuestErrors);
        State {
            backend: self.backend,
            memory_bytes_max: self.memory_bytes_max,
            memory: MemoryLimiter(self.memory),
            wasi: wasi.build(),
            http: WasiHttpCtx::default(),
            http_hooks: OutgoingHttp,
            table: ResourceTable::new(),
        }
    }
}

/// How much memory guests may have, and have had.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    bytes_max: usize,
    peak_bytes: AtomicUsize,
}

impl GuestMemory {
    /// A cap of so many bytes for one instance.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, peak_bytes: AtomicUsize::new(0) })
    }

    /// The most that one instance has had.
    pub fn peak_bytes(&self) -> usize {
        self.peak_bytes.load(Relaxed)
    }
}

struct MemoryLimiter(Arc<GuestMemory>);

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= self.0.bytes_max;
        if allowed {
            self.0.peak_bytes.fetch_max(desired, Relaxed);
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The guest's only table holds its functions and never grows.
        Ok(desired <= 10_000)
    }
}

/// What an instance is served from.
pub(crate) struct State {
    pub backend: Arc<dyn Backend>,
    memory_bytes_max: Option<u64>,
    memory: MemoryLimiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    http_hooks: OutgoingHttp,
    table: ResourceTable,
}

impl State {
    /// What the platform below can hold and do.
    pub fn limits(&self) -> KvLimits {
        let mut limits = self.backend.limits();
        limits.memory_bytes_max = self.memory_bytes_max.unwrap_or(limits.memory_bytes_max);
        limits
    }

    /// What bounds the guest's memory.
    pub fn memory_limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.http_hooks }
    }
}

/// Most bytes of a response that the host takes from a guest at once: what waits for a
/// slow client outside the guest is one such piece and what the connection buffers.
const RESPONSE_PIECE_BYTES: usize = 128 << 10;

/// The guest's view of HTTP: it answers requests and makes none.
struct OutgoingHttp;

type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for OutgoingHttp {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Sent,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sent), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        RESPONSE_PIECE_BYTES
    }
}

/// The guest's standard error stream: each line is an event.
struct GuestErrors;

impl IsTerminal for GuestErrors {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestErrors {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines::default())
    }
}

/// Most bytes of a line; what is beyond is dropped.
const LINE_BYTES_MAX: usize = 4096;

#[derive(Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn end(&mut self) {
        if !self.line.is_empty() {
            tracing::error!(target: "chunk_store", "{}", String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(),
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
                _ => {}
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end();
    }
}
