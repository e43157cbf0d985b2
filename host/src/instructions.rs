//! How many instructions the component takes for its work: the bar that a slow or busy machine
//! does not move.
//!
//! wasmtime counts them (fuel), each instruction of wasm as one. What is recorded here is what
//! the component takes now: more is a regression, less is a gain that has to be written down,
//! so that it is kept.

use std::sync::Arc;

use bytes::Bytes;
use chunk_store::object::{GetOptions, PutOptions};
use futures::StreamExt as _;
use wasmtime::component::{Accessor, StreamReader};
use wasmtime::{AsContext as _, AsContextMut as _, Engine, Store};

use crate::bindings;
use crate::body::Taken;
use crate::engine;
use crate::kv::memory::MemoryBackend;
use crate::surroundings::{GuestMemory, State, Surroundings};

/// Of a large object, which is cut into chunks of 4 MiB for the most part.
const LARGE_BYTES: usize = 64 << 20;

/// Of one that lies in its manifest.
const SMALL_BYTES: usize = 4096;

/// How far from what is recorded a count may be: how often the guest is woken is a matter of
/// chance.
const TOLERANCE: f64 = 0.01;

/// What is recorded: instructions for each MiB of a large object, and for a small one.
const PUT_MIB: f64 = 12_404_000.0;
const GET_MIB: f64 = 13_451_000.0;
const PUT_SMALL: f64 = 166_800.0;
const GET_SMALL: f64 = 125_500.0;

/// An instance whose instructions are counted.
struct Counted<'a> {
    accessor: &'a Accessor<State>,
    store: &'a bindings::Store,
}

impl Counted<'_> {
    /// How many it took since the last time.
    fn taken(&self) -> f64 {
        self.accessor.with(|mut access| {
            let left = access.as_context().get_fuel().expect("fuel is counted");
            access.as_context_mut().set_fuel(u64::MAX).expect("fuel is counted");
            (u64::MAX - left) as f64
        })
    }

    async fn put(&self, key: &str, body: Bytes) -> f64 {
        self.taken();
        let size = Some(body.len() as u64);
        let options = PutOptions { size, ..PutOptions::default() };
        let body = self.accessor.with(|access| StreamReader::new(access, body)).unwrap();
        let objects = self.store.streaming_chunk_store_objects();
        let put = objects.call_put(self.accessor, key.into(), body, None, options.into());
        put.await.unwrap().unwrap();
        self.taken()
    }

    async fn get(&self, key: &str, expected: &Bytes) -> f64 {
        self.taken();
        let objects = self.store.streaming_chunk_store_objects();
        let options = GetOptions::default().into();
        let got = objects.call_get(self.accessor, key.into(), options).await.unwrap();
        let (_, stream, _end) = got.unwrap();
        let (taken, mut pieces) = Taken::channel();
        self.accessor.with(|access| stream.pipe(access, taken)).unwrap();
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().await {
            read.extend_from_slice(&piece);
        }
        assert!(read == *expected, "{key} is read back");
        self.taken()
    }
}

#[test]
fn put_and_get_take_as_many_as_recorded() {
    let mut config = engine::config();
    config.consume_fuel(true);
    let engine = Engine::new(&config).unwrap();
    let compiled = engine::linked(&engine, crate::COMPONENT, |_| Ok(())).unwrap();
    let surroundings = Surroundings {
        backend: Arc::new(MemoryBackend::new()),
        memory: GuestMemory::new(128 << 20),
        memory_bytes_max: None,
        environment: Vec::new(),
    };
    let mut store = Store::new(&engine, surroundings.state());
    store.set_fuel(u64::MAX).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counts = runtime.block_on(async {
        let instance = compiled.instantiate_async(&mut store).await.unwrap();
        let exports = bindings::Store::new(&mut store, &instance).unwrap();
        let counted = store.run_concurrent(async |accessor| {
            let guest = Counted { accessor, store: &exports };
            let (large, small) = (content(LARGE_BYTES), content(SMALL_BYTES));
            // Takes its memory, and fills its buffers.
            guest.put("first", large.clone()).await;
            guest.get("first", &large).await;
            let mib = (LARGE_BYTES >> 20) as f64;
            [
                ("put, per MiB", guest.put("large", large.clone()).await / mib, PUT_MIB),
                ("get, per MiB", guest.get("large", &large).await / mib, GET_MIB),
                ("put of 4 KiB", guest.put("small", small.clone()).await, PUT_SMALL),
                ("get of 4 KiB", guest.get("small", &small).await, GET_SMALL),
            ]
        });
        counted.await.unwrap()
    });
    let strayed: Vec<String> = counts
        .iter()
        .inspect(|(name, count, recorded)| println!("{name}: {count:.0}, recorded {recorded:.0}"))
        .filter(|(_, count, recorded)| (count / recorded - 1.0).abs() > TOLERANCE)
        .map(|(name, count, recorded)| format!("{name}: {count:.0} in place of {recorded:.0}"))
        .collect();
    assert!(
        strayed.is_empty(),
        "more is to be mended, less to be recorded in {}: {}",
        file!(),
        strayed.join("; ")
    );
}

/// Bytes that are the same in every run.
fn content(size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}
