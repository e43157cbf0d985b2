//! One running instance of a component, on a thread of its own.
//!
//! Operations are handed to it as jobs and run concurrently in it. A trap ends the
//! instance and every job in it: each finds its channel closed and reports the trap.
//! The thread keeps the guest's hashing off the threads that serve its I/O.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use wasmtime::Store;
use wasmtime::component::{Accessor, InstancePre};

use crate::bindings;
use crate::engine::Guest;
use crate::error::Error;
use crate::operations::{self, Schedule};
use crate::surroundings::{State, Surroundings};

/// A job under way in an instance of `G`.
type Job<G> = Box<dyn for<'a> FnOnce(&'a Accessor<State>, &'a G) -> BoxFuture<'a, ()> + Send>;

/// A handle on a running instance; the instance ends when the last one is dropped
/// and its jobs are done.
pub(crate) struct Instance<G = bindings::Store> {
    jobs: mpsc::UnboundedSender<Job<G>>,
    end: Arc<Mutex<Option<String>>>,
    /// Closed when the thread is about to end, with all that it had begun.
    gone: watch::Receiver<()>,
}

impl<G> Clone for Instance<G> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), end: self.end.clone(), gone: self.gone.clone() }
    }
}

impl<G: Guest> Instance<G> {
    /// Starts an instance. It has a runtime of its own for timers and for the backend's
    /// work, so it outlives that of whoever called first.
    pub fn start(surroundings: Surroundings) -> Result<Self, Error> {
        let compiled = G::compiled()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Start(error.to_string()))?;
        let (jobs, inbox) = mpsc::unbounded_channel();
        let end = Arc::new(Mutex::new(None));
        let reason = end.clone();
        let (alive, gone) = watch::channel(());
        let run = move || {
            let ended = runtime.block_on(run(compiled, surroundings, inbox));
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

    /// How many handles there are. Every job holds one until it ends, whoever waits for it,
    /// and so does whoever reads from the instance.
    pub fn handles(&self) -> usize {
        self.jobs.strong_count()
    }

    /// Whether it takes no more jobs.
    pub fn has_ended(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Runs `call` in the instance and gives its result.
    pub async fn run<R, F>(&self, call: F) -> Result<R, Error>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(&'a Accessor<State>, &'a G) -> BoxFuture<'a, R> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let handle = self.jobs.clone();
        let job: Job<G> = Box::new(move |accessor, component| {
            let result = call(accessor, component);
            Box::pin(async move {
                let result = result.await;
                // Before the caller goes on, who would find the instance busy.
                drop(handle);
                // One that has gone does not want to know.
                let _ = sender.send(result);
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

async fn run<G: Guest>(
    compiled: &InstancePre<State>,
    surroundings: Surroundings,
    mut inbox: mpsc::UnboundedReceiver<Job<G>>,
) -> wasmtime::Result<()> {
    let mut store = Store::new(compiled.component().engine(), surroundings.state());
    store.limiter(State::memory_limiter);
    let instance = compiled.instantiate_async(&mut store).await?;
    let exports = G::exports(&mut store, &instance)?;
    store
        .run_concurrent(async |accessor| {
            let log = || operations::log(exports.metrics(), accessor);
            if operations::is_wanted() {
                // Operations are noted from now on.
                log().await;
            }
            let mut schedule = Schedule::default();
            let mut logging = FuturesUnordered::new();
            let mut running = FuturesUnordered::new();
            loop {
                tokio::select! {
                    job = inbox.recv() => match job {
                        Some(job) => {
                            schedule.called();
                            running.push(job(accessor, &exports));
                        }
                        None => break,
                    },
                    Some(()) = running.next() => {}
                    () = schedule.due(), if logging.is_empty() => logging.push(log()),
                    Some(under_way) = logging.next() => schedule.asked(under_way),
                }
            }
            while running.next().await.is_some() {}
            while logging.next().await.is_some() {}
            if operations::is_wanted() {
                log().await;
            }
        })
        .await
}
