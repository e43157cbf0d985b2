//! The rate of calls where kv refuses some (429). Pure.
//!
//! Nobody is held up until a call is refused. Then kv is left alone for the wait that it
//! asked for, and calls go one by one at a rate: each that is accepted makes it a little
//! greater, each that is refused makes it less (additive increase, multiplicative
//! decrease: Chiu and Jain, 1989). The steps are such that where it settles one or two
//! calls in a hundred are refused: that is the price of knowing where the limit is.
//! Refused often, it falls faster, not refused for long it grows faster; after a minute
//! without a refusal nobody is held up any more.

/// Each accepted call makes the rate greater by this part of itself, each refused one
/// leaves this part of it.
const GROWTH: f64 = 0.0004;
const FALL: f64 = 0.97;

/// As long as it was refused once only, nobody knows where the limit is.
const GROWTH_FIRST: f64 = 0.02;

/// After so many accepted calls without a refusal there is more to be had.
const CALM: u64 = 150;
const GROWTH_CALM: f64 = 0.004;

/// A refusal so soon after another says that the rate is far too great.
const HARDLY_ANY: u64 = 2;
const FALL_FAR: f64 = 0.85;

/// No rate is less, in calls per second.
const RATE_MIN: f64 = 1.0;

/// Before there is a rate, what is accepted is counted over so long, in nanoseconds.
const COUNTED_NS: u64 = 2_000_000_000;

/// kv is left alone for no longer, in milliseconds, whatever it asks for: then it has to
/// refuse again.
const CLOSED_MS_MAX: u64 = 10_000;

/// After so long without a refusal nobody is held up, in nanoseconds.
const FORGOTTEN_NS: u64 = 60_000_000_000;

/// The controller of one kv.
#[derive(Debug, Default)]
pub struct Rate {
    paced: Option<Paced>,
    /// Accepted since then, and since the last refusal.
    accepted: u64,
    counted_since_ns: u64,
}

#[derive(Debug)]
struct Paced {
    per_second: f64,
    refusals: u64,
    refused_ns: u64,
    /// When the next call may begin by the rate, and by what kv asked for.
    next_ns: f64,
    closed_until_ns: u64,
}

impl Rate {
    /// Takes a turn to call, or tells how long to wait before asking again, in nanoseconds.
    /// 0: it is taken.
    pub fn turn(&mut self, now_ns: u64) -> u64 {
        let Some(paced) = &mut self.paced else { return 0 };
        if now_ns.saturating_sub(paced.refused_ns) > FORGOTTEN_NS {
            self.paced = None;
            return 0;
        }
        let at_ns = (paced.next_ns as u64).max(paced.closed_until_ns);
        if at_ns > now_ns {
            return at_ns - now_ns;
        }
        // A turn that was not taken in time is not lost, but no more than one.
        let between_ns = 1e9 / paced.per_second;
        paced.next_ns = paced.next_ns.max(now_ns as f64 - between_ns) + between_ns;
        0
    }

    /// A call was not refused.
    pub fn accepted(&mut self, now_ns: u64) {
        if self.paced.is_none() && now_ns.saturating_sub(self.counted_since_ns) > COUNTED_NS {
            self.counted_since_ns = now_ns;
            self.accepted = 0;
        }
        self.accepted += 1;
        if let Some(paced) = &mut self.paced {
            paced.per_second *= 1.0
                + match (paced.refusals, self.accepted) {
                    (0 | 1, _) => GROWTH_FIRST,
                    (_, CALM..) => GROWTH_CALM,
                    _ => GROWTH,
                };
        }
    }

    /// A call that began then was refused, for so long.
    pub fn refused(&mut self, begun_ns: u64, now_ns: u64, wait_ms: u64) {
        let seconds = now_ns.saturating_sub(self.counted_since_ns) as f64 / 1e9;
        let counted = (self.accepted > 0 && seconds > 0.0).then(|| self.accepted as f64 / seconds);
        let paced = self.paced.get_or_insert_with(|| Paced {
            // Who asks for a wait allows one call after it.
            per_second: counted.unwrap_or(1000.0 / wait_ms.max(1) as f64),
            refusals: 0,
            refused_ns: 0,
            next_ns: 0.0,
            closed_until_ns: 0,
        });
        let closed_until_ns = now_ns + wait_ms.min(CLOSED_MS_MAX) * 1_000_000;
        paced.closed_until_ns = paced.closed_until_ns.max(closed_until_ns);
        paced.next_ns = paced.next_ns.max(closed_until_ns as f64);
        // One that was on its way when the rate fell says nothing new.
        if begun_ns < paced.refused_ns {
            return;
        }
        if paced.refusals > 0 {
            paced.per_second *= if self.accepted <= HARDLY_ANY { FALL_FAR } else { FALL };
        }
        paced.per_second = paced.per_second.max(RATE_MIN);
        paced.refusals += 1;
        paced.refused_ns = now_ns.max(1);
        self.accepted = 0;
        self.counted_since_ns = now_ns;
    }

    /// Calls per second, if calls are held up.
    pub fn per_second(&self) -> Option<f64> {
        self.paced.as_ref().map(|paced| paced.per_second)
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
