//! What values were: for reads that are stale, and for what a crash loses.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chunk_store::kv::SetOptions;
use tokio::time::Instant;

use super::plan::Chance;

/// A value as it was set, without its condition; `None` where it was deleted.
pub(super) type Value = Option<(Bytes, SetOptions)>;

struct Version {
    since: Instant,
    number: u64,
    value: Value,
}

/// Every key that was written, with its versions: the last is current, those before are
/// kept for as long as a read may see them, or a crash bring them back.
pub(super) struct Past {
    staleness: Duration,
    keys: BTreeMap<String, Vec<Version>>,
    /// Of the last write.
    number: u64,
    /// Keys that a crash changes, with the number of the first write it may take back.
    unsettled: BTreeMap<String, u64>,
}

impl Past {
    pub fn new(staleness_ms: u32) -> Self {
        let staleness = Duration::from_millis(staleness_ms.into());
        Self { staleness, keys: BTreeMap::new(), number: 0, unsettled: BTreeMap::new() }
    }

    /// The last write so far, for [`Past::settle`].
    pub fn mark(&self) -> u64 {
        self.number
    }

    /// A write took effect.
    pub fn wrote(&mut self, key: &str, value: Value, now: Instant) {
        self.number += 1;
        let version = Version { since: now, number: self.number, value };
        let first = *self.unsettled.entry(key.to_string()).or_insert(self.number);
        let versions = self.keys.entry(key.to_string()).or_default();
        versions.push(version);
        // The newest that is old enough for every read, and settled, stays.
        let old =
            |version: &Version| now - version.since > self.staleness && version.number < first;
        let outlived = versions.iter().rposition(old).unwrap_or(0);
        versions.drain(..outlived);
    }

    /// A durable write of `key`, just now, was acknowledged: it and all up to `mark`
    /// survive a crash.
    pub fn settle(&mut self, mark: u64, key: &str) {
        self.unsettled.remove(key);
        for first in self.unsettled.values_mut() {
            *first = (*first).max(mark + 1);
        }
        let keys = &self.keys;
        self.unsettled
            .retain(|key, first| keys[key].last().is_some_and(|last| last.number >= *first));
    }

    /// What a key held at that moment; outside, `None` if the key's writes do not reach
    /// back so far.
    pub fn at(&self, key: &str, moment: Instant) -> Option<&Value> {
        let versions = self.keys.get(key)?;
        let version = versions.iter().rev().find(|version| version.since <= moment);
        Some(version.map_or(&None, |version| &version.value))
    }

    /// Forgets what a crash forgets; gives what the keys that change hold then.
    pub fn crash(&mut self, chance: &mut Chance) -> Vec<(String, Value)> {
        let mut changed = Vec::new();
        for (key, first) in std::mem::take(&mut self.unsettled) {
            let versions = self.keys.get_mut(&key).expect("it was written");
            let settled = versions.iter().take_while(|version| version.number < first).count();
            let kept = chance.between(settled as u64, versions.len() as u64) as usize;
            if kept < versions.len() {
                versions.truncate(kept);
                let value = versions.last().and_then(|version| version.value.clone());
                changed.push((key, value));
            }
        }
        changed
    }
}
