//! Platforms that get, set and delete whole values, name all their keys, and do nothing
//! else: no expiry, no conditions, no summaries, no parts of values, no prefixes.

use std::future::Future;

use bytes::Bytes;
use chunk_store::kv::{Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::range::Span;
use tokio::sync::OnceCell;

use crate::Settings;
use crate::listing::Listing;

/// An open store of such a platform.
pub trait Plain: Sized {
    /// Opens the one that the platform calls by this name.
    fn open(store: &str) -> impl Future<Output = Result<Self, KvError>>;

    /// Reads a value; `None` where there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, KvError>>;

    /// Writes a value.
    fn set(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<(), KvError>>;

    /// Deletes a value, if it is there.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), KvError>>;

    /// Offers every key to `take`, in any order, repeated or not.
    fn keys(&self, take: impl FnMut(String)) -> impl Future<Output = Result<(), KvError>>;
}

/// A kv over such a platform. Every page of a listing reads all keys that there are.
pub struct PlainKv<P> {
    settings: Result<Settings, String>,
    /// Opened by the first operation and kept, as platforms bound how many are open.
    opened: OnceCell<P>,
}

impl<P: Plain> PlainKv<P> {
    /// The one that the environment describes. Where it says what cannot be, every operation
    /// is rejected with the reason.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { settings: Settings::read(environment), opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<&P, KvError> {
        let settings = self.settings.as_ref().map_err(|why| KvError::Rejected(why.clone()))?;
        self.opened.get_or_try_init(|| P::open(&settings.store)).await
    }
}

impl<P: Plain> Kv for PlainKv<P> {
    fn limits(&self) -> KvLimits {
        self.settings.as_ref().map_or_else(|_| Settings::default().limits(), Settings::limits)
    }

    async fn get(&self, key: &str, _part: Option<Span>) -> Result<Option<Entry>, KvError> {
        let value = self.opened().await?.get(key).await?;
        Ok(value.map(|value| Entry { value: value.into(), version: None }))
    }

    async fn set(&self, key: &str, value: Bytes, _: SetOptions) -> Result<Outcome, KvError> {
        self.opened().await?.set(key, value.into()).await?;
        Ok(Outcome::Done)
    }

    async fn delete(&self, key: &str, _: Option<Condition>) -> Result<Outcome, KvError> {
        self.opened().await?.delete(key).await?;
        Ok(Outcome::Done)
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let mut listing = Listing::new(prefix, cursor, limit);
        self.opened().await?.keys(|key| listing.offer(key)).await?;
        Ok(listing.page())
    }
}
