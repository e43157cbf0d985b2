//! Clients that upload: they begin, add, look, commit and give up, each upload by whoever
//! comes along, and some are cut off in the middle.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use chunk_store::error::Error;
use chunk_store::key;
use chunk_store::limits::VALUE_BYTES_MIN;
use chunk_store::object::{ObjectInfo, Precondition, PutOptions, UploadStatus};
use chunk_store_tests::digest;
use chunk_store_tests::random::bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::clients::Client;
use crate::history::{ms, told};
use crate::uploads::{Committed, Sent, Upload};

/// Sizes around a chunk and several.
const SIZES: [u64; 6] = [100, 65_536, 65_537, 150_000, 200_000, 300_000];

/// Times this they make lists longer than the smallest values hold.
const PAGED_SCALE: u64 = 40;

/// No more than so many are begun: each is in the hands of several clients.
const UPLOADS_MAX: usize = 4;

/// No operation takes longer, bodies that come slowly included.
const PATIENCE: Duration = Duration::from_secs(48 * 3600);

impl Client {
    /// Does so many operations, most of them on uploads; some with hours between them.
    pub async fn work_on_uploads(mut self, operations: u64) {
        for _ in 0..operations {
            let rest_ms = self.pace.rest_ms(&mut self.random);
            sleep(Duration::from_millis(rest_ms)).await;
            let name = self.name;
            let ended = timeout(PATIENCE, self.step_of_uploads()).await;
            assert!(ended.is_ok(), "an operation of client {name} hangs");
        }
    }

    async fn step_of_uploads(&mut self) {
        let uploads = self.history.uploads();
        let some = match uploads.len() as u64 {
            0 => None,
            count => Some(uploads[self.random.below(count) as usize].clone()),
        };
        match (some, self.random.below(24)) {
            (None, 0..=19) => self.begin().await,
            (_, 0..=2) if uploads.len() < UPLOADS_MAX => self.begin().await,
            (Some(upload), 0..=10) => self.append(&upload).await,
            (Some(upload), 11) => drop(self.status(&upload).await),
            (Some(upload), 12..=16) => self.commit_if_grown(&upload).await,
            (Some(upload), 17) => self.abort(&upload).await,
            (_, 18) => self.list_uploads().await,
            _ => self.step().await,
        }
    }

    /// A size, scaled up where values are so small that it takes that to fill a list.
    fn size(&mut self) -> u64 {
        let size = SIZES[self.random.below(SIZES.len() as u64) as usize];
        let scale =
            if self.store.limits().value_bytes_max == VALUE_BYTES_MIN { PAGED_SCALE } else { 1 };
        scale * size
    }

    async fn begin(&mut self) {
        let (number, key) = (self.history.number(), self.key());
        let size = self.size();
        let body = Bytes::from(bytes(number, size));
        let limits = self.store.limits();
        let precondition = match self.random.below(8) {
            0 => Some(Precondition::Absent),
            1 => Some(Precondition::Exists),
            _ => None,
        };
        let seconds = self.deadline_seconds();
        let options = PutOptions {
            size: (self.random.below(3) == 0).then_some(size),
            digest: (self.random.below(3) == 0).then(|| digest(&body)),
            chunk_bytes_max: Some(65_536),
            precondition,
            deadline_seconds: seconds,
            ..PutOptions::default()
        };
        let begun = Instant::now();
        let result = self.store.begin(key, &options).await;
        self.history.note(|| format!("{} begin {key} {number} {options:?}: {result:?}", self.name));
        let refused = options.precondition.is_some() && !limits.conditional_write;
        match result {
            Ok(name) => {
                assert!(!refused);
                let started = key::named_upload(&name).expect("it was given as one").1.began();
                let deadline = started + 1000 * u64::from(seconds.unwrap_or(24 * 3600));
                let lag = Duration::from_millis(limits.write_lag_ms_max.into());
                let exact = limits.conditional_write && limits.staleness_ms == 0;
                let upload = Upload::new(
                    (name, key, number),
                    (body, options),
                    (started, deadline),
                    (lag, exact),
                );
                self.history.began(upload);
            }
            Err(Error::Unsupported(_)) => assert!(refused),
            Err(error) => self.failed(key, error, begun),
        }
    }

    /// Asks how an upload stands.
    pub async fn status(&mut self, upload: &Upload) -> Option<UploadStatus> {
        let (begun, reached) = (Instant::now(), upload.reached());
        let result = self.store.status(&upload.name).await;
        self.history.note(|| format!("{} status {}: {result:?}", self.name, upload.number));
        match result {
            Ok(status) => {
                upload.check(&status, reached);
                Some(status)
            }
            Err(error) => {
                upload.check_error(&error, self.wall.now_ms());
                self.history.note(|| format!("{} asked since {}", self.name, ms(begun)));
                None
            }
        }
    }

