//! A gateway component as a service of `wasi:http`, as any host of that runs it: several
//! instances, over HTTP/1.1.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wasmtime::component::Linker;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::guest::{self, Guest};

/// What a host of `wasi:http` has for an instance that gives a key-value interface `K`
/// besides.
pub struct State<K> {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoClient,
    table: ResourceTable,
    /// Its side of that interface.
    pub kv: K,
}

impl<K: Send + 'static> WasiView for State<K> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl<K: Send + 'static> WasiHttpView for State<K> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// Requests of the guest's own are refused.
struct NoClient;

type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoClient {
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Sent,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Sent), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

/// Serves the component for as long as this process runs, each instance over one of these;
/// `link` adds what its host gives besides WASI. Gives its URL.
pub fn serve<K: Send + 'static>(
    component: &[u8],
    instances: Vec<(WasiCtx, K)>,
    link: impl FnOnce(&mut Linker<State<K>>) -> wasmtime::Result<()>,
) -> String {
    let linked = guest::linked::<State<K>>(component, |linker| {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        wasmtime_wasi_http::p3::add_to_linker(linker)?;
        link(linker)
    });
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let mut guests = Vec::new();
            for (wasi, kv) in instances {
                let (http, table) = (WasiHttpCtx::default(), ResourceTable::new());
                let state = State { wasi, http, hooks: NoClient, table, kv };
                let started = Guest::start(linked.clone(), state, |store, instance| {
                    Box::pin(async move { Ok((Service::new(store, instance)?, ())) })
                });
                guests.push(started.await.0);
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let address = listener.local_addr().expect("an address");
            tell.send(format!("http://{address}")).expect("somebody waits");
            let (guests, turn) = (Arc::new(guests), AtomicUsize::new(0));
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (guests, first) = (guests.clone(), turn.fetch_add(1, Relaxed));
                tokio::spawn(async move {
                    let turn = AtomicUsize::new(first);
                    let service = service_fn(|request| {
                        answer(&guests[turn.fetch_add(1, Relaxed) % guests.len()], request)
                    });
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // Clients see how it ended.
                    let _ = served.await;
                });
            }
        });
    });
    told.recv().expect("it starts")
}

async fn answer<K: Send + 'static>(
    guest: &Guest<State<K>, Service>,
    request: Request<Incoming>,
) -> Result<Response<WasiBody>, String> {
    let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
    let answered = guest.call(move |accessor, service| {
        Box::pin(async move {
            let request = accessor.with(|mut store| {
                let hooks = store.data_mut().http().hooks;
                wasmtime_wasi_http::p3::Request::from_http(hooks, request).0
            });
            match service.handle(accessor, request).await? {
                Ok(response) => {
                    accessor.with(|store| response.into_http(store, async { Ok(()) })).map(Ok)
                }
                Err(code) => wasmtime::error::Ok(Err(format!("{code:?}"))),
            }
        })
    });
    answered.await
}
