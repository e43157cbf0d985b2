//! Committing an upload. First its record is sealed: with what it becomes, and which
//! version of the manifest that replaces. Then the manifest is set against that version,
//! by whoever comes to do it; so however often it is committed, by however many, it
//! appears once and replaces nothing newer.

use super::commit::{Against, Commit, is_generation};
use super::load::check_precondition;
use super::put::check_digest;
use super::upload::{Held, busy};
use super::{Store, feed};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::Error;
use crate::key;
use crate::kv::{Kv, KvLimits};
use crate::limits::COMMIT_ATTEMPTS;
use crate::manifest::{Draft, Manifest, Place};
use crate::metrics::On;
use crate::object::ObjectInfo;
use crate::upload::{Seal, State, Upload};

impl<K: Kv, C: Clock> Store<K, C> {
    /// Makes the object appear that an upload holds. Committing again, before the
    /// deadline, gives the same object and changes nothing.
    ///
    /// [`Error::BodyMismatch`] where it is not of the announced size or digest (it stays
    /// open), [`Error::PreconditionFailed`] (likewise), [`Error::NotFound`];
    /// [`Error::Uncertain`] where somebody else has written the object since an earlier
    /// commit was cut off.
    pub async fn commit_upload(&self, name: &str) -> Result<ObjectInfo, Error> {
        self.counted("commit", On::Upload(name), async {
            let limits = self.limits();
            let mut sealed_here = None;
            for _ in 0..COMMIT_ATTEMPTS {
                let held = self.load_upload(name, &limits).await?;
                match &held.upload.state {
                    State::Committed(seal) => return Ok(manifest_of(&held.upload, seal)?.info),
                    State::Sealed(seal) => {
                        let ours = sealed_here == Some(seal.generation);
                        match self.set_manifest(&held, seal, ours, &limits).await? {
                            Some(info) => return Ok(info),
                            // Somebody else wrote the object between seal and set.
                            None => drop(self.reopen(&held, &limits).await?),
                        }
                    }
                    State::Open => {
                        let held = self.settled(name, held, &limits).await?;
                        sealed_here = self.seal(&held, &limits).await?.or(sealed_here);
                    }
                    State::Aborted => return Err(Error::NotFound),
                }
            }
            Err(busy())
        })
        .await
    }

    /// The upload with all that has been accepted. Where reads can be stale, and nothing
    /// that was announced vouches for it, that takes waiting them out.
    async fn settled(&self, name: &str, held: Held, limits: &KvLimits) -> Result<Held, Error> {
        let Upload { options, offset, .. } = &held.upload;
        let whole = match (options.size, &options.digest) {
            (Some(size), _) => *offset == size,
            (None, None) => false,
            (None, announced) => {
                let digest = self.digest_of_upload(&held, limits).await?;
                check_digest(announced.as_deref(), &digest).is_ok()
            }
        };
        if limits.staleness_ms == 0 || whole {
            return Ok(held);
        }
        self.clock().sleep_ms(u64::from(limits.staleness_ms)).await;
        self.load_upload(name, limits).await
    }

    /// Seals an open upload; gives the generation that it becomes, unless somebody else
    /// has changed it meanwhile.
    async fn seal(&self, held: &Held, limits: &KvLimits) -> Result<Option<key::Id>, Error> {
        let Upload { options, key, .. } = &held.upload;
        if held.upload.state != State::Open {
            return Ok(None);
        }
        feed::check_size(held.upload.offset, options.size, true)?;
        let digest = self.digest_of_upload(held, limits).await?;
        check_digest(options.digest.as_deref(), &digest)?;
        let replaces = match limits.conditional_write {
            false => None,
            true => {
                let stored = self.load_header(key).await?;
                if options.precondition.is_some() {
                    let current = self.current(key, &stored)?;
                    check_precondition(options.precondition.as_ref(), current)?;
                }
                stored.and_then(|stored| stored.version)
            }
        };
        let modified = self.clock().wall_ms();
        let seal = Seal {
            digest: digest.to_string(),
            generation: self.new_id(),
            modified,
            expires: options.ttl_seconds.map(|ttl| modified + u64::from(ttl) * 1000),
            replaces,
        };
        let generation = seal.generation;
        manifest_of(&held.upload, &seal)?;
        let sealed = Upload { state: State::Sealed(seal), ..held.upload.clone() };
        Ok(self.replace_upload(held, sealed, limits).await?.map(|_| generation))
    }

