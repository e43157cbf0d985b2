//! A fixed number of instances of the gateway component, each on a thread of its own, so
//! that all processors work and memory is bounded whatever the number of requests.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error as StoreError;
use chunk_store::metrics::Snapshot;
use futures::future::join_all;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime::component::{self, InstancePre};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p3::bindings::cli;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::p3::bindings::http::types::{self as http_types, ErrorCode};
use wasmtime_wasi_http::{WasiBody, WasiHttp, WasiHttpView};

use super::counters::Counters;
use super::limits::GUEST_BYTES_BESIDES;
use crate::bindings::metrics;
use crate::engine::{Guest, once};
use crate::error::Error;
use crate::instance::{Instance, describe};
use crate::kv::Backend;
use crate::operations;
use crate::surroundings::{GuestMemory, State, Surroundings};

/// What the gateway component exports, as far as it is called.
pub(super) struct Gateway {
    service: Service,
    metrics: metrics::Guest,
}

impl Guest for Gateway {
    fn compiled() -> Result<&'static InstancePre<State>, Error> {
        static COMPILED: OnceLock<Result<InstancePre<State>, Error>> = OnceLock::new();
        once(&COMPILED, crate::GATEWAY, |linker| {
            cli::environment::add_to_linker::<_, WasiCli>(linker, State::cli)?;
            cli::stderr::add_to_linker::<_, WasiCli>(linker, State::cli)?;
            http_types::add_to_linker::<_, WasiHttp>(linker, State::http)
        })
    }

    fn exports(store: &mut Store<State>, instance: &component::Instance) -> wasmtime::Result<Self> {
        let pre = instance.instance_pre(&*store);
        let metrics = metrics::GuestIndices::new(&pre)?.load(&mut *store, instance)?;
        Ok(Self { service: Service::new(store, instance)?, metrics })
    }

    fn metrics(&self) -> &metrics::Guest {
        &self.metrics
    }
}

/// The instances.
pub(super) struct Pool {
    surroundings: Surroundings,
    members: Vec<Member>,
    counters: Arc<Counters>,
    /// What instances had counted that are gone, as far as anybody had asked them.
    past: Mutex<Snapshot>,
}

#[derive(Default)]
struct Member {
    /// `None` until the first request, and after a trap.
    instance: Mutex<Option<Instance<Gateway>>>,
    /// Requests under way in it.
    busy: Arc<AtomicUsize>,
    /// What it had counted when it was asked last.
    counted: Mutex<Snapshot>,
}

impl Pool {
    /// Starts so many instances, each of which may hold so many bytes of chunks.
    pub fn start(
        backend: Arc<dyn Backend>,
        environment: Vec<(String, String)>,
        instances: usize,
        memory_bytes: u64,
        counters: Arc<Counters>,
    ) -> Result<Self, Error> {
        // What an instance reserves for chunks, and as much as requests may take besides.
        let guest_bytes_max = (2 * memory_bytes) as usize + GUEST_BYTES_BESIDES;
        let surroundings = Surroundings {
            backend,
            memory: GuestMemory::new(guest_bytes_max),
            memory_bytes_max: Some(memory_bytes),
            environment,
        };
        let members = (0..instances).map(|_| Member::default()).collect();
        let past = Mutex::new(Snapshot::default());
        let pool = Self { surroundings, members, counters, past };
        for member in &pool.members {
            pool.instance(member)?;
        }
        Ok(pool)
    }

