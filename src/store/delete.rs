//! Deleting objects: the manifest goes, and nothing else. Readers of the content
//! go on; sweep collects it when nobody can be reading it any more.

use super::commit::uncertain_if;
use super::load::{Stored, check_precondition};
use super::{Store, check_write_precondition};
use crate::attempt::Failure;
use crate::clock::Clock;
use crate::error::Error;
use crate::key;
use crate::kv::{Condition, Kv, KvLimits, Outcome};
use crate::limits::COMMIT_ATTEMPTS;
use crate::metrics::On;
use crate::object::Precondition;

impl<K: Kv, C: Clock> Store<K, C> {
    /// Deletes an object. [`Error::NotFound`] where there is none.
    ///
    /// A manifest that cannot be read is deleted too, unless there is a
    /// precondition.
    pub async fn delete(
        &self,
        key: &str,
        precondition: Option<&Precondition>,
    ) -> Result<(), Error> {
        self.counted("delete", On::Key(key), async {
            let limits = self.limits();
            self.check_key(key, &limits)?;
            check_write_precondition(precondition, &limits)?;
            // The version that an attempt with a lost answer was to delete, and why it was lost.
            let mut lost: Option<(Option<String>, String)> = None;
            for attempt in 1..=COMMIT_ATTEMPTS {
                let why = || lost.as_ref().map(|(_, why)| why.clone());
                let stored = match self.load_header(key).await {
                    Ok(stored) => stored,
                    Err(error) => return Err(uncertain_if(why(), error)),
                };
                let version = stored.as_ref().and_then(|stored| stored.version.clone());
                match &lost {
                    // It landed, or somebody else deleted it: it is gone.
                    Some(_) if stored.is_none() => return Ok(()),
                    // It landed and somebody else put another, or what was to go was replaced, and
                    // what is there now had better stay: nobody knows.
                    Some((tried, why)) if *tried != version => {
                        return Err(Error::Uncertain(why.clone()));
                    }
                    _ => {}
                }
                let readable = stored.as_ref().is_none_or(|stored| stored.manifest.is_ok());
                if precondition.is_some() || readable {
                    let current = self.current(key, &stored)?;
                    check_precondition(precondition, current)?;
                    if current.is_none() {
                        self.drop_expired(key, stored.is_some(), version, &limits).await;
                        return Err(Error::NotFound);
                    }
                }
                let condition = version.clone().map(Condition::VersionIs);
                match self.kv().delete_if(&key::manifest(key), condition).await {
                    Ok(Outcome::Done) => {
                        self.condemn(&segments_of(&stored), &limits).await;
                        return Ok(());
                    }
                    Ok(Outcome::Stale) => {}
                    Err(Failure::Definite(error)) => return Err(uncertain_if(why(), error)),
                    Err(Failure::Ambiguous(why)) => {
                        lost = Some((version, why));
                        self.kv().back_off(attempt).await;
                    }
                }
            }
            Err(match lost {
                Some((_, why)) => Error::Uncertain(why),
                None => {
                    Error::Unavailable("others keep writing this object; try again".into(), None)
                }
            })
        })
        .await
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// Takes the manifest of an object that has expired out of listings, if that can
    /// be done without touching one that was put meanwhile.
    async fn drop_expired(
        &self,
        key: &str,
        is_there: bool,
        version: Option<String>,
        limits: &KvLimits,
    ) {
        if let (true, true, Some(version)) = (is_there, limits.conditional_write, version) {
            let condition = Some(Condition::VersionIs(version));
            // Nobody asked for it: sweep does it if this does not.
            let _ = self.kv().delete_if(&key::manifest(key), condition).await;
        }
    }
}

fn segments_of(stored: &Option<Stored>) -> Vec<key::Id> {
    let manifest = stored.as_ref().and_then(|stored| stored.manifest.as_ref().ok());
    manifest.map(|manifest| manifest.segments.clone()).unwrap_or_default()
}
