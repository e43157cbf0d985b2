//! What a store has done since it began: counters, gauges and histograms, of the
//! [families](families::ALL).
//!
//! Counted where it happens, one cell each, and read all at once. Counters never go down.
//! `docs/metrics.md` lists the families.

mod cells;
mod codec;
pub mod families;
mod histogram;
mod operations;
mod snapshot;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use self::cells::{Cells, Key};
use self::families::Family;
use self::histogram::Buckets;
use self::operations::Notes;
pub use self::operations::{Ended, Operation};
pub(crate) use self::operations::{On, Scope, Work};
pub use self::snapshot::{Histogram, Sample, Snapshot};
use crate::clock::Clock;

/// The values of a family's labels, in its order; unused ones are empty.
type Labels = [&'static str; 2];

/// The metrics of one store. Cheap to clone; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    values: RefCell<Values>,
    notes: Notes,
    time: Time,
    /// How what is dropped now has ended, in place of what it would say.
    dropped_as: Cell<Option<&'static str>>,
}

#[derive(Debug, Default)]
struct Values {
    counters: Cells<u64>,
    gauges: Cells<i64>,
    histograms: Cells<Buckets>,
}

/// What tells the time; without a clock it is always 0.
#[derive(Default)]
struct Time(Option<Rc<dyn Watch>>);

/// The part of [`Clock`] that can stand behind a pointer.
trait Watch {
    fn monotonic_ns(&self) -> u64;
    fn wall_ns(&self) -> u64;
}

impl<C: Clock> Watch for C {
    fn monotonic_ns(&self) -> u64 {
        Clock::monotonic_ns(self)
    }

    fn wall_ns(&self) -> u64 {
        Clock::wall_ns(self)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

impl Metrics {
    /// Of a store that goes by this clock.
    pub fn timed_by(clock: Rc<impl Clock + 'static>) -> Self {
        Self(Rc::new(Shared { time: Time(Some(clock)), ..Shared::default() }))
    }

    fn now_ns(&self) -> u64 {
        self.0.time.0.as_ref().map_or(0, |watch| watch.monotonic_ns())
    }

    fn wall_ns(&self) -> u64 {
        self.0.time.0.as_ref().map_or(0, |watch| watch.wall_ns())
    }

    fn notes(&self) -> &Notes {
        &self.0.notes
    }

    /// Adds to a counter.
    pub fn add(&self, family: &'static Family, labels: Labels, by: u64) {
        *self.0.values.borrow_mut().counters.cell(family, labels, || 0) += by;
    }

    /// Adds to a gauge, or takes from it.
    pub fn shift(&self, family: &'static Family, labels: Labels, by: i64) {
        *self.0.values.borrow_mut().gauges.cell(family, labels, || 0) += by;
    }

    /// Adds a value to a distribution.
    pub fn observe(&self, family: &'static Family, labels: Labels, value: f64) {
        let mut values = self.0.values.borrow_mut();
        let first = || Buckets::new(family.buckets);
        values.histograms.cell(family, labels, first).observe(value);
    }

    /// Counts one of `total` when it ends, with its outcome; and it is among those
    /// `under_way` until then.
    pub fn begin(
        &self,
        total: &'static Family,
        under_way: &'static Family,
        operation: &'static str,
        unless_ended: &'static str,
    ) -> UnderWay {
        self.shift(under_way, [operation, ""], 1);
        let metrics = self.clone();
        UnderWay { metrics, total, under_way, operation, unless_ended, outcome: None }
    }

    /// What is under way and is dropped meanwhile has ended like this.
    pub fn dropping_as(&self, outcome: &'static str, drop: impl FnOnce()) {
        let before = self.0.dropped_as.replace(Some(outcome));
        drop();
        self.0.dropped_as.set(before);
    }

    /// What there is now.
    pub fn read(&self) -> Snapshot {
        let values = self.0.values.borrow();
        let sample = |(name, labels): Key, value| Sample {
            name: name.to_string(),
            labels: named(name, &labels),
            value,
        };
        let histograms = values.histograms.iter().map(|((name, labels), buckets)| Histogram {
            name: name.to_string(),
            labels: named(name, labels),
            buckets: buckets.cumulative(),
            sum: buckets.sum,
            count: buckets.count,
        });
        Snapshot {
            counters: values.counters.iter().map(|&(key, n)| sample(key, n as f64)).collect(),
            gauges: values.gauges.iter().map(|&(key, n)| sample(key, n as f64)).collect(),
            histograms: histograms.collect(),
        }
    }
}

/// The labels of a family with their names.
fn named(name: &str, labels: &Labels) -> Vec<(String, String)> {
    let names = families::of(name).map_or(&[][..], |family| family.labels);
    names.iter().zip(labels).map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Something that has begun; its end is counted when this is dropped.
#[derive(Debug)]
pub struct UnderWay {
    metrics: Metrics,
    total: &'static Family,
    under_way: &'static Family,
    operation: &'static str,
    unless_ended: &'static str,
    outcome: Option<&'static str>,
}

impl UnderWay {
    /// It has ended like this.
    pub fn end(mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.metrics.shift(self.under_way, [self.operation, ""], -1);
        let dropped = || self.metrics.0.dropped_as.get().unwrap_or(self.unless_ended);
        let outcome = self.outcome.unwrap_or_else(dropped);
        self.metrics.add(self.total, [self.operation, outcome], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::families::{KV_OPERATIONS, KV_UNDER_WAY};
    use super::*;

    #[test]
    fn what_is_under_way_is_counted_when_it_ends_or_is_given_up() {
        let metrics = Metrics::default();
        let begin = || metrics.begin(&KV_OPERATIONS, &KV_UNDER_WAY, "get", "abandoned");
        let (first, second, third) = (begin(), begin(), begin());
        let value = |name, outcome| {
            metrics.read().value(name, &[("operation", "get"), ("outcome", outcome)])
        };
        let under_way = || metrics.read().value(KV_UNDER_WAY.name, &[("operation", "get")]);
        assert_eq!(under_way(), 3.0);
        first.end("ok");
        metrics.dropping_as("timeout", || drop(second));
        drop(third);
        assert_eq!(under_way(), 0.0);
        assert_eq!(value(KV_OPERATIONS.name, "ok"), 1.0);
        assert_eq!(value(KV_OPERATIONS.name, "timeout"), 1.0);
        assert_eq!(value(KV_OPERATIONS.name, "abandoned"), 1.0);
    }
}
