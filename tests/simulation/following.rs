//! A client that reads, also what others are still writing.

use std::rc::Rc;
use std::time::Duration;

use chunk_store::error::Error;
use chunk_store::object::UploadStatus;
use chunk_store::store::follow::Followed;
use tokio::time::{Instant, sleep};

use crate::clients::Client;
use crate::uploads::Upload;

impl Client {
    /// Reads so many times, one after the other: objects, and uploads under way.
    pub async fn work_on_reading(mut self, times: u64) {
        for _ in 0..times {
            let rest_ms = self.pace.rest_ms(&mut self.random);
            sleep(Duration::from_millis(rest_ms)).await;
            match self.random.below(2) {
                0 => self.follow().await,
                _ => {
                    let key = self.key();
                    self.get(key, None).await;
                }
            }
        }
    }

    async fn follow(&mut self) {
        let begun = Instant::now();
        let key = self.key();
        let start = [0, 0, self.random.below(300_000)][self.random.below(3) as usize];
        let stall_seconds = [1, 30, 120][self.random.below(3) as usize];
        let (status, mut follower) = match self.store.follow(key, start, stall_seconds).await {
            Ok(opened) => opened,
            Err(Error::Unsupported(_)) => return assert!(self.store.limits().staleness_ms > 0),
            Err(Error::NotFound | Error::Unavailable(..)) => return,
            Err(error) => panic!("{key}, followed: {error:?}"),
        };
        assert!(self.store.limits().staleness_ms == 0, "what is followed may be stale");
        let mut followed = Vec::new();
        let ended = loop {
            match follower.next().await {
                Ok(Followed::Piece(piece)) => {
                    let (bytes, _share) = piece.into_parts();
                    let at = start + followed.len() as u64;
                    followed.extend_from_slice(&bytes);
                    let upload = self.followed(&status);
                    upload.expect("nobody knows where to add to it").saw(at, bytes);
                    let pause_ms = self.pace.reading_ms(&mut self.random);
                    sleep(Duration::from_millis(pause_ms)).await;
                }
                Ok(Followed::Committed(info)) => break Ok(info),
                Err(error) => break Err(error),
            }
        };
        let upload = self.followed(&status);
        self.history.note(|| {
            let number = upload.as_ref().map(|upload| upload.number);
            let (name, count) = (self.name, followed.len());
            format!("{name} follow {number:?} from {start}, {count} bytes: {ended:?}")
        });
        match ended {
            Ok(info) => {
                let upload = upload.expect("nobody knows how to commit it");
                let content =
                    upload.became(&info).expect("the object is the one that was followed");
                assert!(followed == content[start as usize..], "{}: not all of it", upload.name);
            }
            // The object that it became had been replaced for longer than sweep waits.
            Err(Error::Replaced) => assert!(self.history.is_past_grace(begun)),
            Err(error) => self.ended(upload, start, error),
        }
    }

    /// Which one it is. None where its name was never given, since its beginning was not
    /// answered: then nothing comes of it.
    fn followed(&self, status: &UploadStatus) -> Option<Rc<Upload>> {
        let theirs = (&status.key, status.started, status.deadline, status.size);
        let uploads = self.history.uploads();
        let mut same = uploads.into_iter().filter(|upload| {
            (&upload.key, upload.started, upload.deadline, upload.options.size) == theirs
        });
        let found = same.next()?;
        assert!(same.next().is_none(), "two that began at once");
        Some(found)
    }

    /// How one may end that was not seen to be committed.
    fn ended(&self, upload: Option<Rc<Upload>>, start: u64, error: Error) {
        match (error, upload) {
            (Error::RangeNotSatisfiable(size), Some(_)) => assert!(start > size),
            (Error::Unavailable(..), _) | (_, None) => {}
            (error, Some(upload)) => upload.check_error(&error, self.wall.now_ms()),
        }
    }
}
