//! One object on its way: whether it has to be sent, sending it, trying again.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use chunk_store::error::Error as StoreError;
use chunk_store::limits::INLINE_BYTES_DEFAULT;
use chunk_store::object::{GetOptions, ObjectInfo, ObjectSummary, Precondition, PutOptions};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::listing::{Listed, There};
use super::progress::{Counters, Passed};
use super::{ATTEMPTS_MAX, CopyError, CopyOptions, CopyOutcome, CopyReport, Side};
use crate::error::Error;
use crate::reader::ObjectReader;
use crate::store::ChunkStore;

/// The budget of memory is counted in this many bytes.
const UNIT_BYTES: u64 = 1024;

/// What copies objects.
pub(super) struct Copier {
    from: ChunkStore,
    to: ChunkStore,
    options: CopyOptions,
    counters: Arc<Counters>,
    /// The destination's buffer memory. An object takes of it what it can use before
    /// it is opened: so what waits between the stores stays bounded too, and readers
    /// that hold memory for writers that wait for memory cannot come to wait for each
    /// other.
    memory: Semaphore,
    memory_units: u32,
}

impl Copier {
    pub fn new(
        from: ChunkStore,
        to: ChunkStore,
        options: CopyOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let units_max = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(to.limits().memory_bytes_max / UNIT_BYTES);
        let memory_units = units.unwrap_or(u32::MAX).clamp(1, units_max);
        let memory = Semaphore::new(memory_units as usize);
        Self { from, to, options, counters, memory, memory_units }
    }

    /// Copies an object, if it has to be, and says what became of it.
    pub async fn copy(&self, listed: Listed) -> CopyReport {
        let found_bytes = listed.here.as_ref().map_or(0, |here| here.size);
        let key = listed.key.clone();
        let outcome = self.copy_patiently(listed).await;
        let sent_bytes = match &outcome {
            CopyOutcome::Copied { info, .. } => info.size,
            _ => 0,
        };
        self.counters.done(found_bytes, sent_bytes);
        CopyReport { key, outcome }
    }

    async fn copy_patiently(&self, mut listed: Listed) -> CopyOutcome {
        // A trap takes along what runs beside it. Alone, only who is to blame fails.
        let mut alone = false;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let passed = Passed::none(&self.counters);
            let error = match self.copy_once(&listed, alone, &passed).await {
                Ok(outcome) => return outcome,
                Err(error) => error,
            };
            passed.take_back();
            match (&error.error, error.side) {
                (Error::Store(StoreError::NotFound), Side::Source) => return CopyOutcome::Gone,
                // It appeared there meanwhile.
                (Error::Store(StoreError::PreconditionFailed(_)), Side::Destination) => {
                    return CopyOutcome::Kept;
                }
                (
                    Error::Store(StoreError::Replaced | StoreError::Uncertain(_)) | Error::Trap(_),
                    _,
                ) if attempts < ATTEMPTS_MAX => {}
                _ => return CopyOutcome::Failed(error),
            }
            alone = matches!(error.error, Error::Trap(_));
            // What was listed may not be what is there now, and it may have landed.
            listed.here = None;
            if error.side == Side::Destination {
                listed.there = There::Something;
            }
        }
    }

    async fn copy_once(
        &self,
        listed: &Listed,
        alone: bool,
        passed: &Passed,
    ) -> Result<CopyOutcome, CopyError> {
        let room = if alone { Some(self.room(self.memory_units).await) } else { None };
        let key = &listed.key;
        let here = match &listed.here {
            Some(here) => here.clone(),
            None => {
                let info = self.from.head(key, None).await;
                ObjectSummary::from(&info.map_err(|error| Side::Source.failed(error))?)
            }
        };
        let there = self.find_there(listed).await?;
        if there.as_ref().is_some_and(|there| is_copy(there, &here)) {
            return Ok(CopyOutcome::AlreadyThere(here));
        }
        let replaces = there.is_some();
        if replaces && self.options.keep_existing {
            return Ok(CopyOutcome::Kept);
        }
        if self.options.dry_run {
            return Ok(CopyOutcome::WouldCopy { summary: here, replaces });
        }
        let _room = match room {
            Some(all) => all,
            None => self.room(units(here.size, self.memory_units)).await,
        };
        let info = self.send(key, passed).await?;
        Ok(CopyOutcome::Copied { info, replaced: replaces })
    }

    /// What the destination has under the key. What it has but cannot read is to be
    /// replaced, so it counts as nothing.
    async fn find_there(&self, listed: &Listed) -> Result<Option<ObjectSummary>, CopyError> {
        match &listed.there {
            There::Nothing => Ok(None),
            There::Object(summary) => Ok(Some(summary.clone())),
            There::Something => match self.to.head(&listed.key, None).await {
                Ok(info) => Ok(Some(ObjectSummary::from(&info))),
                Err(Error::Store(StoreError::NotFound | StoreError::Corrupt(_))) => Ok(None),
                Err(error) => Err(Side::Destination.failed(error)),
            },
        }
    }

    async fn room(&self, units: u32) -> SemaphorePermit<'_> {
        self.memory.acquire_many(units).await.expect("it is never closed")
    }

    /// Streams an object from one store to the other.
    async fn send(&self, key: &str, passed: &Passed) -> Result<ObjectInfo, CopyError> {
        let opened = self.from.get(key, GetOptions::default()).await;
        let reader = opened.map_err(|error| Side::Source.failed(error))?;
        let here = reader.info().clone();
        let ttl_seconds = match here.expires.map(|expires| seconds_left(expires, now_ms())) {
            Some(0) => return Err(Side::Source.failed(Error::Store(StoreError::NotFound))),
            left => left,
        };
        let options = PutOptions {
            size: Some(here.size),
            digest: Some(here.digest.clone()),
            content_type: here.content_type.clone(),
            metadata: here.metadata.clone(),
            ttl_seconds,
            precondition: self.options.keep_existing.then_some(Precondition::Absent),
            ..PutOptions::default()
        };
        let failure = Arc::new(Mutex::new(None));
        let body = Sent { reader, passed: passed.clone(), failure: failure.clone() };
        let stored = self.to.put(key, body, options).await.map_err(|error| {
            // A body that failed is the source's failure.
            match failure.lock().expect("never held across a panic").take() {
                Some(error) => Side::Source.failed(error),
                None => Side::Destination.failed(error),
            }
        })?;
        if stored.etag != here.etag {
            let why = format!("{key:?} has the etag {} in place of {}", stored.etag, here.etag);
            return Err(Side::Destination.failed(Error::Store(StoreError::Corrupt(why))));
        }
        Ok(stored)
    }
}

