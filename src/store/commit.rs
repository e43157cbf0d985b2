//! The one write that commits.
//!
//! With conditional writes the manifest is set against the version that was read,
//! so what it replaced is known, and a precondition is kept. A set whose answer was
//! lost may have landed: the manifest is read back and recognised by its
//! generation. Without conditional writes the last commit wins.

use bytes::Bytes;

use futures::FutureExt;

use super::Store;
use super::at_once::at_once;
use super::load::{Stored, check_precondition};
use crate::attempt::Failure;
use crate::clock::Clock;
use crate::error::Error;
use crate::key::{self, Id};
use crate::kv::{Condition, Kv, KvLimits, Outcome, SetOptions};
use crate::limits::{COMMIT_ATTEMPTS, HINTS_MAX};
use crate::manifest::{self, Manifest, codec};
use crate::object::Precondition;
use crate::pacing;
use crate::segment::Segment;

/// A manifest ready to be set.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    /// What it says.
    pub manifest: &'a Manifest,
    /// Its stored form, inline content included.
    pub value: Bytes,
    /// Seconds until the object ceases to exist.
    pub ttl_seconds: Option<u32>,
    /// What it may replace.
    pub against: Against<'a>,
}

/// What a commit may replace.
#[derive(Debug)]
pub(super) enum Against<'a> {
    /// Whatever is there, if this holds of it.
    Any(Option<&'a Precondition>),
    /// The value with this kv version, or no value, and nothing else.
    Version(Option<String>),
}

