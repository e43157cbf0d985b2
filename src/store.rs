//! The store: the operations on objects, over a kv and a clock.
//!
//! Data goes one way. In: body, chunker, digest, kv, manifest (`put`, `write`,
//! `commit`). Out: manifest, kv, digest, body (`load`, `walk`, [`get`]). One set of
//! the manifest commits; before it the object does not exist.

mod append;
mod at_once;
mod chunks;
mod commit;
mod delete;
mod feed;
mod fetch;
pub mod follow;
pub mod get;
mod journal;
mod list;
mod load;
mod measure;
mod put;
mod seal;
mod sweep;
mod upload;
mod verify;
mod walk;
mod write;

use std::cell::{Cell, OnceCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;

use futures::future::{Either, select};

use crate::attempt::Patient;
use crate::budget::{Budget, Share};
use crate::clock::Clock;
use crate::error::Error;
use crate::key::{self, Id};
use crate::kv::{Kv, KvLimits};
use crate::limits::{KV_ATTEMPTS, MEMORY_ASK_MS, SLOW_KV_NS};
use crate::object::Precondition;

/// The operations on objects. Cheap to clone; clones are the same store and share
/// its memory budget.
#[derive(Debug)]
pub struct Store<K, C> {
    inner: Rc<Inner<K, C>>,
}

#[derive(Debug)]
struct Inner<K, C> {
    kv: Patient<K, C>,
    budget: OnceCell<Budget>,
    /// How far ahead the last reader came to read.
    read_ahead: Cell<Option<usize>>,
}

impl<K, C> Clone for Store<K, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<K: Kv, C: Clock> Store<K, C> {
    /// A store over `kv`, timed by `clock`.
    pub fn new(kv: K, clock: C) -> Self
    where
        C: 'static,
    {
        let kv = Patient::new(kv, clock);
        let inner = Inner { kv, budget: OnceCell::new(), read_ahead: Cell::new(None) };
        Self { inner: Rc::new(inner) }
    }

    fn kv(&self) -> &Patient<K, C> {
        &self.inner.kv
    }

    /// What the platform can hold and do.
    pub fn limits(&self) -> KvLimits {
        self.kv().limits()
    }

    fn clock(&self) -> &C {
        self.kv().clock()
    }

    /// The budget of the first limits that were asked for: it has to stay one.
    fn budget(&self, limits: &KvLimits) -> &Budget {
        self.inner.budget.get_or_init(|| {
            reserve(limits.memory_bytes_max.saturating_add(limits.memory_bytes_max / 8 * 7));
            Budget::new(limits.memory_bytes_max)
        })
    }

    /// Takes a share of the budget, or gives up when every operation has been stuck
    /// for as long as one kv operation may take.
    async fn take_share(&self, bytes: u64, limits: &KvLimits) -> Result<Share, Error> {
        let budget = self.budget(limits);
        let mut taken = pin!(budget.take(bytes));
        for _ in 0..KV_ATTEMPTS.total_ms / MEMORY_ASK_MS {
            let patience = pin!(self.clock().sleep_ms(MEMORY_ASK_MS));
            match select(taken, patience).await {
                Either::Left((share, _)) => return Ok(share),
                Either::Right(((), still)) => taken = still,
            }
            budget.ask();
        }
        Err(Error::Unavailable(
            "all buffer memory is in use; run fewer operations at once, or give the store more memory".to_string(),
            Some(1000),
        ))
    }

    /// How many sets are useful at once, if kv takes long for each and hardly longer for a
    /// large value: then many small chunks fill the line as well as few large ones, and fit
    /// better in memory. Not where calls are counted by the second.
    fn useful_at_once(&self, useful_max: u32) -> Option<u32> {
        let pacing = self.kv().pacing().borrow();
        let (small_ns, usual_ns) = pacing.writes.latency_ns();
        let is_slow = small_ns.is_some_and(|small| {
            small >= SLOW_KV_NS as f64 && usual_ns.is_none_or(|usual| usual < 2.0 * small)
        });
        let fine = is_slow && pacing.rate.per_second().is_none();
        fine.then(|| pacing.writes.worth().min(useful_max))
    }

    /// Waits until an operation has waited long for memory: whoever holds a [`get::Piece`]
    /// and has got nothing done with it for [`MEMORY_ASK_MS`] should give it back
    /// ([`get::Reader::put_back`]), or a few slow clients keep all others out.
    pub async fn memory_wanted(&self) {
        match self.inner.budget.get() {
            Some(budget) => budget.asked().await,
            None => pending().await,
        }
    }

    fn new_id(&self) -> Id {
        Id(self.clock().random())
    }

    fn check_key(&self, key: &str, limits: &KvLimits) -> Result<(), Error> {
        if limits.key_bytes_max < key::FIXED_KEY_BYTES_MAX {
            return Err(Error::LimitExceeded(format!(
                "keys of this platform hold {} bytes; the store needs {}",
                limits.key_bytes_max,
                key::FIXED_KEY_BYTES_MAX
            )));
        }
        key::check_object_key(key, limits.key_bytes_max)
    }
}

/// Has a guest's allocator take the memory of the budget from the host in one piece,
/// and 7/8 more for the gaps between large buffers, so that the guest has the same size
/// from first to last: half was too little for many puts and gets at once, which have 17
/// MiB in use and needed up to 34. Now and then, in one of twenty such crowds, no gap holds
/// a buffer of 4 MiB even so, and the guest grows by that. Nothing is touched: the host need
/// not back it before it is used. Where the host gives less, the guest goes on with what it can
/// get.
fn reserve(bytes: u64) {
    #[cfg(target_family = "wasm")]
    {
        let mut whole = Vec::<u8>::new();
        let _ = whole.try_reserve_exact(bytes as usize);
        drop(std::hint::black_box(whole));
    }
    #[cfg(not(target_family = "wasm"))]
    let _ = bytes;
}

/// Refuses a precondition on a write where it could not be kept.
fn check_write_precondition(
    precondition: Option<&Precondition>,
    limits: &KvLimits,
) -> Result<(), Error> {
    if precondition.is_some() && !limits.conditional_write {
        return Err(Error::Unsupported(
            "this platform has no conditional writes, so a write cannot have a precondition; read first, at your own risk".to_string(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
