//! A store to use from Rust: the component's interfaces as async functions.

pub(crate) mod uploads;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chunk_store::error::Error as StoreError;
use chunk_store::kv::KvLimits;
use chunk_store::metrics::Snapshot;
use chunk_store::object::{
    Content, GetOptions, ListOptions, ObjectInfo, ObjectPage, Precondition, PutOptions,
    SweepOptions, SweepReport, VerifyReport,
};
use chunk_store::stripe::Stripe;
use futures::future::join_all;
use tokio::sync::oneshot;
use wasmtime::component::{FutureReader, StreamReader};

use crate::bindings::{self, types};
use crate::body::{Body, Taken, TakenEnd};
use crate::engine::Guest;
use crate::error::Error;
use crate::instance::{Instance, describe};
use crate::kv::Backend;
use crate::reader::{ObjectReader, RUN_BYTES, Sent};
use crate::surroundings::{GuestMemory, Surroundings};

/// How a [`ChunkStore`] runs its component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The most memory that the guest may have, in bytes; it traps beyond. Default
    /// 128 MiB; with the default limits of a backend it uses under 32 MiB, or 48 with many
    /// operations at once.
    pub guest_memory_bytes_max: usize,
    /// How many instances share the work, each on a thread of its own, in memory of its own:
    /// an operation goes to the one with the least to do, a large get to all of them. One is
    /// started when all others are busy. Default 1.
    pub instances_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { guest_memory_bytes_max: 128 << 20, instances_max: 1 }
    }
}

/// An object that several instances are to read may be replaced so often while they open
/// it; after that one reads it alone.
const OPENED_AGAIN_MAX: u32 = 3;

/// Objects of any size in a key-value store. Cheap to clone; clones share one
/// instance of the component, in which their operations run at once, or several of them
/// ([`Config::instances_max`]).
#[derive(Clone)]
pub struct ChunkStore {
    shared: Arc<Shared>,
}

struct Shared {
    surroundings: Surroundings,
    /// Each started when it is first needed.
    instances: Vec<Mutex<Option<Instance>>>,
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
        let instances = (0..config.instances_max.max(1)).map(|_| Mutex::default()).collect();
        Ok(Self { shared: Arc::new(Shared { surroundings, instances }) })
    }

    /// Waits until what failed operations had begun is over, at most for so long: a
    /// program that ends before may leave values behind that are half written, and nothing
    /// removes those for an hour. Other clones of this store are not waited for.
    pub async fn shut_down(self, patience: Duration) {
        let instances = self.shared.instances.iter();
        let running = instances.filter_map(|one| locked(one).take()).map(Instance::ended);
        let _ = tokio::time::timeout(patience, join_all(running)).await;
    }

    /// The most memory that an instance of this store has had, in bytes.
    pub fn guest_memory_bytes(&self) -> usize {
        self.shared.surroundings.memory.peak_bytes()
    }

    /// What the platform below can hold and do.
    pub(crate) fn limits(&self) -> KvLimits {
        self.shared.surroundings.backend.limits()
    }

    /// The instance with the least to do.
    fn instance(&self) -> Result<Instance, Error> {
        self.instance_at(self.least_busy())
    }

    fn least_busy(&self) -> usize {
        let handles = |index: &usize| {
            let instance = locked(&self.shared.instances[*index]);
            let running = instance.as_ref().filter(|instance| !instance.has_ended());
            // This one is a handle too; one that is not running has nothing to do.
            running.map_or(1, Instance::handles)
        };
        (0..self.shared.instances.len()).min_by_key(handles).expect("there is one at least")
    }

    /// A running instance, or a fresh one in place of one that has trapped.
    fn instance_at(&self, index: usize) -> Result<Instance, Error> {
        let mut current = locked(&self.shared.instances[index]);
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
                    let stream = StreamReader::new(&mut store, pieces)?;
                    wasmtime::error::Ok((stream, FutureReader::new(&mut store, done)?))
                })?;
                let objects = component.streaming_chunk_store_objects();
                objects.call_put(accessor, key, stream, Some(done), options.into()).await
            })
        });
        finish(put.await?)
    }

    /// Opens an object, or part of it, for reading: with several [instances](Config), by
    /// all of them at once if it is large.
    pub async fn get(&self, key: &str, options: GetOptions) -> Result<ObjectReader, Error> {
        if self.shared.instances.len() > 1 && options.stripe.is_none() {
            for _ in 0..OPENED_AGAIN_MAX {
                if let Some(reader) = self.get_together(key, &options).await? {
                    return Ok(reader);
                }
            }
        }
        let (content, sent) = self.open(self.least_busy(), key, options).await?;
        Ok(ObjectReader::new(content, sent))
    }

    /// Opens an object with as many instances as there are runs for; `None` if it was
    /// replaced before all had opened it.
    async fn get_together(
        &self,
        key: &str,
        options: &GetOptions,
    ) -> Result<Option<ObjectReader>, Error> {
        let of = self.shared.instances.len();
        let stripe =
            |turn| Some(Stripe { run_bytes: RUN_BYTES, of: of as u32, index: turn as u32 });
        let first = self.least_busy();
        let options_of_first = GetOptions { stripe: stripe(0), ..options.clone() };
        let (content, sent) = self.open(first, key, options_of_first).await?;
        let generation = content.info.generation.clone();
        let part = content.part;
        let runs = part.end.div_ceil(RUN_BYTES) - part.start / RUN_BYTES;
        let mut reader = ObjectReader::new(content, sent);
        for turn in 1..runs.min(of as u64) as usize {
            let next = GetOptions {
                range: options.range,
                precondition: Some(Precondition::GenerationIs(generation.clone())),
                stripe: stripe(turn),
            };
            match self.open((first + turn) % of, key, next).await {
                Ok((_, sent)) => reader.join(sent),
                Err(Error::Store(StoreError::PreconditionFailed(_) | StoreError::NotFound)) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(reader))
    }

    /// Opens what one instance is to give.
    async fn open(
        &self,
        index: usize,
        key: &str,
        options: GetOptions,
    ) -> Result<(Content, Sent), Error> {
        let key = key.to_string();
        let instance = self.instance_at(index)?;
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
                wasmtime::error::Ok(Ok((content.into(), pieces, end_taken)))
            })
        });
        let opened = opened.await?.map_err(trapped)?.map_err(|error| Error::Store(error.into()))?;
        let (content, pieces, ended) = opened;
        Ok((content, Sent::new(pieces, ended, instance)))
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

    /// What this store has done since its running instances started, by all its clones;
    /// `docs/metrics.md` lists the names.
    pub async fn metrics(&self) -> Result<Snapshot, Error> {
        self.instance_at(0)?;
        let all = self.shared.instances.iter().filter_map(|one| locked(one).clone());
        let running: Vec<_> = all.filter(|instance| !instance.has_ended()).collect();
        let mut sum = Snapshot::default();
        for instance in running {
            let read = instance.run(move |accessor, component| {
                let metrics = component.streaming_chunk_store_metrics();
                Box::pin(async move { metrics.call_read(accessor).await })
            });
            sum.merge(read.await?.map(Into::into).map_err(trapped)?);
        }
        Ok(sum)
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

fn locked(instance: &Mutex<Option<Instance>>) -> MutexGuard<'_, Option<Instance>> {
    instance.lock().expect("never held across a panic")
}

fn trapped(error: wasmtime::Error) -> Error {
    Error::Trap(describe(&error))
}
