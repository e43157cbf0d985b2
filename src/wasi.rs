//! WASI's clocks and random source.

use std::time::Duration;

use wasip3::clocks::{monotonic_clock, system_clock};
use wasip3::random::random;

use crate::clock::Clock;

/// WASI's clocks and random source.
#[derive(Debug)]
pub struct WasiClock;

impl Clock for WasiClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ns() / 1_000_000
    }

    fn wall_ns(&self) -> u64 {
        let now = system_clock::now();
        // Before 1970 nothing has expired, and nothing is young.
        let seconds = u64::try_from(now.seconds).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(now.nanoseconds))
    }

    fn monotonic_ns(&self) -> u64 {
        monotonic_clock::now()
    }

    async fn sleep_ms(&self, ms: u64) {
        let wait = Duration::from_millis(ms).as_nanos();
        monotonic_clock::wait_for(u64::try_from(wait).unwrap_or(u64::MAX)).await;
    }

    fn random(&self) -> u128 {
        u128::from(random::get_random_u64()) << 64 | u128::from(random::get_random_u64())
    }
}