/// How much of the destination's memory an object can use: large ones take half, since
/// two keep both stores busy.
fn units(size: u64, memory_units: u32) -> u32 {
    // A body that may fit into its manifest is buffered twice.
    let least = (2 * INLINE_BYTES_DEFAULT / UNIT_BYTES) as u32;
    let size = u32::try_from(size.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
    size.min(memory_units / 2).max(least).min(memory_units)
}

/// Whether what is there can only be a copy of what is here.
///
/// A copy expires no earlier than its original, to the second, and as it was given
/// what the original had left, it does not live longer from its commit on than the
/// original from its own.
fn is_copy(there: &ObjectSummary, here: &ObjectSummary) -> bool {
    let same_expiry = match (there.expires, here.expires) {
        (None, None) => true,
        (Some(there_at), Some(here_at)) => {
            there_at.saturating_add(1000) > here_at
                && there_at.saturating_sub(there.modified) <= here_at.saturating_sub(here.modified)
        }
        _ => false,
    };
    there.etag == here.etag && there.size == here.size && same_expiry
}

/// The whole seconds from `now_ms` until `expires`.
fn seconds_left(expires: u64, now_ms: u64) -> u32 {
    u32::try_from(expires.saturating_sub(now_ms) / 1000).unwrap_or(u32::MAX)
}

fn now_ms() -> u64 {
    // By a clock before 1970 everything has long to live.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// The body of an object: counted, and with its failure kept as it was.
struct Sent {
    reader: ObjectReader,
    passed: Passed,
    failure: Arc<Mutex<Option<Error>>>,
}

impl AsyncRead for Sent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, buffer));
        self.passed.add((buffer.filled().len() - before) as u64);
        if let Err(error) = &read {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            *self.failure.lock().expect("never held across a panic") = inner.cloned();
        }
        Poll::Ready(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(modified: u64, expires: Option<u64>) -> ObjectSummary {
        ObjectSummary { size: 3, etag: "\"e\"".to_string(), modified, expires, content_type: None }
    }

    #[test]
    fn what_a_copy_makes_counts_as_one() {
        for (expires, began, took) in [(None, 5_000, 0), (Some(90_000), 5_000, 30_000)] {
            let here = summary(1_000, expires);
            let committed = began + took;
            let left = expires.map(|at| u64::from(seconds_left(at, began)) * 1000);
            let there = summary(committed, left.map(|left| committed + left));
            assert!(is_copy(&there, &here));
        }
    }

    #[test]
    fn another_content_or_expiry_is_no_copy() {
        let here = summary(1_000, Some(61_000));
        let there = summary(11_000, Some(61_000));
        assert!(is_copy(&there, &here));
        assert!(!is_copy(&ObjectSummary { etag: "\"f\"".to_string(), ..there.clone() }, &here));
        assert!(!is_copy(&ObjectSummary { size: 4, ..there.clone() }, &here));
        assert!(!is_copy(&summary(11_000, None), &here), "it would stay");
        assert!(!is_copy(&there, &summary(1_000, None)), "it would go");
        // Put again at the source since, to live longer, or less long.
        assert!(!is_copy(&there, &summary(1_000, Some(62_000))));
        assert!(!is_copy(&there, &summary(12_000, Some(32_000))));
    }

    #[test]
    fn time_left_is_rounded_down() {
        assert_eq!(seconds_left(10_000, 8_999), 1);
        assert_eq!(seconds_left(10_000, 9_001), 0);
        assert_eq!(seconds_left(10_000, 10_001), 0);
        assert_eq!(seconds_left(u64::MAX, 0), u32::MAX);
    }

    #[test]
    fn two_large_objects_or_many_small_ones_fit_the_memory() {
        let all = ((16 << 20) / UNIT_BYTES) as u32;
        assert_eq!(all / units(1 << 40, all), 2);
        assert!(crate::copy::OBJECTS_AT_ONCE as u32 * units(0, all) <= all);
        for all in [1, 100, 600] {
            assert!((1..=all).contains(&units(1 << 40, all)));
        }
    }
}
