//! The components for other hosts, composed and checked: adapters of `kv`, and the store and
//! the gateway with an adapter below.
//!
//! An adapter is added by its package in `build.rs` and its host in [`HOSTS`]; all else
//! follows from that.

mod compose;
mod described;
mod surface;
pub mod worker;

pub use compose::compose;
use described::described;
pub use surface::{Interfaces, Surface};

/// `kv`, by which adapters and stores are put together.
pub const KV: &str = "streaming:chunk-store/kv@0.1.0";

/// A kind of host.
pub struct Host {
    /// What its components are named by.
    pub name: &'static str,
    /// What its adapter stands on.
    pub over: &'static str,
    /// Its adapter of `kv`.
    pub adapter: &'static [u8],
    /// The interfaces that it gives, of those that a component may want.
    pub gives: &'static [&'static str],
}

/// What every host of WASI 0.3 gives to one that answers HTTP.
macro_rules! service {
    ($($more:literal),*) => {
        &[
            "wasi:cli/environment@0.3.0",
            "wasi:cli/stderr@0.3.0",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:clocks/system-clock@0.3.0",
            "wasi:http/types@0.3.0",
            "wasi:random/random@0.3.0",
            $($more),*
        ]
    };
}

/// The hosts that there are adapters for.
pub const HOSTS: &[Host] = &[
    // `wasmtime serve -S cli`, and whoever else gives a directory.
    Host {
        name: "filesystem",
        over: "wasi:filesystem@0.3.0",
        adapter: include_bytes!(concat!(env!("OUT_DIR"), "/filesystem.wasm")),
        gives: service!("wasi:filesystem/preopens@0.3.0", "wasi:filesystem/types@0.3.0"),
    },
    // Spin 4.1.
    Host {
        name: "spin",
        over: "spin:key-value@3.0.0",
        adapter: include_bytes!(concat!(env!("OUT_DIR"), "/spin.wasm")),
        gives: service!("spin:key-value/key-value@3.0.0"),
    },
    // Spin, too, and whoever else gives that draft.
    Host {
        name: "wasi-keyvalue",
        over: "wasi:keyvalue@0.2.0-draft2",
        adapter: include_bytes!(concat!(env!("OUT_DIR"), "/wasi-keyvalue.wasm")),
        gives: service!("wasi:keyvalue/store@0.2.0-draft2"),
    },
];

/// What a host gives that has `kv` of its own, as the one of this project.
const EMBEDDER: &[&str] = service!("streaming:chunk-store/kv@0.1.0");

/// The component that the Worker of Cloudflare runs.
const WORKERS_WEB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/workers-web.wasm"));

/// The one that its library runs.
const WORKERS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/workers.wasm"));

/// What the Worker gives both.
const WORKER_GIVES: &[&str] = &[
    "streaming:chunk-store/kv@0.1.0",
    "wasi:cli/environment@0.3.0",
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:random/random@0.3.0",
];

/// What both export beside the store's own interfaces, with their functions.
const OF_WORKERS: [(&str, &[&str]); 2] = [
    ("streaming:chunk-store/tally@0.1.0", &["add", "tell"]),
    ("streaming:chunk-store/web@0.1.0", &["handle"]),
];

/// What the component of the Worker has of the store's own interfaces.
const METRICS: &str = "streaming:chunk-store/metrics@0.1.0";

/// A component as a file.
pub struct File {
    /// Its name: `gateway-filesystem.wasm`.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a store is composed from: what is called so, and its component.
struct Base {
    name: &'static str,
    what: &'static str,
    bytes: &'static [u8],
}

/// What is put on top of adapters.
const BASES: [Base; 2] = [
    Base {
        name: "store",
        what: "Stores objects of any size in a key-value store, by streaming",
        bytes: chunk_store_host::COMPONENT,
    },
    Base {
        name: "gateway",
        what: "Serves objects of any size over HTTP from a key-value store, by streaming",
        bytes: chunk_store_host::GATEWAY,
    },
];

/// All of them, each checked: it imports what its host gives, exports all that it should,
/// and in a composed one nothing is left of `kv`. The error says what is wrong with which.
pub fn all() -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for Base { name, what, bytes } in BASES {
        files.push(checked(name.into(), what, bytes, EMBEDDER, &Surface::of(bytes)?.exports)?);
    }
    let store = Surface::of(chunk_store_host::COMPONENT)?.exports;
    let web = OF_WORKERS.map(|(name, functions)| {
        (name.into(), functions.iter().map(ToString::to_string).collect())
    });
    let (mut web, mut whole) = (Interfaces::from(web), store.clone());
    web.extend(store.into_iter().filter(|(name, _)| name == METRICS));
    whole.extend(web.clone());
    let what =
        "Serves objects of any size by HTTP rules from Workers KV or another key-value store";
    files.push(checked("workers-web".into(), what, WORKERS_WEB, WORKER_GIVES, &web)?);
    let what =
        "Stores objects of any size in Workers KV or another key-value store, with HTTP rules";
    files.push(checked("workers".into(), what, WORKERS, WORKER_GIVES, &whole)?);
    for host in HOSTS {
        let kv = Surface::of(chunk_store_host::COMPONENT)?.import(KV)?;
        let what = format!("The key-value interface of chunk-store, for hosts with {}", host.over);
        files.push(checked(host.name.into(), &what, host.adapter, host.gives, &kv)?);
        for Base { name, what, bytes } in BASES {
            let name = format!("{name}-{}", host.name);
            let composed = compose(bytes, host.adapter).map_err(|why| format!("{name}: {why}"))?;
            let what = format!("{what}; for hosts with {}", host.over);
            files.push(checked(name, &what, &composed, host.gives, &Surface::of(bytes)?.exports)?);
        }
    }
    Ok(files)
}

/// A component as a file, if it is what it should be.
fn checked(
    name: String,
    what: &str,
    component: &[u8],
    gives: &[&str],
    exports: &Interfaces,
) -> Result<File, String> {
    let described = described(component, &name, what).and_then(|bytes| {
        Surface::of(&bytes)?.check(gives, exports)?;
        Ok(bytes)
    });
    let name = format!("{name}.wasm");
    let bytes = described.map_err(|why| format!("{name}: {why}"))?;
    Ok(File { name, bytes })
}

/// One of [`all`] of them.
pub fn file(name: &str) -> Result<File, String> {
    let found = all()?.into_iter().find(|file| file.name == name);
    found.ok_or_else(|| format!("there is no component {name}"))
}
