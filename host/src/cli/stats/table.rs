//! The table of `--stats`. What did not happen has no line.

use std::fmt::Write as _;

use chunk_store::metrics::families::{
    BODY_BYTES, BUFFER_BYTES_MAX, BUFFER_BYTES_PEAK, CHUNK_BYTES, FIRST_BYTE_SECONDS, Family,
    GUEST_MEMORY_BYTES, KV_BYTES, KV_OPERATIONS, KV_RETRIES, KV_SECONDS, OPERATION_SECONDS,
    OPERATIONS, READ_AHEAD_BYTES,
};
use chunk_store::metrics::{Histogram, Snapshot};
use indicatif::HumanBytes;

/// The lines.
pub fn of(snapshot: &Snapshot) -> String {
    let now = Now(snapshot);
    let mut table = String::new();
    let mut rows = |name: &str, lines: Vec<String>| {
        for (index, line) in lines.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(table, "{name:<13}{line}");
        }
    };
    rows("operations", now.outcomes(&OPERATIONS, &OPERATION_SECONDS));
    rows("content", now.parts(&BODY_BYTES, "direction", &["in", "out"]));
    let first_byte = snapshot.histograms(&FIRST_BYTE_SECONDS).map(times);
    rows("first byte", first_byte.collect());
    rows("chunks", now.chunks());
    rows("read ahead", now.parts(&READ_AHEAD_BYTES, "outcome", &["used", "wasted"]));
    rows("store below", now.outcomes(&KV_OPERATIONS, &KV_SECONDS));
    rows("", now.parts(&KV_BYTES, "direction", &["written", "read"]));
    rows("", now.retries());
    rows("memory", now.memory());
    table
}

struct Now<'a>(&'a Snapshot);

impl Now<'_> {
    /// Of each operation of a family how often it ended how, and how long it took.
    fn outcomes(&self, total: &Family, seconds: &Family) -> Vec<String> {
        let mut lines: Vec<(&str, String)> = Vec::new();
        for sample in self.0.samples(total) {
            let [(_, operation), (_, outcome)] = &sample.labels[..] else { continue };
            match lines.last_mut().filter(|(last, _)| last == operation) {
                Some((_, line)) => _ = write!(line, ", {} {outcome}", sample.value),
                None => lines.push((operation, format!("{operation}: {} {outcome}", sample.value))),
            }
        }
        let with_times = |(operation, line): (&str, String)| {
            let took = self.0.histograms(seconds).find(|it| it.labels[0].1 == operation);
            match took.filter(|took| took.count > 0) {
                Some(took) => format!("{line}; {}", times(took)),
                None => line,
            }
        };
        lines.into_iter().map(with_times).collect()
    }

    /// Bytes of a family by the values of its label.
    fn parts(&self, family: &Family, label: &str, values: &[&str]) -> Vec<String> {
        if self.0.samples(family).next().is_none() {
            return Vec::new();
        }
        let part = |value: &&str| {
            let bytes = self.0.value(family.name, &[(label, value)]);
            format!("{} {value}", HumanBytes(bytes as u64))
        };
        vec![values.iter().map(part).collect::<Vec<_>>().join(", ")]
    }

    fn chunks(&self) -> Vec<String> {
        let line = |it: &Histogram| {
            let mean = HumanBytes((it.sum / it.count.max(1) as f64) as u64);
            format!("{} {}, {mean} on average", it.count, it.labels[0].1)
        };
        self.0.histograms(&CHUNK_BYTES).map(line).collect()
    }

    fn retries(&self) -> Vec<String> {
        let line = |sample: &chunk_store::metrics::Sample| {
            format!("{} asked again: {}", sample.value, sample.labels[0].1)
        };
        self.0.samples(&KV_RETRIES).map(line).collect()
    }

    fn memory(&self) -> Vec<String> {
        let bytes = |family: &Family| HumanBytes(self.0.value(family.name, &[]) as u64);
        let all = format!("{} in all", bytes(&GUEST_MEMORY_BYTES));
        let (peak, most) = (bytes(&BUFFER_BYTES_PEAK), bytes(&BUFFER_BYTES_MAX));
        match most.0 {
            0 => vec![all],
            _ => vec![format!("{all}; for chunks {peak} of {most} at most")],
        }
    }
}

/// How long things took; of a few there is no distribution to speak of.
fn times(it: &Histogram) -> String {
    let mean = seconds(it.sum / it.count.max(1) as f64);
    let quantile = |share| it.quantile(share).map(seconds).unwrap_or_default();
    match it.count {
        1 => format!("took {mean}"),
        2..10 => format!("took {mean} on average"),
        _ => format!("took {mean} on average, half {}, 99% {}", quantile(0.5), quantile(0.99)),
    }
}

/// A time with three digits.
fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        ..0.001 => (seconds * 1e6, "µs"),
        0.001..1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let decimals = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use chunk_store::metrics::{Metrics, Sample};

    use super::*;

    #[test]
    fn a_line_for_each_thing_that_happened() {
        let metrics = Metrics::default();
        metrics.add(&OPERATIONS, ["put", "ok"], 2);
        metrics.add(&OPERATIONS, ["put", "unavailable"], 1);
        metrics.observe(&OPERATION_SECONDS, ["put", ""], 0.5);
        metrics.add(&BODY_BYTES, ["in", ""], 3 << 20);
        metrics.observe(&CHUNK_BYTES, ["written", ""], 1048576.0);
        metrics.observe(&CHUNK_BYTES, ["written", ""], 2097152.0);
        metrics.add(&KV_OPERATIONS, ["set", "ok"], 100);
        (0..100).for_each(|_| metrics.observe(&KV_SECONDS, ["set", ""], 0.004));
        metrics.add(&KV_BYTES, ["written", ""], 3 << 20);
        metrics.add(&KV_RETRIES, ["throttled", ""], 7);
        let mut now = metrics.read();
        for (family, value) in [(&BUFFER_BYTES_PEAK, 8.0), (&BUFFER_BYTES_MAX, 16.0)] {
            let name = family.name.to_string();
            now.gauges.push(Sample { name, labels: Vec::new(), value: value * 1048576.0 });
        }
        let expected = "\
operations   put: 2 ok, 1 unavailable; took 500 ms
content      3.00 MiB in, 0 B out
chunks       2 written, 1.50 MiB on average
store below  set: 100 ok; took 4.00 ms on average, half 3.75 ms, 99% 4.98 ms
             3.00 MiB written, 0 B read
             7 asked again: throttled
memory       0 B in all; for chunks 8.00 MiB of 16.00 MiB at most
";
        assert_eq!(of(&now), expected);
    }

    #[test]
    fn times_have_three_digits() {
        let shown = [0.0000123, 0.00456, 0.0789, 0.654, 3.2, 61.7].map(seconds);
        assert_eq!(shown, ["12.3 µs", "4.56 ms", "78.9 ms", "654 ms", "3.20 s", "61.7 s"]);
    }
}
