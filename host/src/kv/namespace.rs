//! A part of a backend that is all one tenant sees of it.
//!
//! Every key gets the prefix `n/<name>/`, which counts in the backend's longest
//! key. A name holds no `/`, so that no tenant's prefix begins another's.

use async_trait::async_trait;
use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome, SetOptions, checks,
};
use chunk_store::range::Span;

use super::{Backend, OpenError};

/// Longest name of a namespace, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The keys of `B` that begin with `n/<name>/`, without that prefix.
pub struct Namespaced<B> {
    inner: B,
    prefix: String,
}

impl<B: Backend> Namespaced<B> {
    /// The namespace `name` of `inner`; 1 to 64 of the characters `A-Z`, `a-z`,
    /// `0-9`, `.`, `_` and `-`. It need not be made before, nor does it hold
    /// anything then.
    pub fn new(inner: B, name: &str) -> Result<Self, OpenError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(legal) {
            return Err(OpenError::Namespace { name: name.into() });
        }
        let prefix = format!("n/{name}/");
        Ok(Self { inner, prefix })
    }

    /// The backend's key for a tenant's, if that is within the tenant's limits:
    /// the backend's own check would name the wrong length, and would not see
    /// that a key is empty.
    fn key(&self, key: &str) -> Result<String, KvError> {
        checks::key(key, &self.limits())?;
        Ok(format!("{}{key}", self.prefix))
    }
}

#[async_trait]
impl<B: Backend> Backend for Namespaced<B> {
    fn limits(&self) -> KvLimits {
        let mut limits = self.inner.limits();
        limits.key_bytes_max = limits.key_bytes_max.saturating_sub(self.prefix.len() as u32);
        limits
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        self.inner.get(&self.key(key)?, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        self.inner.set(&self.key(key)?, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        self.inner.delete(&self.key(key)?, condition).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let page = self.inner.list_keys(&format!("{}{prefix}", self.prefix), cursor, limit).await?;
        let keys = page
            .keys
            .into_iter()
            .map(|listed| match listed.key.strip_prefix(&self.prefix) {
                Some(key) => Ok(ListedKey { key: key.into(), summary: listed.summary }),
                // Another tenant's key, if it came here, is not to be shown.
                None => {
                    Err(KvError::Rejected("the backend listed a key outside the namespace".into()))
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(KeyPage { keys, cursor: page.cursor })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kv::memory::MemoryBackend;

    #[test]
    fn a_name_that_could_leave_its_prefix_is_refused() {
        let long = "x".repeat(65);
        for name in ["", "a/b", "a b", "é", "a\n", &long] {
            let error = Namespaced::new(MemoryBackend::new(), name).err().unwrap();
            assert!(error.to_string().contains("1 to 64 letters"), "{error}");
        }
        for name in ["a", "A-b_c.9", "..", &long[1..]] {
            assert!(Namespaced::new(MemoryBackend::new(), name).is_ok());
        }
    }

    #[tokio::test]
    async fn tenants_do_not_see_each_other() {
        let shared = Arc::new(MemoryBackend::new());
        let ann = Namespaced::new(shared.clone(), "ann").unwrap();
        let anna = Namespaced::new(shared.clone(), "anna").unwrap();
        let options = SetOptions::default;
        ann.set("k", "1".into(), options()).await.unwrap();
        anna.set("k", "2".into(), options()).await.unwrap();
        let page = ann.list_keys("", None, 10).await.unwrap();
        assert_eq!(page.keys.len(), 1);
        assert_eq!(page.keys[0].key, "k");
        let found = ann.get("k", None).await.unwrap().unwrap();
        assert_eq!(found.value, "1");
        let raw = shared.get("n/anna/k", None).await.unwrap().unwrap();
        assert_eq!(raw.value, "2");
    }

    #[tokio::test]
    async fn the_prefix_counts_in_the_longest_key() {
        let backend = Namespaced::new(MemoryBackend::new(), "ann").unwrap();
        let longest = backend.limits().key_bytes_max as usize;
        assert_eq!(longest, 1024 - "n/ann/".len());
        for (bytes, accepted) in [(0, false), (longest, true), (longest + 1, false)] {
            let key = "x".repeat(bytes);
            let set = backend.set(&key, "".into(), SetOptions::default()).await;
            assert_eq!(set.is_ok(), accepted, "{bytes}");
        }
    }
}