impl<'a> Commit<'a> {
    /// A commit of a manifest, with the content behind it if it holds that.
    pub fn new(
        manifest: &'a Manifest,
        content: &[u8],
        ttl_seconds: Option<u32>,
        against: Against<'a>,
        limits: &KvLimits,
    ) -> Result<Self, Error> {
        let mut value = codec::encode_manifest(manifest);
        value.extend_from_slice(content);
        if value.len() as u64 > limits.value_bytes_max {
            return Err(Error::LimitExceeded(format!(
                "the manifest has {} bytes; values of this platform hold {}",
                value.len(),
                limits.value_bytes_max
            )));
        }
        Ok(Self { manifest, value: Bytes::from(value), ttl_seconds, against })
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// Makes the object appear. Gives the segments that it replaced, as far as that
    /// is known.
    pub(super) async fn commit(
        &self,
        commit: &Commit<'_>,
        limits: &KvLimits,
    ) -> Result<Vec<Id>, Error> {
        if limits.conditional_write {
            self.commit_against_version(commit, limits).await
        } else {
            self.commit_blindly(commit, limits).await
        }
    }

    async fn commit_against_version(
        &self,
        commit: &Commit<'_>,
        limits: &KvLimits,
    ) -> Result<Vec<Id>, Error> {
        let key = &commit.manifest.info.key;
        let mut lost: Option<String> = None;
        // Until when an attempt may land on a key that holds nothing.
        let mut lands_until_ns = 0;
        for attempt in 1..=COMMIT_ATTEMPTS {
            let stored = match self.load_settled(commit, lands_until_ns).await {
                Ok(stored) => stored,
                Err(error) => return Err(uncertain_if(lost, error)),
            };
            if is_generation(&stored, &commit.manifest.info.generation) {
                return Ok(Vec::new());
            }
            self.check_against(commit, &stored)
                .map_err(|error| uncertain_if(lost.clone(), error))?;
            let mut options = self.manifest_options(commit, limits);
            options.condition = Some(match &stored {
                None => Condition::Absent,
                Some(Stored { version: Some(version), .. }) => {
                    Condition::VersionIs(version.clone())
                }
                Some(_) => {
                    let why = "kv has conditional writes but gave no version".to_string();
                    return Err(Error::Denied(why));
                }
            });
            let set = self.kv().set_if(&key::manifest(key), commit.value.clone(), options).await;
            match set {
                Ok(Outcome::Done) => return Ok(replaced(&stored, commit.manifest)),
                Ok(Outcome::Stale) => {}
                Err(Failure::Definite(error)) => return Err(uncertain_if(lost, error)),
                Err(Failure::Ambiguous(why)) => {
                    lost = Some(why);
                    if stored.is_none() {
                        let lag_ns = u64::from(limits.write_lag_ms_max) * 1_000_000;
                        lands_until_ns = self.clock().monotonic_ns() + lag_ns;
                    }
                    self.kv().back_off(attempt).await;
                }
            }
        }
        let busy = Error::Unavailable("others keep writing this object; try again".into(), None);
        Err(uncertain_if(lost, busy))
    }

    /// Refuses to replace what may not be.
    fn check_against(&self, commit: &Commit<'_>, stored: &Option<Stored>) -> Result<(), Error> {
        let key = &commit.manifest.info.key;
        match &commit.against {
            Against::Any(None) => Ok(()),
            Against::Any(precondition) => {
                check_precondition(*precondition, self.current(key, stored)?)
            }
            Against::Version(version) => {
                if stored.as_ref().and_then(|stored| stored.version.as_ref()) == version.as_ref() {
                    return Ok(());
                }
                let info = self.current(key, stored)?.map(|manifest| manifest.info.clone());
                Err(Error::PreconditionFailed(info.map(Box::new)))
            }
        }
    }

    /// The manifest, once no earlier attempt can set it any more, or when one has.
    ///
    /// A version never comes back, so an attempt that lands after another has succeeded
    /// finds its condition broken. Absence does come back: an attempt that landed late
    /// would bring an object back that the next attempt put and somebody deleted. An
    /// upload's manifest may have been set by others who commit it too, while an attempt of
    /// ours is still on its way: that it is there does not say that ours has landed.
    async fn load_settled(
        &self,
        commit: &Commit<'_>,
        lands_until_ns: u64,
    ) -> Result<Option<Stored>, Error> {
        let only_ours = matches!(commit.against, Against::Any(_));
        for poll in 1.. {
            let stored = self.load_header(&commit.manifest.info.key).await?;
            if only_ours && is_generation(&stored, &commit.manifest.info.generation)
                || self.clock().monotonic_ns() >= lands_until_ns
            {
                return Ok(stored);
            }
            self.kv().back_off(poll).await;
        }
        unreachable!("time passes")
    }

    async fn commit_blindly(
        &self,
        commit: &Commit<'_>,
        limits: &KvLimits,
    ) -> Result<Vec<Id>, Error> {
        let key = &commit.manifest.info.key;
        // Never probe for a key that may not exist where misses can be stale: the
        // platform would remember the miss and hide the object that is put now.
        let stored = match limits.staleness_ms {
            0 => self.load_header(key).await?,
            _ => None,
        };
        let options = self.manifest_options(commit, limits);
        match self.kv().set_or_tell(&key::manifest(key), commit.value.clone(), options).await {
            Ok(()) => Ok(replaced(&stored, commit.manifest)),
            Err(Failure::Ambiguous(why)) => Err(Error::Uncertain(why)),
            Err(Failure::Definite(error)) => Err(error),
        }
    }

    fn manifest_options(&self, commit: &Commit<'_>, limits: &KvLimits) -> SetOptions {
        let summary = manifest::summary(&commit.manifest.info, limits.summary_bytes_max);
        SetOptions {
            ttl_seconds: kv_ttl(limits, commit.ttl_seconds.map(u64::from)),
            condition: None,
            summary: summary.map(Bytes::from),
            durable: true,
        }
    }

    /// Marks segments that a commit replaced, or a failed write left behind, as
    /// unneeded. Only a hint: sweep finds them without it, only later, so no failure
    /// here fails the operation.
    ///
    /// Where nothing is conditional it is not given: a record that was read a moment ago
    /// would take back what its writer has made it cover since, and those chunks would
    /// never be found. Of many segments only the first are given it, so that who deletes a
    /// large object does not wait for thousands of hints.
    pub(super) async fn condemn(&self, segments: &[Id], limits: &KvLimits) {
        let segments = &segments[..segments.len().min(HINTS_MAX)];
        let operations = 2 * segments.len() as u64;
        let too_many = limits.operations_max.is_some_and(|left| u64::from(left) < operations);
        if too_many || !limits.conditional_write {
            return;
        }
        let condemn = |segment| self.condemn_one(segment).map(Ok).boxed_local();
        let hints = &mut segments.iter().map(|segment| condemn(*segment));
        // None fails.
        let _ = at_once(pacing::depth(limits), hints).await;
    }

    async fn condemn_one(&self, segment: Id) {
        let kv_key = key::segment(segment);
        let Ok(Some(entry)) = self.kv().get(&kv_key, None).await else { return };
        let Ok(mut record) = Segment::decode(&entry.value) else { return };
        if record.condemned_at.is_none() {
            record.condemned_at = Some(self.clock().wall_ms());
            let options = SetOptions {
                condition: entry.version.map(Condition::VersionIs),
                ..SetOptions::default()
            };
            let _ = self.kv().set_as_hint(&kv_key, record.encode().into(), options).await;
        }
    }
}

/// What kv is told about expiry, where it has any.
pub(super) fn kv_ttl(limits: &KvLimits, seconds: Option<u64>) -> Option<u32> {
    let least = limits.ttl_seconds_min?;
    // Beyond 136 years the platform may as well keep it.
    Some(u32::try_from(seconds?).ok()?.max(least))
}

pub(super) fn is_generation(stored: &Option<Stored>, generation: &str) -> bool {
    let manifest = stored.as_ref().and_then(|stored| stored.manifest.as_ref().ok());
    manifest.is_some_and(|manifest| manifest.info.generation == generation)
}

/// The segments of what was there that the new manifest does not list.
fn replaced(before: &Option<Stored>, now: &Manifest) -> Vec<Id> {
    let manifest = before.as_ref().and_then(|stored| stored.manifest.as_ref().ok());
    let segments = manifest.map(|manifest| manifest.segments.as_slice()).unwrap_or_default();
    segments.iter().copied().filter(|id| !now.segments.contains(id)).collect()
}

/// After a write whose answer was lost, whatever else went wrong, nobody knows
/// whether it took effect.
pub(super) fn uncertain_if(lost: Option<String>, error: Error) -> Error {
    match lost {
        Some(why) => Error::Uncertain(why),
        None => error,
    }
}
