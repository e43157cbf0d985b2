//! How far a copy has come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// How far a copy has come, as [`Copies::progress`](super::Copies::progress) finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// Objects that were found at the source; more may follow.
    pub objects: u64,
    /// Of these, how many are done, whatever became of them.
    pub objects_done: u64,
    /// Bytes of the objects that were found, less those that were not sent after all.
    pub bytes: u64,
    /// Of these, how many have been read.
    pub bytes_done: u64,
    /// Whether all objects have been found.
    pub found_all: bool,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    objects: AtomicU64,
    objects_done: AtomicU64,
    bytes: AtomicU64,
    bytes_done: AtomicU64,
    found_all: AtomicBool,
}

impl Counters {
    pub fn progress(&self) -> CopyProgress {
        CopyProgress {
            objects: self.objects.load(Relaxed),
            objects_done: self.objects_done.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            found_all: self.found_all.load(Relaxed),
        }
    }

    /// An object of so many bytes was found.
    pub fn found(&self, bytes: u64) {
        self.objects.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub fn found_all(&self) {
        self.found_all.store(true, Relaxed);
    }

    /// An object is done that was found with so many bytes; so many of them were sent.
    pub fn done(&self, found_bytes: u64, sent_bytes: u64) {
        self.objects_done.fetch_add(1, Relaxed);
        self.bytes.fetch_add(sent_bytes, Relaxed);
        self.bytes.fetch_sub(found_bytes, Relaxed);
    }
}

/// The bytes of one attempt to send an object.
#[derive(Debug, Clone)]
pub(super) struct Passed {
    counters: Arc<Counters>,
    /// `None` once the attempt has failed: what its source may still give by then counts
    /// no more.
    bytes: Arc<Mutex<Option<u64>>>,
}

impl Passed {
    pub fn none(counters: &Arc<Counters>) -> Self {
        Self { counters: counters.clone(), bytes: Arc::new(Mutex::new(Some(0))) }
    }

    pub fn add(&self, count: u64) {
        if let Some(bytes) = &mut *self.bytes.lock().expect("never held across a panic") {
            *bytes += count;
            self.counters.bytes_done.fetch_add(count, Relaxed);
        }
    }

    /// They have to be sent again, or will not be sent.
    pub fn take_back(&self) {
        let bytes = self.bytes.lock().expect("never held across a panic").take();
        self.counters.bytes_done.fetch_sub(bytes.unwrap_or(0), Relaxed);
    }
}
