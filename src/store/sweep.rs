//! Giving back the space of what no object needs any more.
//!
//! One rule: a segment is live if the manifest of its key lists it, or an upload that
//! can still be committed does. One that is not, and whose writer can no longer
//! commit, is condemned; condemned a full grace ago, and still not live on a fresh
//! read, its chunks and pages are deleted by number, its record last. So a sweep may
//! be cut off anywhere: what it left is found by the next one. [`Segment::fate`] is
//! the rule; this is the walk over the records.

mod trim;

use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::attempt::Failure;
use crate::clock::Clock;
use crate::error::Error;
use crate::key::{self, Id, MANIFEST_PREFIX, SEGMENT_PREFIX, UPLOAD_PREFIX};
use crate::kv::{Condition, Kv, KvLimits, ListedKey, Outcome, SetOptions};
use crate::limits::{CLOCK_MARGIN_SECONDS, LIST_LIMIT_MAX};
use crate::manifest::Manifest;
use crate::metrics::On;
use crate::object::{ObjectSummary, SweepOptions, SweepReport};
use crate::pacing;
use crate::segment::{Fate, Rules, Segment};
use crate::upload::Upload;

impl<K: Kv, C: Clock> Store<K, C> {
    /// Deletes what no object needs: content that was replaced, deleted or has expired,
    /// past its grace, and what abandoned writes and uploads left.
    ///
    /// Safe beside readers, writers and other sweeps. Stops after `operations_max` kv
    /// operations (at least 16, so that each call comes further) and goes on from the
    /// report's cursor.
    pub async fn sweep(&self, options: &SweepOptions) -> Result<SweepReport, Error> {
        self.counted("sweep", On::Store, async {
            let limits = self.limits();
            let cursor = match &options.cursor {
                None => Cursor::default(),
                Some(text) => serde_json::from_str(text).map_err(|_| {
                    Error::InvalidArgument("the cursor is not from a sweep of this store".into())
                })?,
            };
            let left = [options.operations_max, limits.operations_max].into_iter().flatten().min();
            if left.is_some_and(|left| left < OPERATIONS_MIN) {
                return Err(Error::InvalidArgument(format!(
                    "a sweep of fewer than {OPERATIONS_MIN} operations comes nowhere; allow more"
                )));
            }
            let rules = rules(options, &limits, self.clock().wall_ms());
            let report = SweepReport::default();
            let sweep =
                Sweep { store: self, limits, rules, dry_run: options.dry_run, left, report };
            sweep.run(cursor).await
        })
        .await
    }
}

/// What one segment may take before its first chunk is deleted, and the listing before
/// it.
const OPERATIONS_MIN: u32 = 16;

/// What the rule depends on besides the segment.
fn rules(options: &SweepOptions, limits: &KvLimits, now: u64) -> Rules {
    // Where nobody writes nothing lands late, and there are no other clocks.
    let (lag_ms, margin_ms) = match options.no_writers {
        true => (0, 0),
        false => (u64::from(limits.write_lag_ms_max), 1000 * CLOCK_MARGIN_SECONDS),
    };
    let least_ms = u64::from(limits.staleness_ms) + lag_ms + margin_ms;
    Rules {
        now,
        grace_ms: (1000 * u64::from(options.grace_seconds)).max(least_ms),
        margin_ms,
        no_writers: options.no_writers,
    }
}

/// What is gone through, in this order: uploads and expired objects first, since they
/// keep segments alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    #[default]
    Uploads,
    Objects,
    Segments,
}

/// Where a sweep goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Cursor {
    phase: Phase,
    /// kv's cursor to the page that is being gone through.
    page: Option<String>,
    /// The last key of the page that is done with.
    after: Option<String>,
    /// The record of the segment that is being deleted.
    segment: Option<String>,
    /// How many of its chunks and pages are deleted: of all; of those not listed.
    deleted: u64,
    trimmed: u64,
}

