//! `wasi:keyvalue@0.2.0-draft2` as hosts have it: in Spin, which lists all keys at once and
//! takes no cursor, and in one that lists them in pages.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard};

use wasmtime::component::{HasSelf, Linker, Resource};

use self::bindings::wasi::keyvalue::store::{self, Bucket, Error, Host, HostBucket, KeyResponse};

// What the macro writes is not ours to document.
#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../adapters/wasi-keyvalue/wit", world: "imports" });
}

/// The bucket that there is.
const BUCKET: &str = "default";

/// How keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// All at once.
    Whole,
    /// A few to a page.
    Paged,
}

/// Keys are listed by their digests, which is no order of theirs.
type Values = BTreeMap<[u8; 32], (String, Vec<u8>)>;

/// A host's bucket, which all instances share. Values and keys are bounded as Spin guarantees.
#[derive(Clone)]
pub struct Keyvalue {
    listing: Listing,
    values: Arc<Mutex<Values>>,
}

impl Keyvalue {
    /// An empty one.
    pub fn new(listing: Listing) -> Self {
        Self { listing, values: Arc::default() }
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().expect("nobody panics with it")
    }

    /// What is stored.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        self.values().values().cloned().collect()
    }

    /// Stores a value.
    pub fn insert(&self, key: String, value: Vec<u8>) {
        self.values().insert(place(&key), (key, value));
    }
}

fn place(key: &str) -> [u8; 32] {
    *blake3::hash(key.as_bytes()).as_bytes()
}

/// Gives the interface to instances whose state has a [`Keyvalue`].
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    keyvalue: fn(&mut T) -> &mut Keyvalue,
) -> wasmtime::Result<()> {
    store::add_to_linker::<T, HasSelf<Keyvalue>>(linker, keyvalue)
}

impl Host for Keyvalue {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        match identifier == BUCKET {
            true => Ok(Resource::new_own(0)),
            false => Err(Error::NoSuchStore),
        }
    }
}

impl HostBucket for Keyvalue {
    fn get(&mut self, _: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.values().get(&place(&key)).map(|(_, value)| value.clone()))
    }

    fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        if value.len() > 1_000_000 || key.len() > 256 {
            return Err(Error::Other("it is too large".into()));
        }
        self.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, _: Resource<Bucket>, key: String) -> Result<(), Error> {
        self.values().remove(&place(&key));
        Ok(())
    }

    fn exists(&mut self, _: Resource<Bucket>, key: String) -> Result<bool, Error> {
        Ok(self.values().contains_key(&place(&key)))
    }

    fn list_keys(
        &mut self,
        _: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<KeyResponse, Error> {
        let values = self.values();
        let all = |keys: &mut dyn Iterator<Item = &(String, Vec<u8>)>| {
            keys.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        match (self.listing, cursor) {
            (Listing::Whole, None) => {
                Ok(KeyResponse { keys: all(&mut values.values()), cursor: None })
            }
            (Listing::Whole, Some(_)) => {
                Err(Error::Other("list_keys: cursor not supported".into()))
            }
            (Listing::Paged, cursor) => {
                let after = cursor.map_or(Unbounded, |last| Excluded(place(&last)));
                let behind = values.range((after, Unbounded));
                let keys = all(&mut behind.map(|(_, stored)| stored).take(7));
                let cursor = keys.last().cloned();
                Ok(KeyResponse { keys, cursor })
            }
        }
    }

    fn drop(&mut self, _: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}
