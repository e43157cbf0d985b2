//! Time and chance: everything that is not a function of the arguments comes in
//! through here, so that a simulation can replay it.

use std::future::Future;

/// The clocks and the random source of the platform.
pub trait Clock {
    /// Wall-clock time, in milliseconds since the Unix epoch.
    fn wall_ms(&self) -> u64;

    /// The same in nanoseconds, as precisely as it is known.
    fn wall_ns(&self) -> u64 {
        self.wall_ms().saturating_mul(1_000_000)
    }

    /// A clock that never goes back, in nanoseconds since some fixed moment.
    fn monotonic_ns(&self) -> u64;

    /// Resolves after so many milliseconds.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()>;

    /// 128 bits that nobody else draws: for the names of segments and commits,
    /// and for jitter.
    fn random(&self) -> u128;
}
