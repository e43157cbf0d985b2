//! Which faults happen how often.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// How often each fault happens to an operation, from 0 (never) to 1, and how long
/// operations take. The default is no fault and no delay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The operation is not begun, and `unavailable`.
    pub fail: f64,
    /// The operation is not begun, and `throttled`, for 1 ms to 2 s.
    pub throttle: f64,
    /// The operation is not begun and never answers.
    pub hang: f64,
    /// A write takes effect, and its answer is lost: `unavailable`.
    pub lose_answer: f64,
    /// A write never answers, and takes effect after its caller has given it up, within
    /// the limits' `write_lag_ms_max`.
    pub land_late: f64,
    /// A read answers as it would have some time ago, within the limits'
    /// `staleness_ms`; a listing misses keys that were set since.
    pub stale: f64,
    /// A page of a listing ends early, and has a cursor.
    pub short_page: f64,
    /// Every operation takes between so many milliseconds; one in fifty, ten times as
    /// long.
    pub delay_ms: (u64, u64),
}

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Fail,
    Throttle(u64),
    Hang,
    LoseAnswer,
    LandLate(Duration),
}

impl Plan {
    /// What happens to the next operation: one fault at most.
    pub(super) fn fault(&self, chance: &mut Chance, writes: bool, lag_ms: u32) -> Option<Fault> {
        let mut point = chance.point();
        let mut happens = |probability: f64| {
            point -= probability;
            point < 0.0
        };
        if happens(self.fail) {
            return Some(Fault::Fail);
        }
        if happens(self.throttle) {
            return Some(Fault::Throttle(chance.between(1, 2000)));
        }
        if happens(self.hang) {
            return Some(Fault::Hang);
        }
        if writes && happens(self.lose_answer) {
            return Some(Fault::LoseAnswer);
        }
        if writes && happens(self.land_late) {
            return Some(Fault::LandLate(Duration::from_millis(chance.between(0, lag_ms.into()))));
        }
        None
    }

    pub(super) fn delay(&self, chance: &mut Chance) -> Duration {
        let (least, most) = self.delay_ms;
        let usual = chance.between(least, most.max(least));
        Duration::from_millis(if chance.point() < 0.02 { 10 * usual } else { usual })
    }
}

/// Draws from a seed.
pub(super) struct Chance(SmallRng);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// From 0 to 1, 1 excluded.
    pub fn point(&mut self) -> f64 {
        self.0.random()
    }

    /// Both ends included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most)
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.point() < probability
    }
}
