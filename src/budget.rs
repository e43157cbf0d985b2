//! One budget of buffer memory for all operations of an instance.
//!
//! A buffer's bytes are taken before it is allocated and given back when it is
//! dropped. Who finds the budget spent waits in line: that is the back-pressure
//! that keeps memory bounded however many operations there are. Who waits for long
//! [asks](Budget::ask) those who hold memory and get nothing done, such as readers whose
//! clients have stopped to take anything, to give back what they can fetch again.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The budget counts in this many bytes.
const UNIT_BYTES: u64 = 1024;

/// Buffer memory that operations share.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    asked: Arc<Notify>,
    units_max: u32,
}

/// Part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let units_max = u32::try_from(bytes_max / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let units = (units_max as usize).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), asked: Arc::default(), units_max }
    }

    /// Takes `bytes` as soon as they are free, in the order of asking. More than the
    /// whole budget counts as the whole, so that a chunk written where there was more
    /// memory can still be read here, alone.
    pub async fn take(&self, bytes: u64) -> Share {
        let permit = self.free.clone().acquire_many_owned(self.units(bytes)).await;
        Share { _permit: permit.expect("the budget is never closed") }
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
        Some(Share { _permit: permit })
    }

    /// Asks for what others hold and could do without.
    pub fn ask(&self) {
        self.asked.notify_waiters();
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.asked.notified().await;
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
    fn more_than_the_whole_is_the_whole() {
        let budget = Budget::new(4 << 10);
        let all = budget.take(u64::MAX).now_or_never().unwrap();
        assert!(budget.try_take(1).is_none());
        drop(all);
        assert!(budget.try_take(1).is_some());
    }
}
