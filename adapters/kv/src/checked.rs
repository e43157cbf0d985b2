//! What every adapter refuses, before its platform is asked. Pure but for that.

use bytes::Bytes;
use chunk_store::kv::{
    Condition, Entry, KeyPage, Kv, KvError, KvLimits, Outcome, SetOptions, checks,
};
use chunk_store::range::Span;

/// A kv that refuses what is over its limits, and conditions where it has none: the one
/// within sees only what it can do.
pub struct Checked<K>(K);

impl<K: Kv> Checked<K> {
    /// The same kv, checked.
    pub fn new(kv: K) -> Self {
        Self(kv)
    }

    fn check_condition(&self, condition: Option<&Condition>) -> Result<(), KvError> {
        match condition {
            Some(_) if !self.0.limits().conditional_write => {
                Err(KvError::Rejected("there are no conditional writes here".into()))
            }
            _ => Ok(()),
        }
    }
}

impl<K: Kv> Kv for Checked<K> {
    fn limits(&self) -> KvLimits {
        self.0.limits()
    }

    async fn get(&self, key: &str, part: Option<Span>) -> Result<Option<Entry>, KvError> {
        checks::key(key, &self.limits())?;
        self.0.get(key, part).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        checks::value(&value, &options, &self.limits())?;
        self.check_condition(options.condition.as_ref())?;
        self.0.set(key, value, options).await
    }

    async fn delete(&self, key: &str, condition: Option<Condition>) -> Result<Outcome, KvError> {
        checks::key(key, &self.limits())?;
        self.check_condition(condition.as_ref())?;
        self.0.delete(key, condition).await
    }

    /// No key has a prefix that is longer than the longest key.
    async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        checks::page(limit)?;
        if prefix.len() as u64 > u64::from(self.limits().key_bytes_max) {
            return Ok(KeyPage::default());
        }
        self.0.list_keys(prefix, cursor, limit).await
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    /// Does nothing, and fails the test where it is asked for what it cannot do.
    struct Lesser;

    impl Kv for Lesser {
        fn limits(&self) -> KvLimits {
            KvLimits {
                value_bytes_max: 10,
                key_bytes_max: 3,
                summary_bytes_max: 0,
                ttl_seconds_min: None,
                staleness_ms: 0,
                write_lag_ms_max: 0,
                rewrite_interval_ms: 0,
                operations_max: None,
                concurrency_max: 1,
                memory_bytes_max: 100,
                ranged_get: false,
                conditional_write: false,
            }
        }

        async fn get(&self, key: &str, _: Option<Span>) -> Result<Option<Entry>, KvError> {
            assert!((1..=3).contains(&key.len()));
            Ok(None)
        }

        async fn set(&self, key: &str, value: Bytes, set: SetOptions) -> Result<Outcome, KvError> {
            assert!((1..=3).contains(&key.len()) && value.len() <= 10);
            assert_eq!((set.condition, set.summary), (None, None));
            Ok(Outcome::Done)
        }

        async fn delete(&self, key: &str, only: Option<Condition>) -> Result<Outcome, KvError> {
            assert!((1..=3).contains(&key.len()) && only.is_none());
            Ok(Outcome::Done)
        }

        async fn list_keys(
            &self,
            prefix: &str,
            _: Option<&str>,
            limit: u32,
        ) -> Result<KeyPage, KvError> {
            assert!(prefix.len() <= 3 && (1..=1000).contains(&limit));
            Ok(KeyPage { cursor: Some("asked".into()), ..KeyPage::default() })
        }
    }

    #[test]
    fn what_is_within_the_limits_comes_through() {
        let kv = Checked::new(Lesser);
        assert_eq!(block_on(kv.get("abc", None)), Ok(None));
        let set = block_on(kv.set("abc", "0123456789".into(), SetOptions::default()));
        assert_eq!(set, Ok(Outcome::Done));
        assert_eq!(block_on(kv.delete("abc", None)), Ok(Outcome::Done));
        let page = block_on(kv.list_keys("abc", None, 1000)).unwrap();
        assert_eq!(page.cursor.as_deref(), Some("asked"));
    }

    #[test]
    fn what_is_over_them_is_rejected() {
        let kv = Checked::new(Lesser);
        let rejected = |refused: Result<Outcome, KvError>| {
            assert!(matches!(&refused, Err(KvError::Rejected(_))), "{refused:?}");
        };
        for key in ["", "abcd"] {
            assert!(matches!(block_on(kv.get(key, None)), Err(KvError::Rejected(_))));
            rejected(block_on(kv.set(key, "".into(), SetOptions::default())));
            rejected(block_on(kv.delete(key, None)));
        }
        rejected(block_on(kv.set("a", vec![0; 11].into(), SetOptions::default())));
        let summary = SetOptions { summary: Some("s".into()), ..SetOptions::default() };
        rejected(block_on(kv.set("a", "".into(), summary)));
        let condition = || Some(Condition::Absent);
        let conditional = SetOptions { condition: condition(), ..SetOptions::default() };
        rejected(block_on(kv.set("a", "".into(), conditional)));
        rejected(block_on(kv.delete("a", condition())));
        assert!(block_on(kv.list_keys("", None, 1001)).is_err());
    }

    #[test]
    fn no_key_has_a_prefix_longer_than_keys_are() {
        let page = block_on(Checked::new(Lesser).list_keys("abcd", None, 10));
        assert_eq!(page, Ok(KeyPage::default()));
    }
}
