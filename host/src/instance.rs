//! One running instance of the component, on a thread of its own.
//!
//! Operations are handed to it as jobs and run concurrently in it. A trap ends the
//! instance and every job in it: each finds its channel closed and reports the trap.
//! The thread keeps the guest's hashing off the threads that serve its I/O.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use wasmtime::component::Accessor;
use wasmtime::{ResourceLimiter, Store};
use wasmtime_wasi::ResourceTable;
use wasmtime_wasi::clocks::{WasiClocksCtx, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::random::{WasiRandomCtx, WasiRandomView};

use crate::bindings;
use crate::engine;
use crate::error::Error;
use crate::kv::Backend;

/// A job under way in an instance.
pub(crate) type Job =
    Box<dyn for<'a> FnOnce(&'a Accessor<State>, &'a bindings::Store) -> BoxFuture<'a, ()> + Send>;

/// A handle on a running instance; the instance ends when the last one is dropped
/// and its jobs are done.
#[derive(Clone)]
pub(crate) struct Instance {
    jobs: mpsc::UnboundedSender<Job>,
    end: Arc<Mutex<Option<String>>>,
    /// Closed when the thread is about to end, with all that it had begun.
    gone: watch::Receiver<()>,
}

impl Instance {
    /// Starts an instance over `backend`. It has a runtime of its own for timers and
    /// for the backend's work, so it outlives that of whoever called first.
    pub fn start(backend: Arc<dyn Backend>, memory: Arc<GuestMemory>) -> Result<Self, Error> {
        let compiled = engine::compiled()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Start(error.to_string()))?;
        let (jobs, inbox) = mpsc::unbounded_channel();
        let end = Arc::new(Mutex::new(None));
        let reason = end.clone();
        let (alive, gone) = watch::channel(());
        let run = move || {
            let ended = runtime.block_on(run(compiled, backend, memory, inbox));
            let why = ended.err().map_or("it was shut down".to_string(), |error| describe(&error));
            *reason.lock().expect("never held across a panic") = Some(why);
            // Waits for what the backend has begun on threads.
            drop(runtime);
            drop(alive);
        };
        std::thread::Builder::new()
            .name("chunk-store guest".to_string())
            .spawn(run)
            .map_err(|error| Error::Start(error.to_string()))?;
        Ok(Self { jobs, end, gone })
    }

    /// Waits until it has ended, which takes that all other handles are dropped.
    pub async fn ended(self) {
        let Self { jobs, mut gone, .. } = self;
        drop(jobs);
        // Nothing is ever sent: an error says that the thread is gone.
        while gone.changed().await.is_ok() {}
    }

    /// Whether it takes no more jobs.
    pub fn has_ended(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Runs `call` in the instance and gives its result.
    pub async fn run<R, F>(&self, call: F) -> Result<R, Error>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(&'a Accessor<State>, &'a bindings::Store) -> BoxFuture<'a, R>
            + Send
            + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |accessor, component| {
            let result = call(accessor, component);
            Box::pin(async move {
                // A caller that has gone does not want to know.
                let _ = sender.send(result.await);
            })
        });
        if self.jobs.send(job).is_err() {
            return Err(self.trap().await);
        }
        match receiver.await {
            Ok(result) => Ok(result),
            Err(_) => Err(self.trap().await),
        }
    }

    /// The error of an operation that the instance took down with it.
    pub async fn trap(&self) -> Error {
        // The jobs are dropped a moment before the reason is known.
        self.jobs.closed().await;
        for _ in 0..100 {
            if let Some(why) = self.end.lock().expect("never held across a panic").clone() {
                return Error::Trap(why);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Error::Trap("it ended without a reason".to_string())
    }
}

/// The innermost cause, without the backtrace of the guest.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    let why = error.root_cause().to_string();
    why.lines().next().unwrap_or("unknown").to_string()
}

async fn run(
    compiled: &engine::Compiled,
    backend: Arc<dyn Backend>,
    memory: Arc<GuestMemory>,
    mut inbox: mpsc::UnboundedReceiver<Job>,
) -> wasmtime::Result<()> {
    let state = State {
        backend,
        memory: MemoryLimiter(memory),
        clocks: WasiClocksCtx::default(),
        random: WasiRandomCtx::default(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&compiled.engine, state);
    store.limiter(|state| &mut state.memory);
    let component = compiled.component.instantiate_async(&mut store).await?;
    store
        .run_concurrent(async |accessor| {
            let mut running = FuturesUnordered::new();
            loop {
                tokio::select! {
                    job = inbox.recv() => match job {
                        Some(job) => running.push(job(accessor, &component)),
                        None => break,
                    },
                    Some(()) = running.next() => {}
                }
            }
            while running.next().await.is_some() {}
        })
        .await
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
    memory: MemoryLimiter,
    clocks: WasiClocksCtx,
    random: WasiRandomCtx,
    table: ResourceTable,
}

impl WasiClocksView for State {
    fn clocks(&mut self) -> WasiClocksCtxView<'_> {
        WasiClocksCtxView { ctx: &mut self.clocks, table: &mut self.table }
    }
}

impl WasiRandomView for State {
    fn random(&mut self) -> &mut WasiRandomCtx {
        &mut self.random
    }
}
