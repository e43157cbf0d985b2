//! Spin's key-value stores by version 3 of their interface, as Spin 4.1 has them. What an
//! adapter has to know of, beyond the interface:
//!
//! - a host guarantees values of 1 MB, keys of 256 bytes and 1024 of them ([`GUARANTEED`]);
//!   what is over is an error of no kind in particular;
//! - a component opens only what its manifest lists; an instance has 256 stores open at most;
//! - keys are listed in no order, those of Redis more than once;
//! - SQLite is locked until the last key of a listing was taken. Another instance waits for
//!   that. An operation of the same instance would stop it for ever, and fails a test here.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Linker, Resource, StreamProducer, StreamReader,
    StreamResult,
};

use self::bindings::spin::key_value::key_value::{
    self, Error, Host, HostStore, HostStoreWithStore, Store,
};

// What the macro writes is not ours to document.
#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../adapters/spin/wit", world: "imports" });
}

/// The label of the store that there is.
const LABEL: &str = "default";

/// How many stores an instance may have open.
const OPEN_MAX: usize = 256;

/// What a store holds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest value, in bytes.
    pub value_bytes_max: usize,
    /// Longest key, in bytes.
    pub key_bytes_max: usize,
    /// Most keys.
    pub keys_max: usize,
}

/// What every host of Spin holds.
pub const GUARANTEED: Limits =
    Limits { value_bytes_max: 1_000_000, key_bytes_max: 256, keys_max: 1024 };

/// What Spin's own hold: 128 MiB can be read.
pub const OWN: Limits =
    Limits { value_bytes_max: 128 << 20, key_bytes_max: usize::MAX, keys_max: usize::MAX };

/// The store of an app, which all its instances share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    limits: Limits,
    values: Mutex<HashMap<String, Vec<u8>>>,
    /// Held for reading by operations, for writing by listings.
    lock: Arc<RwLock<()>>,
    breaks_off: AtomicBool,
    opened: AtomicU32,
}

impl App {
    /// One with an empty store.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            values: Mutex::default(),
            lock: Arc::default(),
            breaks_off: AtomicBool::new(false),
            opened: AtomicU32::new(0),
        }))
    }

    /// What is stored.
    pub fn values(&self) -> MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.0.values.lock().expect("nobody panics with it")
    }

    /// From now on, or not any more, listings fail half-way.
    pub fn break_off_listings(&self, breaks_off: bool) {
        self.0.breaks_off.store(breaks_off, SeqCst);
    }

    /// How often the store was opened.
    pub fn opened(&self) -> u32 {
        self.0.opened.load(SeqCst)
    }

    /// What an instance of the app has.
    pub fn instance(&self) -> Instance {
        Instance { app: self.clone(), open: 0, listings: Arc::default() }
    }
}

/// An instance's side of the store.
pub struct Instance {
    app: App,
    open: usize,
    /// How many listings of its own are under way.
    listings: Arc<AtomicUsize>,
}

/// Gives the interface to instances whose state has an [`Instance`].
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    instance: fn(&mut T) -> &mut Instance,
) -> wasmtime::Result<()> {
    key_value::add_to_linker::<T, KeyValue>(linker, instance)
}

struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = &'a mut Instance;
}

impl Host for Instance {}

impl HostStore for Instance {
    fn drop(&mut self, _store: Resource<Store>) -> wasmtime::Result<()> {
        self.open -= 1;
        Ok(())
    }
}

/// The store, for one operation.
async fn enter<T>(accessor: &Accessor<T, KeyValue>) -> (App, OwnedRwLockReadGuard<()>) {
    let app = accessor.with(|mut access| {
        let instance = access.get();
        let listings = instance.listings.load(SeqCst);
        assert_eq!(listings, 0, "an operation beside a listing of its instance stops Spin");
        instance.app.clone()
    });
    let guard = app.0.lock.clone().read_owned().await;
    // Others have their turn.
    tokio::task::yield_now().await;
    (app, guard)
}