    /// The running instance, or a fresh one in place of one that has trapped.
    fn instance(&self, member: &Member) -> Result<Instance<Gateway>, Error> {
        let mut current = member.instance.lock().expect("never held across a panic");
        match &*current {
            Some(instance) if !instance.has_ended() => Ok(instance.clone()),
            ended => {
                if ended.is_some() {
                    self.counters.instance_lost();
                    let counted = &mut *member.counted.lock().expect("never held across a panic");
                    self.keep(std::mem::take(counted));
                }
                let fresh = Instance::start(self.surroundings.clone())?;
                *current = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }

    /// Adds what somebody else has counted, who is gone: gauges are over.
    pub fn keep(&self, counted: Snapshot) {
        let counted = Snapshot { gauges: Vec::new(), ..counted };
        self.past.lock().expect("never held across a panic").merge(counted);
    }

    /// What all instances have counted, and the server itself.
    pub async fn metrics(&self) -> Result<Snapshot, Error> {
        let mut sum = self.counters.read();
        for member in &self.members {
            let instance = self.instance(member)?;
            let read = instance.run(move |accessor, gateway: &Gateway| {
                Box::pin(async move { gateway.metrics.call_read(accessor).await })
            });
            let counted = read.await?.map_err(|error| Error::Trap(describe(&error)))?;
            let counted = Snapshot::from(counted);
            *member.counted.lock().expect("never held across a panic") = counted.clone();
            sum.merge(counted);
        }
        sum.merge(self.past.lock().expect("never held across a panic").clone());
        Ok(sum)
    }

    /// Logs the operations that have ended, and waits for that no longer than `patience`.
    pub async fn log_operations(&self, patience: Duration) {
        let log = |member: &Member| {
            let current = member.instance.lock().expect("never held across a panic").clone();
            let instance = current.filter(|instance| !instance.has_ended())?;
            Some(async move {
                let logged = instance.run(move |accessor, gateway: &Gateway| {
                    Box::pin(async move { operations::log(&gateway.metrics, accessor).await })
                });
                // One that traps has nothing more to say.
                let _ = logged.await;
            })
        };
        let _ = timeout(patience, join_all(self.members.iter().filter_map(log))).await;
    }

    /// Answers a request in the instance that has the fewest. It is one of those under way
    /// until [`Leave`] is dropped; if the caller gives up, until the instance is done with it,
    /// so that clients that come and go begin no more than the server takes.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        permit: OwnedSemaphorePermit,
    ) -> Result<(Response<WasiBody>, Leave), Error>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let least = self.members.iter().min_by_key(|member| member.busy.load(Relaxed));
        let member = least.expect("a pool has members");
        let leave = Leave::new(permit, &member.busy);
        let instance = self.instance(member)?;
        let answered = instance.run(move |accessor, gateway: &Gateway| {
            Box::pin(async move {
                let request = accessor.with(|mut store| {
                    let hooks = store.data_mut().http().hooks;
                    wasmtime_wasi_http::p3::Request::from_http(hooks, request).0
                });
                match gateway.service.handle(accessor, request).await? {
                    Ok(response) => {
                        let sent = async { Ok(()) };
                        let response = accessor.with(|store| response.into_http(store, sent))?;
                        wasmtime::error::Ok(Ok((response, leave)))
                    }
                    Err(code) => wasmtime::error::Ok(Err(code)),
                }
            })
        });
        match answered.await?.map_err(|error| Error::Trap(describe(&error)))? {
            Ok(answer) => Ok(answer),
            Err(ErrorCode::HttpRequestUriInvalid) => {
                let why = "the request's target is not understood".to_string();
                Err(StoreError::InvalidArgument(why).into())
            }
            Err(code) => Err(Error::Trap(format!("{code:?}"))),
        }
    }
}

/// That a request is one of those under way: in the server, and in its instance.
pub(super) struct Leave {
    _permit: OwnedSemaphorePermit,
    busy: Arc<AtomicUsize>,
}

impl Leave {
    pub fn new(permit: OwnedSemaphorePermit, busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Relaxed);
        Self { _permit: permit, busy: busy.clone() }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chunk_store::kv::{Condition, Entry, KeyPage, KvError, KvLimits, Outcome, SetOptions};
    use chunk_store::range::Span;
    use http_body_util::Full;
    use tokio::sync::{Notify, Semaphore};

    use super::*;

    /// A kv that holds nothing, and does not say so before it may.
    struct Silent {
        limits: KvLimits,
        asked: Notify,
        may_answer: Semaphore,
    }

    #[async_trait]
    impl Backend for Silent {
        fn limits(&self) -> KvLimits {
            self.limits.clone()
        }

        async fn get(&self, _: &str, _: Option<Span>) -> Result<Option<Entry>, KvError> {
            self.asked.notify_one();
            let _leave = self.may_answer.acquire().await;
            Ok(None)
        }

        async fn set(&self, _: &str, _: Bytes, _: SetOptions) -> Result<Outcome, KvError> {
            unreachable!("nobody writes")
        }

        async fn delete(&self, _: &str, _: Option<Condition>) -> Result<Outcome, KvError> {
            unreachable!("nobody deletes")
        }

        async fn list_keys(&self, _: &str, _: Option<&str>, _: u32) -> Result<KeyPage, KvError> {
            unreachable!("nobody lists")
        }
    }

    #[tokio::test]
    async fn a_request_whose_client_has_gone_is_under_way_until_its_work_ends() {
        let limits = crate::kv::open("memory:").await.unwrap().limits();
        let (asked, may_answer) = (Notify::new(), Semaphore::new(0));
        let kv = Arc::new(Silent { limits, asked, may_answer });
        let pool = Pool::start(kv.clone(), Vec::new(), 1, 16 << 20, Arc::default()).unwrap();
        let requests = Arc::new(Semaphore::new(1));
        let permit = requests.clone().try_acquire_owned().unwrap();
        let request = Request::get("http://localhost/a").body(Full::new(Bytes::new())).unwrap();
        tokio::select! {
            _ = pool.handle(request, permit) => unreachable!("kv says nothing"),
            () = kv.asked.notified() => {}
        }
        assert_eq!(requests.available_permits(), 0);
        assert_eq!(pool.members[0].busy.load(Relaxed), 1);
        kv.may_answer.add_permits(1);
        let _next = timeout(Duration::from_secs(60), requests.acquire()).await.unwrap();
        assert_eq!(pool.members[0].busy.load(Relaxed), 0);
    }
}
