//! The adapter. Generated types are named in this file and nowhere else.

use chunk_store::kv::KvError;
use chunk_store_adapter::{Plain, PlainKv};

use self::bindings::wasi::keyvalue::store::{self, Bucket, Error};

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });
}

chunk_store_adapter::export!(
    PlainKv<Open>,
    PlainKv::new(wasip3::cli::environment::get_environment())
);

/// More pages than this no listing has: a host that repeats a cursor would have no end.
const PAGES_MAX: usize = 1 << 20;

/// An open bucket.
struct Open(Bucket);

impl Plain for Open {
    async fn open(bucket: &str) -> Result<Self, KvError> {
        match store::open(bucket) {
            Ok(open) => Ok(Self(open)),
            Err(Error::NoSuchStore) => Err(KvError::Rejected(format!(
                "the host has no bucket {bucket:?}: configure it, or name another in CHUNK_STORE_KV_STORE"
            ))),
            Err(Error::AccessDenied) => Err(KvError::Rejected(format!(
                "the host keeps this component from the bucket {bucket:?}: allow it (Spin: key_value_stores in spin.toml)"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.0.get(key)?)
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KvError> {
        Ok(self.0.set(key, &value)?)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        Ok(self.0.delete(key)?)
    }

    /// Spin gives all keys as the first page, and takes no cursor.
    async fn keys(&self, mut take: impl FnMut(String)) -> Result<(), KvError> {
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.0.list_keys(cursor.as_deref())?;
            page.keys.into_iter().for_each(&mut take);
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
        Err(KvError::Rejected("the host's listing of keys has no end".into()))
    }
}

impl From<Error> for KvError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchStore => Self::Rejected("the host has no such bucket".into()),
            Error::AccessDenied => Self::Rejected("the host denies the bucket".into()),
            // Nothing says which of these are worth another try.
            Error::Other(why) => Self::Unavailable(format!("the host says: {why}")),
        }
    }
}
