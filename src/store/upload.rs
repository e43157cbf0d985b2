//! Uploads: objects written in several calls, by whoever comes along. What has been
//! accepted is in the upload's record, so any instance over the same kv can go on.
//!
//! A record is replaced only by whoever knows what it replaces. It is recognised by its
//! first [`FRAME_BYTES`] bytes, which hold a checksum of all of it.

use std::cell::RefCell;

use bytes::Bytes;
use futures::FutureExt;

use super::at_once::at_once;
use super::commit::kv_ttl;
use super::load::check_precondition;
use super::put::check_options;
use super::walk::{Fault, Step};
use super::{Store, check_write_precondition};
use crate::attempt::Failure;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::error::Error;
use crate::key::{self, Id, UPLOAD_PREFIX};
use crate::kv::{Condition, Kv, KvLimits, Outcome, SetOptions};
use crate::limits::{
    CLOCK_MARGIN_SECONDS, COMMIT_ATTEMPTS, DEADLINE_SECONDS_DEFAULT, GRACE_SECONDS_DEFAULT,
    KV_ATTEMPTS, LIST_LIMIT_MAX, SEAL_BYTES,
};
use crate::metrics::On;
use crate::object::{PutOptions, UploadPage, UploadStatus};
use crate::pacing;
use crate::plan::Plan;
use crate::range::Span;
use crate::record::{FRAME_BYTES, HEADER_BYTES_MAX};
use crate::upload::{State, StoredOptions, Upload};

/// An upload as kv has it, as far as we know.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Where it lies.
    pub kv_key: String,
    /// What it says.
    pub upload: Upload,
    /// Its first bytes, which no other record shares.
    mark: Bytes,
    /// Its kv version, if it was read since it was last set.
    version: Option<String>,
}

impl Held {
    fn new(kv_key: String, upload: Upload, value: &Bytes, version: Option<String>) -> Self {
        Self { kv_key, upload, mark: mark(value), version }
    }
}

