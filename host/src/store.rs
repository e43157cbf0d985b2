//! A store to use from Rust: the component's interfaces as async functions.

pub(crate) mod uploads;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chunk_store::kv::KvLimits;
use chunk_store::object::{
    GetOptions, ListOptions, ObjectInfo, ObjectPage, Precondition, PutOptions, SweepOptions,
    SweepReport, VerifyReport,
};
use tokio::sync::oneshot;
use wasmtime::component::{FutureReader, StreamReader};

use crate::bindings::{self, types};
use crate::body::{Body, ObjectReader, Opened, Pieces, Taken, TakenEnd};
use crate::engine::Guest;
use crate::error::Error;
use crate::instance::{Instance, describe};
use crate::kv::Backend;
use crate::surroundings::{GuestMemory, Surroundings};

/// How a [`ChunkStore`] runs its component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The most memory that the guest may have, in bytes; it traps beyond. Default
    /// 128 MiB; with the default limits of a backend it uses under 32 MiB.
    pub guest_memory_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { guest_memory_bytes_max: 128 << 20 }
    }
}

/// Objects of any size in a key-value store. Cheap to clone; clones share one
/// instance of the component, in which their operations run at once.
#[derive(Clone)]
pub struct ChunkStore {
    shared: Arc<Shared>,
}

struct Shared {
    surroundings: Surroundings,
    instance: Mutex<Option<Instance>>,
}

impl ChunkStore {
    /// A store over `backend`. The first one of a process compiles the component, or
    /// takes it from wasmtime's cache.
    pub fn new(backend: Arc<dyn Backend>) -> Result<Self, Error> {
        Self::with_config(backend, &Config::default())
    }

    /// The same, with settings.
    pub fn with_config(backend: Arc<dyn Backend>, config: &Config) -> Result<Self, Error> {
        bindings::Store::compiled()?;
        let memory = GuestMemory::new(config.guest_memory_bytes_max);
        let surroundings =
            Surroundings { backend, memory, memory_bytes_max: None, environment: Vec::new() };
        Ok(Self { shared: Arc::new(Shared { surroundings, instance: Mutex::new(None) }) })
    }

    /// Waits until what failed operations had begun is over, at most for so long: a
    /// program that ends before may leave values behind that are half written, and nothing
    /// removes those for an hour. Other clones of this store are not waited for.
    pub async fn shut_down(self, patience: Duration) {
        let instance = self.shared.instance.lock().expect("never held across a panic").take();
        if let Some(instance) = instance {
            let _ = tokio::time::timeout(patience, instance.ended()).await;
        }
    }

    /// The most memory that an instance of this store has had, in bytes.
    pub fn guest_memory_bytes(&self) -> usize {
        self.shared.surroundings.memory.peak_bytes()
    }

    /// What the platform below can hold and do.
    pub(crate) fn limits(&self) -> KvLimits {
        self.shared.surroundings.backend.limits()
    }

