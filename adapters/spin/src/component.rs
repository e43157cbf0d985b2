//! The adapter. Generated types are named in this file and nowhere else.

use chunk_store::kv::KvError;
use chunk_store_adapter::{Plain, PlainKv};
use tokio::sync::RwLock;
use wit_bindgen::StreamResult;

use self::bindings::spin::key_value::key_value::{Error, Store};

// What the macro writes is not ours to lint.
#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });
}

chunk_store_adapter::export!(
    PlainKv<Spin>,
    PlainKv::new(wasip3::cli::environment::get_environment())
);

/// How many keys are taken from a listing at once.
const KEYS: usize = 256;

/// An open store of Spin.
///
/// A listing is alone in its instance: Spin's SQLite is locked until the last key was taken,
/// and an operation that waits for the lock keeps its instance from taking keys.
struct Spin(RwLock<Store>);

impl Plain for Spin {
    async fn open(store: &str) -> Result<Self, KvError> {
        match Store::open(store.into()).await {
            Ok(store) => Ok(Self(RwLock::new(store))),
            Err(Error::NoSuchStore) => Err(KvError::Rejected(format!(
                "Spin has no key-value store {store:?}: configure it in runtime-config.toml"
            ))),
            Err(Error::AccessDenied) => Err(KvError::Rejected(format!(
                "Spin keeps this component from the key-value store {store:?}: list it in key_value_stores of spin.toml"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.0.read().await.get(key.into()).await?)
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KvError> {
        Ok(self.0.read().await.set(key.into(), value).await?)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        Ok(self.0.read().await.delete(key.into()).await?)
    }

    async fn keys(&self, mut take: impl FnMut(String)) -> Result<(), KvError> {
        let store = self.0.write().await;
        let (mut keys, end) = store.get_keys().await;
        loop {
            let (result, read) = keys.read(Vec::with_capacity(KEYS)).await;
            read.into_iter().for_each(&mut take);
            if matches!(result, StreamResult::Dropped) {
                break;
            }
        }
        Ok(end.await?)
    }
}

impl From<Error> for KvError {
    fn from(error: Error) -> Self {
        match error {
            Error::StoreTableFull => {
                Self::Unavailable("Spin has too many key-value stores open".into())
            }
            Error::NoSuchStore => Self::Rejected("Spin has no such key-value store".into()),
            Error::AccessDenied => Self::Rejected("Spin denies the key-value store".into()),
            // Spin does not say which of these are worth another try.
            Error::Other(why) => Self::Unavailable(format!("Spin says: {why}")),
        }
    }
}