fn mark(value: &Bytes) -> Bytes {
    value.slice(..value.len().min(FRAME_BYTES))
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// Opens an upload and names it.
    ///
    /// Options are refused as by `put`. Whatever its size, an upload is stored in chunks.
    pub async fn begin(&self, key: &str, options: &PutOptions) -> Result<String, Error> {
        self.counted("begin", On::Key(key), async {
            let limits = self.limits();
            self.check_key(key, &limits)?;
            check_options(options)?;
            check_write_precondition(options.precondition.as_ref(), &limits)?;
            upload_plan(options.size, &limits, options.chunk_bytes_max, None)?;
            if options.precondition.is_some() {
                let stored = self.load_header(key).await?;
                check_precondition(options.precondition.as_ref(), self.current(key, &stored)?)?;
            }
            let begun = |kv_key: &str| {
                let name = key::upload_name(kv_key);
                self.measures().note(|operation| operation.upload = Some(name.clone()));
                name
            };
            let mut lost = String::new();
            for attempt in 1..=KV_ATTEMPTS.attempts_max {
                // Each attempt has a name of its own: one that was given up and lands late would
                // take back what has been accepted since.
                let upload = self.new_upload(key, options);
                let kv_key = key::upload(key, upload.upload);
                let value = encode(&upload, &limits)?;
                match self.kv().set_if(&kv_key, value, self.record_options(&upload, &limits)).await
                {
                    Ok(_) => return Ok(begun(&kv_key)),
                    Err(Failure::Definite(error)) => return Err(error),
                    Err(Failure::Ambiguous(why)) => lost = why,
                }
                self.kv().back_off(attempt).await;
                if limits.staleness_ms == 0 && self.look(&kv_key, &limits).await?.is_some() {
                    return Ok(begun(&kv_key));
                }
            }
            Err(Error::Unavailable(lost, None))
        })
        .await
    }

    /// An upload that begins now.
    fn new_upload(&self, key: &str, options: &PutOptions) -> Upload {
        let started = self.clock().wall_ms();
        let seconds = options.deadline_seconds.unwrap_or(DEADLINE_SECONDS_DEFAULT);
        Upload {
            key: key.to_string(),
            upload: Id::begun_at(started, self.clock().random()),
            options: StoredOptions {
                size: options.size,
                digest: options.digest.clone(),
                content_type: options.content_type.clone(),
                metadata: options.metadata.clone(),
                ttl_seconds: options.ttl_seconds,
                precondition: options.precondition.clone(),
                chunk_bytes_max: options.chunk_bytes_max,
            },
            started,
            deadline: started + 1000 * u64::from(seconds),
            offset: 0,
            segments: Vec::new(),
            nodes: Vec::new(),
            state: State::Open,
        }
    }

    /// How an upload stands.
    ///
    /// [`Error::NotFound`] where there is none that can be gone on with or has been
    /// committed.
    pub async fn status(&self, name: &str) -> Result<UploadStatus, Error> {
        self.counted("status", On::Upload(name), async {
            let held = self.load_upload(name, &self.limits()).await?;
            let mut status = status(&held.upload);
            if status.digest.is_none() {
                status.digest =
                    Some(self.digest_of_upload(&held, &self.limits()).await?.to_string());
            }
            Ok(status)
        })
        .await
    }

    /// Discards an upload. One that is being committed cannot be.
    pub async fn abort(&self, name: &str) -> Result<(), Error> {
        self.counted("abort", On::Upload(name), async {
            let limits = self.limits();
            for _ in 0..COMMIT_ATTEMPTS {
                let held = self.load_upload(name, &limits).await?;
                if held.upload.state != State::Open {
                    return Err(Error::InvalidArgument(
                        "the upload is complete: commit it, or delete the object that it became"
                            .into(),
                    ));
                }
                let aborted = Upload { state: State::Aborted, ..held.upload.clone() };
                if let Some(held) = self.replace_upload(&held, aborted, &limits).await? {
                    self.condemn(&held.upload.segments, &limits).await;
                    return Ok(());
                }
            }
            Err(busy())
        })
        .await
    }

    /// Uploads under way for keys with a prefix, in no order. A page may be short, even
    /// empty, and still have a cursor.
    pub async fn list_uploads(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<UploadPage, Error> {
        self.counted("list-uploads", On::Key(prefix), async {
            if limit == 0 || limit > LIST_LIMIT_MAX {
                return Err(Error::InvalidArgument(format!(
                    "a page of {limit} is not possible; ask for 1 to {LIST_LIMIT_MAX}"
                )));
            }
            let limits = self.limits();
            let page = self.kv().list_keys(UPLOAD_PREFIX, cursor, limit).await?;
            let names = page.keys.iter().map(|listed| key::upload_name(&listed.key));
            let uploads = RefCell::new(Vec::new());
            let load = |name: String| {
                let (uploads, limits) = (&uploads, &limits);
                async move {
                    match self.load_upload(&name, limits).await {
                        Ok(Held { upload, .. }) => {
                            let under_way = matches!(upload.state, State::Open | State::Sealed(_));
                            if under_way && upload.key.starts_with(prefix) {
                                uploads.borrow_mut().push((name, status(&upload)));
                            }
                            Ok(())
                        }
                        // What is over, or can never be read, is not under way.
                        Err(Error::NotFound | Error::Corrupt(_)) => Ok(()),
                        // Listed, and not to be seen by a read yet: so young that its writer
                        // knows.
                        Err(Error::Unavailable(..)) if limits.staleness_ms > 0 => Ok(()),
                        Err(error) => Err(error),
                    }
                }
                .boxed_local()
            };
            at_once(pacing::depth(&limits), &mut names.map(load)).await?;
            Ok(UploadPage { uploads: uploads.into_inner(), cursor: page.cursor })
        })
        .await
    }

    /// Reads the record of an upload that is not aborted, and has been committed or is not
    /// past its deadline.
    pub(super) async fn load_upload(&self, name: &str, limits: &KvLimits) -> Result<Held, Error> {
        let (kv_key, id) = key::named_upload(name)?;
        let Some(entry) = self.kv().get(&kv_key, None).await? else {
            if self.may_not_be_seen(id, limits) {
                return Err(Error::Unavailable(
                    "there is no such upload, or it cannot be seen yet".to_string(),
                    Some(u64::from(limits.staleness_ms)),
                ));
            }
            return Err(Error::NotFound);
        };
        let damaged = |why| Error::Corrupt(format!("the upload {name} cannot be read: {why}"));
        let upload = Upload::decode(&entry.value).map_err(damaged)?;
        if upload.upload != id || key::upload(&upload.key, id) != kv_key {
            return Err(damaged("its record is the one of another".to_string()));
        }
        self.measure_upload(name, &upload.key);
        let late = self.clock().wall_ms() > upload.deadline;
        match upload.state {
            State::Aborted => return Err(Error::NotFound),
            State::Open | State::Sealed(_) if late => return Err(Error::NotFound),
            // Who commits it again, or follows it to its end, is told for as long as it
            // is known.
            _ => {}
        }
        Ok(Held::new(kv_key, upload, &entry.value, entry.version))
    }

    /// Whether a record may be there that a read does not see yet.
    fn may_not_be_seen(&self, upload: Id, limits: &KvLimits) -> bool {
        let lately = u64::from(limits.staleness_ms) + 1000 * CLOCK_MARGIN_SECONDS;
        let age_ms = self.clock().wall_ms().saturating_sub(upload.began());
        limits.staleness_ms > 0 && age_ms < lately
    }

    /// Replaces the record of an upload, durably. `None` if it is not the one that was
    /// held any more.
    pub(super) async fn replace_upload(
        &self,
        held: &Held,
        next: Upload,
        limits: &KvLimits,
    ) -> Result<Option<Held>, Error> {
        let value = encode(&next, limits)?;
        let after = Held::new(held.kv_key.clone(), next, &value, None);
        let options = self.record_options(&after.upload, limits);
        let mut version = held.version.clone();
        let mut lost: Option<String> = None;
        for attempt in 1..=KV_ATTEMPTS.attempts_max {
            if limits.conditional_write && version.is_none()
                || !limits.conditional_write && limits.staleness_ms == 0
            {
                match self.look(&held.kv_key, limits).await? {
                    Some((there, _)) if there == after.mark => return Ok(Some(after)),
                    Some((there, found)) if there == held.mark => version = found,
                    _ => return Ok(None),
                }
            }
            if limits.staleness_ms > 0 && !self.is_still(held, limits).await? {
                return Ok(None);
            }
            let condition = version.take().map(Condition::VersionIs);
            let options = SetOptions { condition, ..options.clone() };
            match self.kv().set_if(&held.kv_key, value.clone(), options).await {
                Ok(Outcome::Done) => return Ok(Some(after)),
                // Somebody else was first, or an attempt of ours with a lost answer.
                Ok(Outcome::Stale) => {}
                // An attempt with a lost answer may have landed: only looking tells.
                Err(Failure::Definite(error)) => {
                    return Err(lost.map_or(error, |why| Error::Unavailable(why, None)));
                }
                Err(Failure::Ambiguous(why)) if attempt == KV_ATTEMPTS.attempts_max => {
                    return Err(Error::Unavailable(why, None));
                }
                Err(Failure::Ambiguous(why)) => {
                    lost = Some(why);
                    self.kv().back_off(attempt).await;
                    if !limits.conditional_write {
                        // What landed late would take back what came after.
                        self.clock().sleep_ms(u64::from(limits.write_lag_ms_max)).await;
                    }
                }
            }
        }
        Err(busy())
    }

    /// Whether the record of an upload is still the one that was held. Where reads can be
    /// stale an older one says nothing; but if somebody ended the upload, that shows as
    /// soon as reads are no longer stale, and what it held may be swept then.
    pub(super) async fn is_still(&self, held: &Held, limits: &KvLimits) -> Result<bool, Error> {
        if limits.staleness_ms == 0 {
            let there = self.look(&held.kv_key, limits).await?;
            return Ok(there.is_some_and(|(there, _)| there == held.mark));
        }
        let Some(entry) = self.kv().get(&held.kv_key, None).await? else {
            return Ok(self.may_not_be_seen(held.upload.upload, limits));
        };
        let there = Upload::decode(&entry.value);
        Ok(there.is_ok_and(|there| match (&held.upload.state, &there.state) {
            (_, State::Open) => true,
            (State::Sealed(ours), State::Sealed(theirs) | State::Committed(theirs)) => {
                ours.generation == theirs.generation
            }
            _ => false,
        }))
    }

    /// The mark of the record that is there, and its version.
    async fn look(
        &self,
        kv_key: &str,
        limits: &KvLimits,
    ) -> Result<Option<(Bytes, Option<String>)>, Error> {
        let part = limits.ranged_get.then(|| Span::new(0, FRAME_BYTES as u64));
        let entry = self.kv().get(kv_key, part).await?;
        Ok(entry.map(|entry| (mark(&entry.value), entry.version)))
    }

    fn record_options(&self, upload: &Upload, limits: &KvLimits) -> SetOptions {
        let left = upload.deadline.saturating_sub(self.clock().wall_ms()) / 1000;
        SetOptions {
            ttl_seconds: kv_ttl(limits, Some(left + u64::from(GRACE_SECONDS_DEFAULT))),
            // That it was committed is told by the manifest as well.
            durable: !matches!(upload.state, State::Committed(_)),
            ..SetOptions::default()
        }
    }

    /// The digest of what has been accepted.
    pub(super) async fn digest_of_upload(
        &self,
        held: &Held,
        limits: &KvLimits,
    ) -> Result<Digest, Error> {
        if let Some(digest) = held.upload.digest() {
            return Ok(digest);
        }
        let bytes = self.chunk_of_upload(held, 0, limits).await?;
        Ok(Digest::of(&bytes))
    }

    /// The bytes of a chunk of an upload: of this node.
    pub(super) async fn chunk_of_upload(
        &self,
        held: &Held,
        index: usize,
        limits: &KvLimits,
    ) -> Result<Bytes, Error> {
        let upload = &held.upload;
        let before = &upload.nodes[..index];
        let step = Step {
            offset: before.iter().map(|node| node.length).sum(),
            index: before.iter().map(|node| u64::from(node.chunks())).sum(),
            node: upload.nodes[index],
        };
        // When it was written is not known; it may have been just now.
        let fault = match self.fetch_patiently(step, false, self.clock().wall_ms()).await {
            Ok(bytes) => return Ok(bytes),
            Err(fault) => fault,
        };
        let what = fault.describe();
        match fault {
            Fault::Failed(error) => Err(error),
            Fault::Missing(_) if limits.staleness_ms > 0 => {
                Err(Error::Unavailable(what, Some(u64::from(limits.staleness_ms))))
            }
            // Superseded and swept since the record was read.
            _ if !self.is_still(held, limits).await? => Err(busy()),
            _ => Err(Error::Corrupt(format!(
                "the upload for {:?} cannot be gone on with: {what}",
                upload.key
            ))),
        }
    }
}

/// The stored form, if the seal and the manifest that it becomes still fit in a value.
fn encode(upload: &Upload, limits: &KvLimits) -> Result<Bytes, Error> {
    let seal_bytes = if upload.state == State::Open { SEAL_BYTES } else { 0 };
    let bytes_max = limits.value_bytes_max.min(HEADER_BYTES_MAX as u64) - seal_bytes;
    let segments_bytes = 40 * upload.segments.len() as u64;
    // Looked at first: a header of any size cannot be framed.
    if segments_bytes < bytes_max {
        let value = upload.encode();
        if value.len() as u64 <= bytes_max {
            return Ok(Bytes::from(value));
        }
    }
    Err(Error::LimitExceeded(format!(
        "the record of the upload is full with {} appends; commit it, or begin anew with larger ones",
        upload.segments.len()
    )))
}

/// The chunk plan of an upload of this size. Where the operations of an invocation are
/// counted, several invocations share the work: none of them has to write it all.
pub(super) fn upload_plan(
    size: Option<u64>,
    limits: &KvLimits,
    chunk_bytes_max: Option<u32>,
    content_type: Option<&str>,
) -> Result<Plan, Error> {
    let uncounted = KvLimits { operations_max: None, ..limits.clone() };
    let plan = Plan::new(size, &uncounted, chunk_bytes_max)?.of_type(content_type);
    match limits.operations_max {
        None => Ok(plan),
        Some(_) => Plan::new(None, limits, chunk_bytes_max),
    }
}

/// What callers see of an upload.
pub(super) fn status(upload: &Upload) -> UploadStatus {
    UploadStatus {
        key: upload.key.clone(),
        offset: upload.offset,
        size: upload.options.size,
        digest: upload.digest().map(|digest| digest.to_string()),
        started: upload.started,
        deadline: upload.deadline,
        sealed: upload.seal().is_some(),
    }
}

pub(super) fn busy() -> Error {
    Error::Unavailable("others keep changing this upload; try again".into(), None)
}