fn check_key(app: &App, key: &str) -> Result<(), Error> {
    match key.len() <= app.0.limits.key_bytes_max {
        true => Ok(()),
        false => Err(Error::Other("the key is too long".into())),
    }
}

impl<T: 'static> HostStoreWithStore<T> for KeyValue {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Error> {
        tokio::task::yield_now().await;
        accessor.with(|mut access| {
            let instance = access.get();
            if label != LABEL {
                return Err(Error::AccessDenied);
            }
            if instance.open == OPEN_MAX {
                return Err(Error::StoreTableFull);
            }
            instance.open += 1;
            instance.app.0.opened.fetch_add(1, SeqCst);
            Ok(Resource::new_own(0))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        _store: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (app, _guard) = enter(accessor).await;
        check_key(&app, &key)?;
        let value = app.values().get(&key).cloned();
        Ok(value)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        _store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let (app, _guard) = enter(accessor).await;
        check_key(&app, &key)?;
        let limits = app.0.limits;
        if value.len() > limits.value_bytes_max {
            return Err(Error::Other("the value is too large".into()));
        }
        let mut values = app.values();
        if values.len() >= limits.keys_max && !values.contains_key(&key) {
            return Err(Error::Other("there are too many keys".into()));
        }
        values.insert(key, value);
        Ok(())
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        _store: Resource<Store>,
        key: String,
    ) -> Result<(), Error> {
        let (app, _guard) = enter(accessor).await;
        check_key(&app, &key)?;
        app.values().remove(&key);
        Ok(())
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        _store: Resource<Store>,
        key: String,
    ) -> Result<bool, Error> {
        let (app, _guard) = enter(accessor).await;
        check_key(&app, &key)?;
        let exists = app.values().contains_key(&key);
        Ok(exists)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        _store: Resource<Store>,
    ) -> (StreamReader<String>, FutureReader<Result<(), Error>>) {
        let (app, listings) = accessor.with(|mut access| {
            let instance = access.get();
            (instance.app.clone(), instance.listings.clone())
        });
        let lock = app.0.lock.clone().write_owned().await;
        listings.fetch_add(1, SeqCst);
        let (end, ended) = oneshot::channel();
        let keys = Keys {
            keys: listed(&app).into_iter(),
            breaks_off: app.0.breaks_off.load(SeqCst),
            underway: Some((Underway { listings, _lock: lock }, end)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys).expect("a stream");
            (keys, FutureReader::new(&mut access, ended).expect("a future"))
        })
    }
}

/// The keys as a listing gives them: in no order, some twice.
fn listed(app: &App) -> Vec<String> {
    let values = app.values();
    let keys = values.keys().enumerate();
    keys.flat_map(|(at, key)| std::iter::repeat_n(key.clone(), if at % 7 == 0 { 2 } else { 1 }))
        .collect()
}

/// A listing: as many keys at once as Spin has in its channel.
struct Keys {
    keys: std::vec::IntoIter<String>,
    breaks_off: bool,
    underway: Option<(Underway, oneshot::Sender<Result<(), Error>>)>,
}

struct Underway {
    listings: Arc<AtomicUsize>,
    _lock: OwnedRwLockWriteGuard<()>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.listings.fetch_sub(1, SeqCst);
    }
}

impl<D> StreamProducer<D> for Keys {
    type Item = String;
    type Buffer = wasmtime::component::VecBuffer<String>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let keys: Vec<String> = self.keys.by_ref().take(4).collect();
        if keys.is_empty() || self.breaks_off {
            let result = match self.breaks_off {
                true => Err(Error::Other("the listing broke off".into())),
                false => Ok(()),
            };
            let (_, end) = self.underway.take().expect("it ends once");
            // Nobody may want to know.
            let _ = end.send(result);
            destination.set_buffer(keys.into());
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        destination.set_buffer(keys.into());
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