    /// Sets the manifest of a sealed upload. `None` if the object has been written since
    /// it was sealed, by others: certain only where it was sealed here.
    async fn set_manifest(
        &self,
        held: &Held,
        seal: &Seal,
        sealed_here: bool,
        limits: &KvLimits,
    ) -> Result<Option<ObjectInfo>, Error> {
        let manifest = manifest_of(&held.upload, seal)?;
        let ttl_seconds = held.upload.options.ttl_seconds;
        let against = match limits.conditional_write {
            true => Against::Version(seal.replaces.clone()),
            false => Against::Any(None),
        };
        let commit = Commit::new(&manifest, &[], ttl_seconds, against, limits)?;
        if !limits.conditional_write && !sealed_here {
            self.check_not_replaced(&manifest, limits).await?;
        }
        let replaced = match self.commit(&commit, limits).await {
            Ok(replaced) => replaced,
            Err(Error::PreconditionFailed(_)) if sealed_here => return Ok(None),
            Err(Error::PreconditionFailed(_)) => return Err(replaced_since()),
            Err(error) => return Err(error),
        };
        let committed = Upload { state: State::Committed(seal.clone()), ..held.upload.clone() };
        let noted = self.replace_upload(held, committed, limits).await;
        self.condemn(&replaced, limits).await;
        match noted {
            // Whoever committed it again when it has been deleted would bring it back: a
            // version never comes again, but absence does.
            Err(error) if limits.conditional_write && seal.replaces.is_none() => {
                Err(Error::Uncertain(format!(
                    "the object is there, but not that its upload has been committed: {error}"
                )))
            }
            // The manifest says so too, for as long as nobody replaces it.
            _ => Ok(Some(manifest.info)),
        }
    }

    /// Refuses to commit again what others have replaced, as far as that can be told
    /// without versions.
    async fn check_not_replaced(
        &self,
        manifest: &Manifest,
        limits: &KvLimits,
    ) -> Result<(), Error> {
        if limits.staleness_ms > 0 {
            // Looking would be remembered as a miss and hide what is put now.
            return Ok(());
        }
        let stored = self.load_header(&manifest.info.key).await?;
        let ours = is_generation(&stored, &manifest.info.generation);
        let current = self.current(&manifest.info.key, &stored)?;
        let newer = current.is_some_and(|now| now.info.modified > manifest.info.modified);
        if newer && !ours { Err(replaced_since()) } else { Ok(()) }
    }

    /// Opens a sealed upload again whose manifest can no longer be set.
    async fn reopen(&self, held: &Held, limits: &KvLimits) -> Result<Option<Held>, Error> {
        let open = Upload { state: State::Open, ..held.upload.clone() };
        self.replace_upload(held, open, limits).await
    }
}

fn replaced_since() -> Error {
    Error::Uncertain(
        "the object has been written by others since this upload was sealed".to_string(),
    )
}

/// The manifest that an upload becomes.
pub(super) fn manifest_of(upload: &Upload, seal: &Seal) -> Result<Manifest, Error> {
    let damaged = || Error::Corrupt(format!("the upload for {:?} is damaged", upload.key));
    let digest: Digest = seal.digest.parse().map_err(|()| damaged())?;
    let mut nodes = upload.nodes.clone();
    match &mut nodes[..] {
        [lone] if matches!(lone.place, Place::Page { .. }) => return Err(damaged()),
        [lone] => lone.cv = digest.0,
        _ => {}
    }
    let draft = Draft {
        key: &upload.key,
        size: upload.offset,
        digest,
        generation: seal.generation,
        content_type: upload.options.content_type.as_deref(),
        metadata: &upload.options.metadata,
        modified: seal.modified,
        expires: seal.expires,
        nodes,
        segments: upload.segments.clone(),
    };
    Ok(draft.finish())
}
