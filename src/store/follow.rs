//! Reading what is still being written: an upload's bytes as its record comes to name
//! them, until its commit. Each byte is verified as any other.

use super::Store;
use super::commit::is_generation;
use super::fetch::{Fetches, Piece};
use super::measure::Delivery;
use super::seal::manifest_of;
use super::upload::{Held, status};
use super::walk::Fault;
use crate::clock::Clock;
use crate::error::Error;
use crate::key;
use crate::kv::Kv;
use crate::limits::{FOLLOW_POLL_MS, LIST_LIMIT_MAX};
use crate::object::{ObjectInfo, UploadStatus};
use crate::range::Span;
use crate::upload::{State, Upload};

/// An upload on its way out.
pub struct Follower<K, C> {
    store: Store<K, C>,
    name: String,
    /// As it was last read.
    held: Held,
    position: u64,
    stall_ms: u64,
    /// Since when it has been seen not to grow, by the monotonic clock; `None` while what
    /// it has grown by is being read.
    still_since_ms: Option<u64>,
    /// What the record named when it was last read.
    fetches: Option<Fetches<K, C>>,
    delivery: Delivery,
}

impl<K: Kv + 'static, C: Clock + 'static> Store<K, C> {
    /// Reads the newest upload under way for a key, from an offset on: what is there,
    /// then what is added, until its commit.
    ///
    /// [`Error::NotFound`] where there is none, [`Error::Unsupported`] where reads can be
    /// stale or kv has no conditional writes.
    pub async fn follow(
        &self,
        key: &str,
        start: u64,
        stall_seconds: u32,
    ) -> Result<(UploadStatus, Follower<K, C>), Error> {
        let mut delivery = Delivery::begin(self, "follow", key);
        let found = delivery.around(self.open_upload(key)).await;
        let (name, held) = found.inspect_err(|error| delivery.ended(Some(error)))?;
        let status = status(&held.upload);
        let follower = Follower {
            store: self.clone(),
            name,
            held,
            position: start,
            stall_ms: 1000 * u64::from(stall_seconds),
            still_since_ms: None,
            fetches: None,
            delivery,
        };
        Ok((status, follower))
    }

    async fn open_upload(&self, key: &str) -> Result<(String, Held), Error> {
        let limits = self.limits();
        self.check_key(key, &limits)?;
        if limits.staleness_ms > 0 || !limits.conditional_write {
            // Without conditions two who append at once may take turns in what is read.
            return Err(Error::Unsupported(
                "reads of this platform may be old, or its writes have no conditions, so nobody can follow a write; read the object when it is committed".to_string(),
            ));
        }
        self.newest_upload(key).await?.ok_or(Error::NotFound)
    }