    /// Adds a piece where the upload stands, or is believed to.
    async fn append(&mut self, upload: &Rc<Upload>) {
        let at = match self.random.below(6) {
            0 => self.random.below(upload.reached() + 2),
            _ => match self.status(upload).await {
                Some(status) => status.offset,
                None => return,
            },
        };
        let length = self.size() + self.random.below(3);
        let rest = upload.body.slice(at.min(upload.body.len() as u64) as usize..);
        let whole = match self.random.below(5) {
            0 => Bytes::from(bytes(self.random.draw(), length)),
            _ => rest.slice(..rest.len().min(length as usize)),
        };
        self.append_at(upload, at, whole).await;
    }

    /// Adds bytes, or a beginning of them: the body may break off, and the client end.
    pub async fn append_at(&mut self, upload: &Upload, at: u64, whole: Bytes) {
        if whole.is_empty() {
            return;
        }
        let length = match self.random.below(5) {
            0 => 1 + self.random.below(whole.len() as u64),
            _ => whole.len() as u64,
        };
        upload.sent.borrow_mut().push(Sent { at, bytes: whole.clone() });
        let came = whole.slice(..length as usize);
        let source = self.source(came.clone());
        let (begun, reached) = (Instant::now(), upload.reached());
        let appended = self.store.append(&upload.name, at, source);
        let ends_ms = [100, 10_000, 600_000][self.random.below(3) as usize];
        let result = match self.random.below(6) {
            0 => timeout(Duration::from_millis(self.random.below(ends_ms)), appended).await.ok(),
            _ => Some(appended.await),
        };
        self.history.note(|| {
            let (name, number) = (self.name, upload.number);
            format!("{name} append {number} {length} at {at} since {}: {result:?}", ms(begun))
        });
        match result {
            None => {}
            Some(Ok(status)) => {
                assert_eq!(status.offset, at + length, "not all of it was taken");
                upload.saw(at, came);
            }
            Some(Err(Error::OffsetMismatch(stands))) => {
                assert!(stands >= reached, "{} fell back to {stands}", upload.name);
                upload.reaches(stands);
            }
            Some(Err(Error::BodyMismatch(why))) => {
                let size = upload.options.size.expect("one was announced");
                assert!(at + length > size, "{why}");
            }
            Some(Err(error)) => upload.check_error(&error, self.wall.now_ms()),
        }
    }

    /// Commits what is not empty: which of the empty objects it is nobody could tell.
    async fn commit_if_grown(&mut self, upload: &Rc<Upload>) {
        if upload.exact && upload.reached() == 0 {
            return drop(self.status(upload).await);
        }
        self.commit(upload).await;
    }

    /// Commits; some clients are cut off over it.
    pub async fn commit(&mut self, upload: &Upload) -> Option<Result<ObjectInfo, Error>> {
        let (begun, call) = (Instant::now(), upload.commit_begins());
        let committed = self.store.commit_upload(&upload.name);
        let result = match self.random.below(8) {
            0 if self.name < 9 => {
                let ends = Duration::from_millis(self.random.below(3000));
                timeout(ends, committed).await.ok()
            }
            _ => Some(committed.await),
        };
        self.history.note(|| {
            let what = result.as_ref().map_or("cut off".into(), told);
            format!("{} commit {} since {}: {what}", self.name, upload.number, ms(begun))
        });
        let outcome = match &result {
            Some(Ok(_)) => Committed::Acknowledged,
            None | Some(Err(Error::Unavailable(..) | Error::Uncertain(_))) => Committed::Unknown,
            Some(Err(_)) => Committed::Nothing,
        };
        upload.commit_ended(call, outcome);
        match &result {
            Some(Ok(info)) => {
                assert_eq!(info.key, upload.key);
                assert!(upload.became(info).is_some(), "{}: {info:?}", upload.name);
            }
            Some(Err(Error::BodyMismatch(why))) => {
                let PutOptions { size, digest, .. } = &upload.options;
                assert!(size.is_some() || digest.is_some(), "{why}");
            }
            Some(Err(error @ Error::PreconditionFailed(_))) => {
                assert!(upload.options.precondition.is_some(), "there was none");
                self.failed(&upload.key, error.clone(), begun);
            }
            None | Some(Err(Error::Uncertain(_))) => {}
            Some(Err(error)) => upload.check_error(error, self.wall.now_ms()),
        }
        result
    }

    async fn abort(&mut self, upload: &Upload) {
        upload.abort_tried.set(true);
        let result = self.store.abort(&upload.name).await;
        self.history.note(|| format!("{} abort {}: {result:?}", self.name, upload.number));
        match result {
            Ok(()) => upload.aborted.set(true),
            Err(error) => upload.check_error(&error, self.wall.now_ms()),
        }
    }

    async fn list_uploads(&mut self) {
        let known = self.history.uploads();
        let Ok(page) = self.store.list_uploads("", None, 1000).await else { return };
        for (name, status) in page.uploads {
            // One that nobody knows: its beginning was not answered, or is about to be.
            if let Some(upload) = known.iter().find(|upload| upload.name == name) {
                assert_eq!((&upload.key, upload.deadline), (&status.key, status.deadline));
            }
        }
    }
}
