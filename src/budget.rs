//! One budget of buffer memory for all operations of an instance.
//!
//! A buffer's bytes are taken before it is allocated and given back when it is
//! dropped. Who finds the budget spent waits in line: that is the back-pressure
//! that keeps memory bounded however many operations there are. Who waits for long
//! [asks](Budget::ask) those who hold memory and get nothing done, such as readers whose
//! clients have stopped to take anything, to give back what they can fetch again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The budget counts in this many bytes.
const UNIT_BYTES: u64 = 1024;

/// Buffer memory that operations share.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    asked: Arc<Notify>,
    units_max: u32,
    /// The most that was taken at once.
    units_peak: Arc<AtomicU32>,
    /// How many share it, and how many of them have less than their share and got no more.
    members: Arc<AtomicU32>,
    wanting: Arc<AtomicU32>,
}

/// Part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    permit: OwnedSemaphorePermit,
    /// What its member holds, in units.
    held: Option<Arc<AtomicU64>>,
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            held.fetch_sub(self.permit.num_permits() as u64, Relaxed);
        }
    }
}

/// One of those who share a budget, until this is dropped. Each may have an equal part of
/// it; more only while nobody who has less wants any.
#[derive(Debug)]
pub struct Member {
    budget: Budget,
    held: Arc<AtomicU64>,
    wants: bool,
}

impl Member {
    /// Whether so many bytes more are within its part.
    pub fn may_have(&self, bytes: u64) -> bool {
        let units = self.held.load(Relaxed) + u64::from(self.budget.units(bytes));
        let members = self.budget.members.load(Relaxed).max(1);
        units <= u64::from(self.budget.units_max / members)
    }

    /// Counts what was taken for it.
    pub fn holds(&self, mut share: Share) -> Share {
        self.held.fetch_add(share.permit.num_permits() as u64, Relaxed);
        share.held = Some(self.held.clone());
        share
    }

    /// As [`Budget::try_take`]; nothing beyond its part while others want theirs.
    pub fn try_take(&mut self, bytes: u64) -> Option<Share> {
        let within = self.may_have(bytes);
        let others = self.budget.wanting.load(Relaxed) - u32::from(self.wants);
        let share = match within || others == 0 {
            true => self.budget.try_take(bytes),
            false => None,
        };
        self.want(within && share.is_none());
        share.map(|share| self.holds(share))
    }