    /// The running instance, or a fresh one in place of one that has trapped.
    fn instance(&self) -> Result<Instance, Error> {
        let mut current = self.shared.instance.lock().expect("never held across a panic");
        match &*current {
            Some(instance) if !instance.has_ended() => Ok(instance.clone()),
            _ => {
                let fresh = Instance::start(self.shared.surroundings.clone())?;
                *current = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }

    /// Stores what `body` gives under a key. The object appears at once and whole, or
    /// not at all: a body that fails, or is not of the announced size or digest,
    /// stores nothing. Dropping the future gives the put up: it stores nothing either,
    /// unless its body had ended by then.
    pub async fn put(
        &self,
        key: &str,
        body: impl Into<Body>,
        options: PutOptions,
    ) -> Result<ObjectInfo, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let Body { pieces, ended, wanted: _wanted } = body.into();
        let done = async move {
            let end = match ended.await {
                Ok(end) => end,
                Err(_) => Err("its reader was stopped".to_string()),
            };
            wasmtime::error::Ok(end.map_err(types::Error::BodyMismatch))
        };
        let put = instance.run(move |accessor, component| {
            Box::pin(async move {
                let (stream, done) = accessor.with(|mut store| {
                    let stream = StreamReader::new(&mut store, Pieces::new(pieces))?;
                    wasmtime::error::Ok((stream, FutureReader::new(&mut store, done)?))
                })?;
                let objects = component.streaming_chunk_store_objects();
                objects.call_put(accessor, key, stream, Some(done), options.into()).await
            })
        });
        finish(put.await?)
    }

    /// Opens an object, or part of it, for reading.
    pub async fn get(&self, key: &str, options: GetOptions) -> Result<ObjectReader, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let opened = instance.run(move |accessor, component| {
            Box::pin(async move {
                let objects = component.streaming_chunk_store_objects();
                let got = objects.call_get(accessor, key, options.into()).await?;
                let (content, stream, end) = match got {
                    Ok(got) => got,
                    Err(error) => return Ok(Err(error)),
                };
                let (taken, pieces) = Taken::channel();
                let (ended, end_taken) = oneshot::channel();
                accessor.with(|mut store| {
                    stream.pipe(&mut store, taken)?;
                    end.pipe(&mut store, TakenEnd(Some(ended)))
                })?;
                let opened: Opened = (content.into(), pieces, end_taken);
                wasmtime::error::Ok(Ok(opened))
            })
        });
        let opened = opened.await?.map_err(trapped)?.map_err(|error| Error::Store(error.into()))?;
        Ok(ObjectReader::new(opened, instance))
    }

    /// Describes an object without reading its content.
    pub async fn head(
        &self,
        key: &str,
        precondition: Option<Precondition>,
    ) -> Result<ObjectInfo, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let head = instance.run(move |accessor, component| {
            Box::pin(async move {
                let objects = component.streaming_chunk_store_objects();
                objects.call_head(accessor, key, precondition.map(Into::into)).await
            })
        });
        finish(head.await?)
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &str, precondition: Option<Precondition>) -> Result<(), Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let deleted = instance.run(move |accessor, component| {
            Box::pin(async move {
                let objects = component.streaming_chunk_store_objects();
                objects.call_delete(accessor, key, precondition.map(Into::into)).await
            })
        });
        finish(deleted.await?)
    }

    /// Lists objects, a page at a time.
    pub async fn list(&self, options: ListOptions) -> Result<ObjectPage, Error> {
        let instance = self.instance()?;
        let listed = instance.run(move |accessor, component| {
            Box::pin(async move {
                let objects = component.streaming_chunk_store_objects();
                objects.call_list(accessor, options.into()).await
            })
        });
        finish(listed.await?)
    }

    /// Reads every chunk of an object and checks it.
    pub async fn verify(&self, key: &str) -> Result<VerifyReport, Error> {
        let key = key.to_string();
        let instance = self.instance()?;
        let verified = instance.run(move |accessor, component| {
            Box::pin(async move {
                let maintenance = component.streaming_chunk_store_maintenance();
                maintenance.call_verify(accessor, key).await
            })
        });
        finish(verified.await?)
    }

    /// Gives back the space of what no object needs any more.
    pub async fn sweep(&self, options: SweepOptions) -> Result<SweepReport, Error> {
        let instance = self.instance()?;
        let swept = instance.run(move |accessor, component| {
            Box::pin(async move {
                let sweeping = component.streaming_chunk_store_sweeping();
                sweeping.call_sweep(accessor, options.into()).await
            })
        });
        finish(swept.await?)
    }
}

/// The result of a call: what the guest says, or that it could not be called.
fn finish<G, T: From<G>>(called: wasmtime::Result<Result<G, types::Error>>) -> Result<T, Error> {
    called.map_err(trapped)?.map(Into::into).map_err(|error| Error::Store(error.into()))
}

fn trapped(error: wasmtime::Error) -> Error {
    Error::Trap(describe(&error))
}
