//! Reading manifests.

use bytes::Bytes;

use super::Store;
use crate::clock::Clock;
use crate::error::Error;
use crate::key;
use crate::kv::Kv;
use crate::limits::HEAD_BYTES;
use crate::manifest::{Manifest, codec};
use crate::metrics::On;
use crate::object::{ObjectInfo, Precondition};
use crate::range::Span;
use crate::record::{Kind, header_end};

/// What lies under an object's key.
#[derive(Debug)]
pub(super) struct Stored {
    /// The manifest, or why it cannot be read.
    pub manifest: Result<Manifest, String>,
    /// The kv version of the value.
    pub version: Option<String>,
    /// What follows the header; only with [`Store::load_whole`].
    pub content: Bytes,
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// The value under an object's key with all content that it holds; one kv
    /// operation.
    pub(super) async fn load_whole(&self, key: &str) -> Result<Option<Stored>, Error> {
        let entry = self.kv().get(&key::manifest(key), None).await?;
        Ok(entry.map(|entry| {
            let (manifest, content) = match decode(key, &entry.value) {
                Ok((manifest, end)) => (Ok(manifest), entry.value.slice(end..)),
                Err(why) => (Err(why), Bytes::new()),
            };
            Stored { manifest, version: entry.version, content }
        }))
    }

    /// The value under an object's key without the content behind the header, as far
    /// as kv can leave it out.
    pub(super) async fn load_header(&self, key: &str) -> Result<Option<Stored>, Error> {
        let kv_key = key::manifest(key);
        let part = self.limits().ranged_get.then(|| Span::new(0, HEAD_BYTES));
        let Some(mut entry) = self.kv().get(&kv_key, part).await? else {
            return Ok(None);
        };
        let cut_short = part.is_some()
            && header_end(Kind::Manifest, &entry.value).is_ok_and(|end| end as u64 > HEAD_BYTES);
        if cut_short {
            match self.kv().get(&kv_key, None).await? {
                Some(whole) => entry = whole,
                None => return Ok(None),
            }
        }
        let manifest = decode(key, &entry.value).map(|(manifest, _)| manifest);
        Ok(Some(Stored { manifest, version: entry.version, content: Bytes::new() }))
    }

    /// The object that exists now, if any: an expired one does not.
    pub(super) fn current<'a>(
        &self,
        key: &str,
        stored: &'a Option<Stored>,
    ) -> Result<Option<&'a Manifest>, Error> {
        let Some(stored) = stored else { return Ok(None) };
        match &stored.manifest {
            Ok(manifest) if manifest.has_expired(self.clock().wall_ms()) => Ok(None),
            Ok(manifest) => Ok(Some(manifest)),
            Err(why) => Err(Error::Corrupt(format!("{key:?} cannot be read: {why}"))),
        }
    }

    /// Describes an object without reading its content.
    ///
    /// [`Error::NotFound`] where there is none, or it has expired.
    pub async fn head(
        &self,
        key: &str,
        precondition: Option<&Precondition>,
    ) -> Result<ObjectInfo, Error> {
        self.counted("head", On::Key(key), async {
            self.check_key(key, &self.limits())?;
            let stored = self.load_header(key).await?;
            let current = self.current(key, &stored)?;
            check_precondition(precondition, current)?;
            current.map(|manifest| manifest.info.clone()).ok_or(Error::NotFound)
        })
        .await
    }
}

fn decode(key: &str, value: &[u8]) -> Result<(Manifest, usize), String> {
    let (manifest, end) = codec::decode_manifest(value)?;
    if manifest.info.key != key {
        return Err(format!("the manifest is the one of {:?}", manifest.info.key));
    }
    Ok((manifest, end))
}

/// Refuses to go on where the precondition does not hold of what there is.
pub(super) fn check_precondition(
    precondition: Option<&Precondition>,
    current: Option<&Manifest>,
) -> Result<(), Error> {
    let info = current.map(|manifest| &manifest.info);
    match precondition {
        Some(precondition) if !precondition.holds(info) => {
            Err(Error::PreconditionFailed(info.cloned().map(Box::new)))
        }
        _ => Ok(()),
    }
}