    fn want(&mut self, wants: bool) {
        match (self.wants, wants) {
            (false, true) => _ = self.budget.wanting.fetch_add(1, Relaxed),
            (true, false) => _ = self.budget.wanting.fetch_sub(1, Relaxed),
            _ => {}
        }
        self.wants = wants;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.want(false);
        self.budget.members.fetch_sub(1, Relaxed);
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let units_max = u32::try_from(bytes_max / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let units = (units_max as usize).min(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(units));
        Self {
            free,
            asked: Arc::default(),
            units_max,
            units_peak: Arc::default(),
            members: Arc::default(),
            wanting: Arc::default(),
        }
    }

    /// One more who shares it.
    pub fn join(&self) -> Member {
        self.members.fetch_add(1, Relaxed);
        Member { budget: self.clone(), held: Arc::default(), wants: false }
    }

    /// Takes `bytes` as soon as they are free, in the order of asking. More than the
    /// whole budget counts as the whole, so that a chunk written where there was more
    /// memory can still be read here, alone.
    pub async fn take(&self, bytes: u64) -> Share {
        let permit = self.free.clone().acquire_many_owned(self.units(bytes)).await;
        self.share(permit.expect("the budget is never closed"))
    }

    /// Takes `bytes` for reading ahead: if they are free now, and a quarter of the
    /// budget stays free behind them. So a reader never keeps out the writer that it
    /// feeds.
    pub fn try_take(&self, bytes: u64) -> Option<Share> {
        let reserve = self.units_max as usize / 4;
        if self.free.available_permits() < self.units(bytes) as usize + reserve {
            return None;
        }
        let permit = self.free.clone().try_acquire_many_owned(self.units(bytes)).ok()?;
        Some(self.share(permit))
    }

    fn share(&self, permit: OwnedSemaphorePermit) -> Share {
        self.units_peak.fetch_max(self.units_in_use(), Relaxed);
        Share { permit, held: None }
    }

    /// Asks for what others hold and could do without.
    pub fn ask(&self) {
        self.asked.notify_waiters();
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// How many bytes are taken.
    pub fn bytes_in_use(&self) -> u64 {
        u64::from(self.units_in_use()) * UNIT_BYTES
    }

    /// The most bytes that were taken at once.
    pub fn bytes_peak(&self) -> u64 {
        u64::from(self.units_peak.load(Relaxed)) * UNIT_BYTES
    }

    /// How many bytes there are.
    pub fn bytes_max(&self) -> u64 {
        u64::from(self.units_max) * UNIT_BYTES
    }

    fn units_in_use(&self) -> u32 {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        self.units_max.saturating_sub(free)
    }

    fn units(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).clamp(1, self.units_max)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn is_taken_in_order_and_given_back() {
        let budget = Budget::new(10 << 10);
        let first = budget.try_take(6 << 10).unwrap();
        assert!(budget.try_take(3 << 10).is_none(), "a quarter is kept");
        let mut second = Box::pin(budget.take(5 << 10));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(budget.try_take(1).is_none(), "nobody overtakes who waits");
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[test]
    fn the_most_that_was_taken_at_once_is_known() {
        let budget = Budget::new(10 << 10);
        let first = budget.try_take(3 << 10).unwrap();
        let second = budget.take(4 << 10).now_or_never().unwrap();
        drop((first, second));
        let _third = budget.try_take(1 << 10).unwrap();
        assert_eq!((budget.bytes_in_use(), budget.bytes_peak()), (1 << 10, 7 << 10));
    }

    #[test]
    fn everybody_who_holds_memory_is_asked() {
        let budget = Budget::new(4 << 10);
        let mut first = Box::pin(budget.asked());
        let mut second = Box::pin(budget.asked());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        budget.ask();
        assert!(first.now_or_never().is_some() && second.now_or_never().is_some());
        assert!(budget.asked().now_or_never().is_none(), "only who waited then");
    }

    #[test]
    fn who_has_less_than_its_part_comes_before_who_wants_more() {
        let budget = Budget::new(16 << 10);
        let (mut greedy, mut modest) = (budget.join(), budget.join());
        let mut shares: Vec<_> = (0..16).map_while(|_| greedy.try_take(1 << 10)).collect();
        assert_eq!(shares.len(), 12, "alone it may have all but a quarter");
        assert!(modest.try_take(1 << 10).is_none());
        shares.truncate(11);
        assert!(greedy.try_take(1 << 10).is_none(), "the other wants some");
        let first = modest.try_take(1 << 10).unwrap();
        drop(modest);
        shares.pop();
        assert!(greedy.try_take(1 << 10).is_some(), "nobody else is left");
        drop(first);
    }

    #[test]
    fn what_a_member_holds_counts_until_it_is_given_back() {
        let budget = Budget::new(16 << 10);
        let (member, _other) = (budget.join(), budget.join());
        let take = |bytes| member.holds(budget.take(bytes).now_or_never().unwrap());
        let share = take(5 << 10);
        assert!(member.may_have(3 << 10) && !member.may_have(4 << 10));
        drop(share);
        assert!(member.may_have(8 << 10));
    }

    #[test]
    fn more_than_the_whole_is_the_whole() {
        let budget = Budget::new(4 << 10);
        let all = budget.take(u64::MAX).now_or_never().unwrap();
        assert!(budget.try_take(1).is_none());
        drop(all);
        assert!(budget.try_take(1).is_some());
    }
}
