//! How long values of each size take without queueing. Pure.

use crate::limits::{CHUNK_BYTES_USUAL, FIRST_CHUNK_BYTES};

/// Values of 64 KiB or less, up to 128 KiB, and so on by powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(usize);

const CLASSES: usize = 12;
const SMALLEST_BITS: u32 = 16;

/// Means of fewer are chance.
const SAMPLES_MIN: u32 = 2;

impl Class {
    /// The class of a value of so many bytes.
    pub fn of(bytes: u64) -> Self {
        let bits = bytes.max(1).next_power_of_two().ilog2().saturating_sub(SMALLEST_BITS);
        Self((bits as usize).min(CLASSES - 1))
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    took_ns: f64,
    samples: u32,
}

impl Seen {
    fn mean(self) -> Option<f64> {
        (self.samples >= SAMPLES_MIN).then(|| self.took_ns / f64::from(self.samples))
    }
}

/// The least mean latency of a round, for each class.
#[derive(Debug, Default)]
pub(super) struct Bases {
    least_ns: [Option<f64>; CLASSES],
    round: [Seen; CLASSES],
}

impl Bases {
    /// An operation took so long.
    pub fn sample(&mut self, class: Class, took_ns: f64) {
        let seen = &mut self.round[class.0];
        seen.took_ns += took_ns;
        seen.samples += 1;
    }

    /// The round ends: means that are less than any before are the new bases.
    pub fn end_round(&mut self) {
        for (least, seen) in self.least_ns.iter_mut().zip(&mut self.round) {
            // The rounds of a class that comes seldom are longer.
            let Some(mean) = seen.mean() else { continue };
            *least = Some(least.map_or(mean, |least| least.min(mean)));
            *seen = Seen::default();
        }
    }

    /// What is remembered is not so any more: the next round's means are the bases.
    pub fn renew(&mut self) {
        *self = Self::default();
    }

    /// How long a value of this class takes. As a larger one takes no less, and one of
    /// half the size no less than half as long, what is known of others bounds it. Where
    /// nothing is known, what this round has seen.
    pub fn of(&self, class: Class) -> f64 {
        let own = self.least_ns[class.0].unwrap_or_else(|| {
            let seen = self.round[class.0];
            seen.took_ns / f64::from(seen.samples.max(1))
        });
        let smaller = (0..class.0).filter_map(|smaller| {
            let times = (1u64 << (class.0 - smaller)) as f64;
            self.least_ns[smaller].map(|ns| times * ns)
        });
        let larger = self.least_ns[class.0..].iter().flatten().copied();
        smaller.chain(larger).fold(own, f64::min)
    }

    /// Of a value of at most the first chunk's size.
    pub fn smallest(&self) -> Option<f64> {
        let small = Class::of(FIRST_CHUNK_BYTES).0;
        self.least_ns[..=small].iter().flatten().copied().reduce(f64::min)
    }

    /// Of the largest usual chunk.
    pub fn usual(&self) -> Option<f64> {
        self.least_ns[Class::of(CHUNK_BYTES_USUAL).0]
    }
}
