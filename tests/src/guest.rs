//! A component on wasmtime: one instance, on a thread of its own, whose exports are called
//! at once as they come.

use std::sync::LazyLock;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Accessor, Component, Instance, InstancePre, Linker};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

type Job<T, G> = Box<dyn for<'a> FnOnce(&'a Accessor<T>, &'a G) -> BoxFuture<'a, ()> + Send>;

/// An instance with the exports `G`, over a host's state `T`. It ends when this is dropped
/// and its calls are done.
pub struct Guest<T: 'static, G> {
    jobs: mpsc::UnboundedSender<Job<T, G>>,
}

/// What a host of WASI has for an instance.
pub struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    /// That of a host that gives this much.
    pub fn new(ctx: WasiCtx) -> Self {
        Self { ctx, table: ResourceTable::new() }
    }
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// What a host has for an instance that gives a key-value interface `K` besides.
pub struct Hosted<K> {
    wasi: Wasi,
    /// Its side of that interface.
    pub kv: K,
}

impl<K> Hosted<K> {
    /// That of a host that gives this much.
    pub fn new(ctx: WasiCtx, kv: K) -> Self {
        Self { wasi: Wasi::new(ctx), kv }
    }
}

impl<K: Send + 'static> WasiView for Hosted<K> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// Compiles a component and links it: `link` adds what its host gives.
pub fn linked<T: 'static>(
    component: &[u8],
    link: impl FnOnce(&mut Linker<T>) -> wasmtime::Result<()>,
) -> InstancePre<T> {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        Engine::new(&config).expect("an engine")
    });
    let component = Component::new(&ENGINE, component).expect("a component");
    let mut linker = Linker::new(&ENGINE);
    link(&mut linker).expect("what the host gives fits together");
    linker.instantiate_pre(&component).expect("the host gives what the component imports")
}

impl<T: Send + 'static, G: Send + Sync + 'static> Guest<T, G> {
    /// Starts an instance. `exports` takes them from it, and whatever else there is to be
    /// known before the first call.
    pub async fn start<K: Send + 'static>(
        linked: InstancePre<T>,
        state: T,
        exports: impl for<'a> FnOnce(
            &'a mut Store<T>,
            &'a Instance,
        ) -> BoxFuture<'a, wasmtime::Result<(G, K)>>
        + Send
        + 'static,
    ) -> (Self, K) {
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job<T, G>>();
        let (tell, told) = oneshot::channel();
        let run = async move {
            let mut store = Store::new(linked.component().engine(), state);
            let instance = linked.instantiate_async(&mut store).await?;
            let (exports, known) = exports(&mut store, &instance).await?;
            let _ = tell.send(known);
            store
                .run_concurrent(async |accessor| {
                    let mut running = FuturesUnordered::new();
                    loop {
                        tokio::select! {
                            job = inbox.recv() => match job {
                                Some(job) => running.push(job(accessor, &exports)),
                                None => break,
                            },
                            Some(()) = running.next() => {}
                        }
                    }
                    while running.next().await.is_some() {}
                })
                .await
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let ended: wasmtime::Result<()> = runtime.expect("a runtime").block_on(run);
            ended.expect("the instance does not trap");
        });
        (Self { jobs }, told.await.expect("the instance starts"))
    }

    /// Makes a call, and gives its result.
    pub async fn call<R: Send + 'static>(
        &self,
        call: impl for<'a> FnOnce(&'a Accessor<T>, &'a G) -> BoxFuture<'a, wasmtime::Result<R>>
        + Send
        + 'static,
    ) -> R {
        let (tell, told) = oneshot::channel();
        let job: Job<T, G> = Box::new(move |accessor, exports| {
            let result = call(accessor, exports);
            Box::pin(async move {
                let _ = tell.send(result.await);
            })
        });
        self.jobs.send(job).unwrap_or_else(|_| panic!("the instance has ended"));
        told.await.expect("the instance does not trap").expect("the call does not trap")
    }
}
