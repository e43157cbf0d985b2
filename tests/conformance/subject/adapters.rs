//! The adapters as subjects: components on a harness of their host.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use chunk_store_components::HOSTS;
use chunk_store_host::kv::Backend;
use chunk_store_tests::adapter::Adapter;
use chunk_store_tests::guest::{self, Hosted, Wasi};
use chunk_store_tests::spin;
use chunk_store_tests::wasi_keyvalue::{self, Keyvalue, Listing};
use wasmtime::component::InstancePre;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::{Open, Subject};

/// The adapter over `wasi:filesystem`, on a host that does each file operation on a thread of
/// its own.
pub async fn filesystem() -> Subject {
    adapter_in_directory(false).await
}

/// On one that does them at once, as `wasmtime serve` does.
pub async fn filesystem_blocking() -> Subject {
    adapter_in_directory(true).await
}

async fn adapter_in_directory(blocking: bool) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().into();
    let open: Open = Box::new(move || {
        let path = path.clone();
        Box::pin(async move {
            let mut wasi = WasiCtxBuilder::new();
            wasi.allow_blocking_current_thread(blocking);
            wasi.preopened_dir(path, "/", FsPerms::ReadWrite).unwrap();
            Arc::new(filesystem_adapter(&mut wasi).await) as Arc<dyn Backend>
        })
    });
    Subject { backend: open().await, open, _place: Some(Box::new(directory)) }
}

/// The adapter over `wasi:filesystem`, on a host that gives this much.
pub async fn filesystem_adapter(wasi: &mut WasiCtxBuilder) -> Adapter<Wasi> {
    static LINKED: LazyLock<InstancePre<Wasi>> = LazyLock::new(|| {
        guest::linked(adapter_for("filesystem"), wasmtime_wasi::p3::add_to_linker)
    });
    Adapter::start(LINKED.clone(), Wasi::new(wasi.build())).await
}

/// The adapter over `spin:key-value`, on a host that holds no more than each guarantees.
pub async fn spin() -> Subject {
    on_spin(spin::App::new(spin::GUARANTEED), &[]).await
}

/// On Spin's own, of which it was told what it holds.
pub async fn spin_with_room() -> Subject {
    const ROOM: &[(&str, &str)] =
        &[("CHUNK_STORE_KV_VALUE_BYTES_MAX", "8388608"), ("CHUNK_STORE_KV_KEY_BYTES_MAX", "1024")];
    on_spin(spin::App::new(spin::OWN), ROOM).await
}

async fn on_spin(app: spin::App, settings: &'static [(&'static str, &'static str)]) -> Subject {
    let open: Open = Box::new(move || {
        let app = app.clone();
        Box::pin(async move { Arc::new(spin_adapter(&app, settings).await) as Arc<dyn Backend> })
    });
    Subject { backend: open().await, open, _place: None }
}

/// The adapter over `spin:key-value`, in an app and its environment.
pub async fn spin_adapter(
    app: &spin::App,
    settings: &[(&str, &str)],
) -> Adapter<Hosted<spin::Instance>> {
    static LINKED: LazyLock<InstancePre<Hosted<spin::Instance>>> = LazyLock::new(|| {
        guest::linked::<Hosted<spin::Instance>>(adapter_for("spin"), |linker| {
            wasmtime_wasi::p3::add_to_linker(linker)?;
            spin::add_to_linker(linker, |host| &mut host.kv)
        })
    });
    let wasi = WasiCtxBuilder::new().envs(settings).build();
    Adapter::start(LINKED.clone(), Hosted::new(wasi, app.instance())).await
}

/// The adapter over `wasi:keyvalue`, on a host that lists keys as Spin does.
pub async fn wasi_keyvalue() -> Subject {
    on_wasi_keyvalue(Listing::Whole).await
}

/// On one that lists them in pages.
pub async fn wasi_keyvalue_in_pages() -> Subject {
    on_wasi_keyvalue(Listing::Paged).await
}

async fn on_wasi_keyvalue(listing: Listing) -> Subject {
    let keyvalue = Keyvalue::new(listing);
    let open: Open = Box::new(move || {
        let keyvalue = keyvalue.clone();
        Box::pin(async move {
            Arc::new(wasi_keyvalue_adapter(&keyvalue, &[]).await) as Arc<dyn Backend>
        })
    });
    Subject { backend: open().await, open, _place: None }
}

/// The adapter over `wasi:keyvalue`, on a bucket, in its environment.
pub async fn wasi_keyvalue_adapter(
    keyvalue: &Keyvalue,
    settings: &[(&str, &str)],
) -> Adapter<Hosted<Keyvalue>> {
    static LINKED: LazyLock<InstancePre<Hosted<Keyvalue>>> = LazyLock::new(|| {
        guest::linked::<Hosted<Keyvalue>>(adapter_for("wasi-keyvalue"), |linker| {
            wasmtime_wasi::p3::add_to_linker(linker)?;
            wasi_keyvalue::add_to_linker(linker, |host| &mut host.kv)
        })
    });
    let wasi = WasiCtxBuilder::new().envs(settings).build();
    Adapter::start(LINKED.clone(), Hosted::new(wasi, keyvalue.clone())).await
}

fn adapter_for(host: &str) -> &'static [u8] {
    HOSTS.iter().find(|known| known.name == host).expect("it has an adapter").adapter
}