    /// The upload for a key that was begun last, of those that are not committed yet.
    async fn newest_upload(&self, key: &str) -> Result<Option<(String, Held)>, Error> {
        let limits = self.limits();
        let prefix = key::uploads_of(key);
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.kv().list_keys(&prefix, cursor.as_deref(), LIST_LIMIT_MAX).await?;
            names.extend(page.keys.iter().map(|listed| key::upload_name(&listed.key)));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        // Names sort by the time of their beginning.
        for name in names.into_iter().rev() {
            match self.load_upload(&name, &limits).await {
                Ok(held) if matches!(held.upload.state, State::Open | State::Sealed(_)) => {
                    return Ok(Some((name, held)));
                }
                Ok(_) | Err(Error::NotFound | Error::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl<K: Kv + 'static, C: Clock + 'static> Follower<K, C> {
    /// The next bytes; the object when it is committed and all of it has been given out.
    ///
    /// [`Error::NotFound`] when the upload is aborted or past its deadline,
    /// [`Error::Unavailable`] when it has not grown for the stall time,
    /// [`Error::RangeNotSatisfiable`] when it ends before the offset, [`Error::Replaced`]
    /// when the object that it became was replaced and swept before all had been read.
    pub async fn next(&mut self) -> Result<Followed, Error> {
        let start = self.position;
        let scope = self.delivery.scope();
        let next = scope.around(self.go_on()).await;
        match &next {
            Ok(Followed::Piece(_)) => {
                self.delivery.delivered(start, self.position);
            }
            Ok(Followed::Committed(_)) => self.delivery.ended(None),
            Err(error) => self.delivery.ended(Some(error)),
        }
        next
    }

    async fn go_on(&mut self) -> Result<Followed, Error> {
        loop {
            if let Some(fetches) = &mut self.fetches {
                match fetches.next().await {
                    Some(Ok(piece)) => {
                        self.position += piece.bytes.len() as u64;
                        return Ok(Followed::Piece(piece));
                    }
                    Some(Err(fault)) => self.look_after(fault).await?,
                    None => {}
                }
                self.fetches = None;
            }
            let Upload { offset, nodes, segments, .. } = &self.held.upload;
            if *offset > self.position {
                let span = Span::new(self.position, *offset);
                let (nodes, segments) = (nodes.clone(), segments.clone());
                self.fetches = Some(Fetches::of_upload(&self.store, nodes, segments, span));
                continue;
            }
            if let Some(info) = self.committed().await? {
                return match self.position > info.size {
                    true => Err(Error::RangeNotSatisfiable(info.size)),
                    false => Ok(Followed::Committed(info)),
                };
            }
            self.wait_for_growth().await?;
        }
    }

    /// Takes back the last `bytes` bytes, as [`Reader::put_back`](super::get::Reader::put_back).
    pub fn put_back(&mut self, bytes: u64) {
        self.position -= bytes;
        self.fetches = None;
    }

    /// Looks whether there is more, until there is or the stall time is over. The time that
    /// a slow reader took for what was there before does not count.
    async fn wait_for_growth(&mut self) -> Result<(), Error> {
        let before = self.held.upload.offset;
        let since_ms = *self.still_since_ms.get_or_insert_with(|| now_ms(self.store.clock()));
        self.look().await?;
        if self.held.upload.offset > before || matches!(self.held.upload.state, State::Committed(_))
        {
            self.still_since_ms = None;
            return Ok(());
        }
        let still_ms = now_ms(self.store.clock()) - since_ms;
        if still_ms >= self.stall_ms {
            return Err(Error::Unavailable(
                format!(
                    "the upload stands at byte {before} and has not grown for {} s; its writer may be gone",
                    still_ms / 1000
                ),
                None,
            ));
        }
        self.store.clock().sleep_ms(FOLLOW_POLL_MS).await;
        Ok(())
    }

    /// Reads the record again. One that is gone after it was sealed may have been
    /// committed.
    async fn look(&mut self) -> Result<(), Error> {
        let limits = self.store.limits();
        let late = self.store.clock().wall_ms() > self.held.upload.deadline;
        // Its first bytes tell whether it has changed; all of it, what became of it.
        if limits.ranged_get && !late && self.store.is_still(&self.held, &limits).await? {
            return Ok(());
        }
        let held = match self.store.load_upload(&self.name, &limits).await {
            Ok(held) => held,
            Err(Error::NotFound) if self.committed().await?.is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.held = held;
        Ok(())
    }

    /// After a fault: the chunk may have been superseded and swept since the record was
    /// read; then the record now names another.
    async fn look_after(&mut self, fault: Fault) -> Result<(), Error> {
        if let Fault::Failed(error) = fault {
            return Err(error);
        }
        let before = self.held.upload.clone();
        self.look().await?;
        if self.held.upload == before {
            if self.has_been_replaced().await? {
                return Err(Error::Replaced);
            }
            let key = &self.held.upload.key;
            let what = fault.describe();
            return Err(Error::Corrupt(format!("the upload for {key:?} cannot be read: {what}")));
        }
        Ok(())
    }

    /// Whether it was committed, and the object is another one by now.
    async fn has_been_replaced(&self) -> Result<bool, Error> {
        let State::Committed(seal) = &self.held.upload.state else { return Ok(false) };
        let stored = self.store.load_header(&self.held.upload.key).await?;
        Ok(!is_generation(&stored, &seal.generation.to_string()))
    }

    /// The object, if it has been committed.
    async fn committed(&self) -> Result<Option<ObjectInfo>, Error> {
        let Some(seal) = self.held.upload.seal() else { return Ok(None) };
        let info = manifest_of(&self.held.upload, seal)?.info;
        if matches!(self.held.upload.state, State::Committed(_)) {
            return Ok(Some(info));
        }
        let stored = self.store.load_header(&info.key).await?;
        Ok(is_generation(&stored, &info.generation).then_some(info))
    }
}

fn now_ms(clock: &impl Clock) -> u64 {
    clock.monotonic_ns() / 1_000_000
}

/// What comes next of an upload that is followed.
#[derive(Debug)]
pub enum Followed {
    /// Bytes, at least one.
    Piece(Piece),
    /// It has been committed as this, and there are no more.
    Committed(ObjectInfo),
}