/// Why it ends before its end.
enum Halt {
    Spent,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What lies under an object's key.
enum Found {
    Nothing,
    /// An object that is over, and has been deleted now, or would be.
    Expired,
    /// Nobody can tell what it lists.
    Unreadable,
    Object(Box<Manifest>),
}

struct Sweep<'a, K, C> {
    store: &'a Store<K, C>,
    limits: KvLimits,
    rules: Rules,
    dry_run: bool,
    left: Option<u32>,
    report: SweepReport,
}

impl<K: Kv, C: Clock> Sweep<'_, K, C> {
    async fn run(mut self, mut cursor: Cursor) -> Result<SweepReport, Error> {
        match self.walk(&mut cursor).await {
            Ok(()) => {}
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Spent) => {
                self.report.cursor = Some(serde_json::to_string(&cursor).expect("plain data"));
            }
        }
        Ok(self.report)
    }

    async fn walk(&mut self, cursor: &mut Cursor) -> Result<(), Halt> {
        loop {
            let prefix = match cursor.phase {
                Phase::Uploads => UPLOAD_PREFIX,
                Phase::Objects => MANIFEST_PREFIX,
                Phase::Segments => SEGMENT_PREFIX,
            };
            // Where kv drops expired manifests by itself there is nothing to look for, and
            // without conditional writes they cannot be deleted safely.
            let expired_objects =
                self.limits.ttl_seconds_min.is_none() && self.limits.conditional_write;
            if cursor.phase != Phase::Objects || expired_objects {
                self.walk_keys(prefix, cursor).await?;
            }
            let phase = match cursor.phase {
                Phase::Uploads => Phase::Objects,
                Phase::Objects => Phase::Segments,
                Phase::Segments => return Ok(()),
            };
            *cursor = Cursor { phase, ..Cursor::default() };
        }
    }

    async fn walk_keys(&mut self, prefix: &str, cursor: &mut Cursor) -> Result<(), Halt> {
        loop {
            self.spend(1)?;
            let page = cursor.page.as_deref();
            let page = self.store.kv().list_keys(prefix, page, LIST_LIMIT_MAX).await?;
            for listed in page.keys {
                if cursor.after.as_ref().is_some_and(|after| listed.key <= *after) {
                    continue;
                }
                if cursor.segment.as_ref() != Some(&listed.key) {
                    // Another sweep may have deleted the one that this one was at.
                    cursor.segment = Some(listed.key.clone());
                    (cursor.deleted, cursor.trimmed) = (0, 0);
                }
                match cursor.phase {
                    Phase::Uploads => self.upload(&listed.key).await?,
                    Phase::Objects => self.object(&listed).await?,
                    Phase::Segments => {
                        self.segment(&listed.key, cursor).await?;
                        // Not before: one that is cut off is examined again.
                        self.report.segments_examined += 1;
                    }
                }
                cursor.after = Some(listed.key);
            }
            if page.cursor.is_none() {
                return Ok(());
            }
            (cursor.page, cursor.after) = (page.cursor, None);
        }
    }

    /// Accounts for kv operations before they are made.
    fn spend(&mut self, operations: u32) -> Result<(), Halt> {
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.checked_sub(operations).ok_or(Halt::Spent)?;
        Ok(())
    }

    /// Deletes the record of an upload that nobody can go on with.
    async fn upload(&mut self, kv_key: &str) -> Result<(), Halt> {
        self.spend(2)?;
        let Some(entry) = self.store.kv().get(kv_key, None).await? else { return Ok(()) };
        // One that cannot be read, or is of a newer version, is not ours to judge.
        let Ok(upload) = Upload::decode(&entry.value) else { return Ok(()) };
        if !upload.is_over(&self.rules) {
            return Ok(());
        }
        if self.dry_run || self.delete_version(kv_key, entry.version).await? {
            self.report.uploads_deleted += 1;
        }
        Ok(())
    }

    /// Deletes the manifest of an object that has expired.
    async fn object(&mut self, listed: &ListedKey) -> Result<(), Halt> {
        let summary = listed.summary.as_deref().map(serde_json::from_slice::<ObjectSummary>);
        if let Some(Ok(summary)) = summary
            && !self.rules.has_passed(summary.expires)
        {
            return Ok(());
        }
        let key = &listed.key[MANIFEST_PREFIX.len()..];
        if let Found::Expired = self.manifest(key).await? {
            self.report.objects_expired += 1;
        }
        Ok(())
    }

    /// The manifest of a key; one that has expired is deleted, and its content condemned.
    async fn manifest(&mut self, key: &str) -> Result<Found, Halt> {
        let kv_key = key::manifest(key);
        if self.limits.staleness_ms > 0 {
            self.spend(1)?;
            // A miss would be remembered, and hide an object that is put now.
            let listed = self.store.kv().list_keys(&kv_key, None, 1).await?;
            if listed.keys.first().is_none_or(|listed| listed.key != kv_key) {
                return Ok(Found::Nothing);
            }
        }
        // The second for one that is longer than its beginning.
        self.spend(2)?;
        let Some(stored) = self.store.load_header(key).await? else { return Ok(Found::Nothing) };
        let Ok(manifest) = stored.manifest else { return Ok(Found::Unreadable) };
        if !self.rules.has_passed(manifest.info.expires) {
            return Ok(Found::Object(Box::new(manifest)));
        }
        if !self.limits.conditional_write {
            return Ok(Found::Nothing);
        }
        if !self.dry_run {
            self.spend(1)?;
            if !self.delete_version(&kv_key, stored.version).await? {
                return Ok(Found::Nothing);
            }
            self.condemn(&manifest.segments).await?;
        }
        Ok(Found::Expired)
    }

    /// Condemns segments of an object that is gone, as many as may still be spent on: the
    /// others wait for their writers' deadlines.
    async fn condemn(&mut self, segments: &[Id]) -> Result<(), Halt> {
        let most = self.left.map_or(usize::MAX, |left| left as usize / 2);
        let segments = &segments[..segments.len().min(most)];
        self.spend(2 * segments.len() as u32)?;
        self.store.condemn(segments, &self.limits).await;
        // Where there is no grace they go in this sweep.
        self.rules.now = self.rules.now.max(self.store.clock().wall_ms());
        Ok(())
    }

    async fn segment(&mut self, kv_key: &str, cursor: &mut Cursor) -> Result<(), Halt> {
        let Ok(id) = kv_key[SEGMENT_PREFIX.len()..].parse::<Id>() else { return Ok(()) };
        // Once more after it was condemned: with no grace it can go at once.
        for _ in 0..2 {
            // The record, its upload, a condemnation.
            self.spend(3)?;
            let Some(entry) = self.store.kv().get(kv_key, None).await? else { return Ok(()) };
            let Ok(mut record) = Segment::decode(&entry.value) else { return Ok(()) };
            let (live, manifest) = self.is_live(&record, id).await?;
            let fate = record.fate(live, &self.rules);
            match fate {
                Fate::Keep => {
                    if let Some(manifest) = manifest {
                        let found = (kv_key, id, &record, entry.version);
                        self.trim(found, &manifest, &mut cursor.trimmed).await?;
                    }
                    return Ok(());
                }
                Fate::Condemn | Fate::Revive => {
                    let condemned = fate == Fate::Condemn;
                    self.report.segments_condemned += u64::from(condemned);
                    if self.dry_run {
                        let goes = condemned && self.rules.grace_ms == 0;
                        self.report.segments_deleted += u64::from(goes);
                        return Ok(());
                    }
                    record.condemned_at = condemned.then_some(self.rules.now);
                    self.rewrite(kv_key, &record, entry.version).await?;
                }
                Fate::Delete if self.dry_run => {
                    self.report.segments_deleted += 1;
                    return Ok(());
                }
                Fate::Delete => {
                    return self.delete(kv_key, id, &record, &mut cursor.deleted).await;
                }
            }
            if fate == Fate::Revive || self.rules.grace_ms > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether an upload or a manifest lists a segment; and the manifest, if that does.
    async fn is_live(
        &mut self,
        record: &Segment,
        id: Id,
    ) -> Result<(bool, Option<Box<Manifest>>), Halt> {
        if let Some(upload) = record.upload {
            let kv_key = key::upload(&record.key, upload);
            if let Some(entry) = self.store.kv().get(&kv_key, None).await? {
                match Upload::decode(&entry.value) {
                    // Nobody can tell what it lists.
                    Err(_) => return Ok((true, None)),
                    Ok(upload) if upload.keeps(id, &self.rules) => return Ok((true, None)),
                    Ok(_) => {}
                }
            }
        }
        Ok(match self.manifest(&record.key).await? {
            // Nobody can tell what it lists.
            Found::Unreadable => (true, None),
            Found::Object(manifest) if manifest.segments.contains(&id) => (true, Some(manifest)),
            Found::Object(_) | Found::Nothing => (false, None),
            Found::Expired => {
                // The walk over the objects has told of it if nothing changes.
                self.report.objects_expired += u64::from(!self.dry_run);
                (false, None)
            }
        })
    }

    /// Writes a record back, if nobody else has meanwhile.
    async fn rewrite(
        &mut self,
        kv_key: &str,
        record: &Segment,
        version: Option<String>,
    ) -> Result<(), Error> {
        let condition = version.map(Condition::VersionIs);
        let options = SetOptions { condition, ..SetOptions::default() };
        // Whether it took effect shows when it is read again.
        self.store.kv().set_as_hint(kv_key, record.encode().into(), options).await?;
        Ok(())
    }

    /// Deletes everything of a segment that may be there, its record last.
    async fn delete(
        &mut self,
        kv_key: &str,
        id: Id,
        record: &Segment,
        deleted: &mut u64,
    ) -> Result<(), Halt> {
        let pages_end = record.pages_end.min(key::NUMBER_END);
        let chunks = (0..record.chunks_end).map(|number| key::chunk(id, number));
        let pages = (0..pages_end).map(|number| key::page(id, number));
        self.delete_all(chunks.chain(pages), deleted).await?;
        self.spend(1)?;
        self.store.kv().delete(kv_key).await?;
        self.report.segments_deleted += 1;
        Ok(())
    }

    /// Deletes chunks and pages, those left out of which `deleted` says that they are.
    async fn delete_all(
        &mut self,
        keys: impl Iterator<Item = String>,
        deleted: &mut u64,
    ) -> Result<(), Halt> {
        let mut keys = keys.skip(*deleted as usize);
        let depth = pacing::depth(&self.limits);
        loop {
            let most = self.left.map_or(DELETE_BATCH, |left| DELETE_BATCH.min(left as usize));
            let batch: Vec<String> = keys.by_ref().take(most.max(1)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let count = batch.len() as u64;
            self.spend(count as u32)?;
            let store = self.store;
            let mut going = stream::iter(batch)
                .map(|key| async move { store.kv().delete(&key).await })
                .buffer_unordered(depth);
            while let Some(gone) = going.next().await {
                gone?;
            }
            *deleted += count;
            self.report.chunks_deleted += count;
        }
    }

    /// Deletes a value if it is still the one that was read; `false` if it is not.
    async fn delete_version(&self, kv_key: &str, version: Option<String>) -> Result<bool, Error> {
        let condition = version.map(Condition::VersionIs);
        match self.store.kv().delete_if(kv_key, condition).await {
            Ok(outcome) => Ok(outcome == Outcome::Done),
            // The next sweep sees.
            Err(Failure::Ambiguous(_)) => Ok(false),
            Err(Failure::Definite(error)) => Err(error),
        }
    }
}

/// So many chunks are deleted between two looks at what may still be spent.
const DELETE_BATCH: usize = 256;
