//! Every family of metrics, once: names and units by the conventions of Prometheus
//! (<https://prometheus.io/docs/practices/naming/>).

/// How a family's values behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 at the store's beginning.
    Counter,
    /// It is so now.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A family of metrics.
#[derive(Debug)]
pub struct Family {
    /// Its name, which ends with its unit and, of a counter, with `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels, at most two.
    pub labels: &'static [&'static str],
    /// One line, for people.
    pub help: &'static str,
    /// Of a histogram: upper bounds, ascending.
    pub buckets: &'static [f64],
}

impl Family {
    const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, labels, help, buckets: &[] }
    }

    const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, labels, help, buckets: &[] }
    }

    const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        buckets: &'static [f64],
    ) -> Self {
        Self { name, kind: Kind::Histogram, labels, help, buckets }
    }
}

/// From a value in memory to the longest time that a kv operation may take, in seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// From a read of what is cached to an upload of hours, in seconds.
const LONG_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 1800.0, 7200.0,
];

/// The sizes that chunks have, but for last ones: powers of two.
const CHUNK_SIZES: &[f64] = &[
    65536.0, 131072.0, 262144.0, 524288.0, 1048576.0, 2097152.0, 4194304.0, 8388608.0, 16777216.0,
    33554432.0, 67108864.0,
];

/// Operations of the store that have ended.
pub static OPERATIONS: Family = Family::counter(
    "chunk_store_operations_total",
    &["operation", "outcome"],
    "Operations on objects and uploads that have ended: ok, the name of an error, or abandoned by the caller.",
);
/// Operations of the store that have begun and not ended.
pub static UNDER_WAY: Family = Family::gauge(
    "chunk_store_operations_under_way",
    &["operation"],
    "Operations on objects and uploads that have begun and not ended.",
);
/// How long operations of the store take.
pub static OPERATION_SECONDS: Family = Family::histogram(
    "chunk_store_operation_seconds",
    &["operation"],
    "How long operations took, however they ended; of a get and a follow until the last byte was given out.",
    LONG_SECONDS,
);
/// Content in and out.
pub static BODY_BYTES: Family = Family::counter(
    "chunk_store_body_bytes_total",
    &["direction"],
    "Content taken in from writers, and given out to readers, whether or not the operation succeeded.",
);
/// How long readers wait for the first bytes.
pub static FIRST_BYTE_SECONDS: Family = Family::histogram(
    "chunk_store_first_byte_seconds",
    &[],
    "Time from the beginning of a get to its first verified bytes.",
    SECONDS,
);
/// How large chunks are.
pub static CHUNK_BYTES: Family = Family::histogram(
    "chunk_store_chunk_bytes",
    &["direction"],
    "Sizes of the chunks that were written and read.",
    CHUNK_SIZES,
);
/// What reading ahead was good for.
pub static READ_AHEAD_BYTES: Family = Family::counter(
    "chunk_store_read_ahead_bytes_total",
    &["outcome"],
    "Chunks that were asked for before their reader came to them: used when it came, or wasted when it went away or gave memory back.",
);
/// Memory for chunks that is in use.
pub static BUFFER_BYTES: Family = Family::gauge(
    "chunk_store_buffer_bytes",
    &[],
    "Memory for chunks in use, by all operations together.",
);
/// All memory for chunks.
pub static BUFFER_BYTES_MAX: Family = Family::gauge(
    "chunk_store_buffer_limit_bytes",
    &[],
    "Memory for chunks that there is; operations wait for each other beyond it.",
);
/// The high-water mark of memory for chunks.
pub static BUFFER_BYTES_PEAK: Family = Family::gauge(
    "chunk_store_buffer_peak_bytes",
    &[],
    "The most memory for chunks that was in use at once.",
);
/// The guest's memory.
pub static GUEST_MEMORY_BYTES: Family = Family::gauge(
    "chunk_store_guest_memory_bytes",
    &[],
    "Linear memory of the component, which never shrinks.",
);
/// kv operations that have ended.
pub static KV_OPERATIONS: Family = Family::counter(
    "chunk_store_kv_operations_total",
    &["operation", "outcome"],
    "Calls of kv that have ended: ok, stale (the condition did not hold), throttled, unavailable, rejected, timeout, or abandoned by who had asked.",
);
/// kv operations that have begun and not ended.
pub static KV_UNDER_WAY: Family = Family::gauge(
    "chunk_store_kv_operations_under_way",
    &["operation"],
    "Calls of kv that have begun and not ended.",
);
/// Values in and out of kv.
pub static KV_BYTES: Family = Family::counter(
    "chunk_store_kv_bytes_total",
    &["direction"],
    "Bytes of values that kv was given and has given, repeated attempts included.",
);
/// Attempts after the first.
pub static KV_RETRIES: Family = Family::counter(
    "chunk_store_kv_retries_total",
    &["reason"],
    "Calls of kv that were repeated because the one before was unavailable (or timed out), or throttled.",
);
/// How long kv takes.
pub static KV_SECONDS: Family = Family::histogram(
    "chunk_store_kv_seconds",
    &["operation"],
    "How long calls of kv took that were answered.",
    SECONDS,
);
/// How many operations are kept under way.
pub static KV_WINDOW: Family = Family::gauge(
    "chunk_store_kv_window_operations",
    &["direction"],
    "Calls of kv that move chunks and are kept under way at most, as pacing finds them useful.",
);
/// What comes through.
pub static KV_DELIVERED: Family = Family::gauge(
    "chunk_store_kv_delivered_bytes_per_second",
    &["direction"],
    "Bytes of values that kv moved in a second when it was watched last.",
);
/// The latency without queueing.
pub static KV_BASE_SECONDS: Family = Family::gauge(
    "chunk_store_kv_base_seconds",
    &["direction"],
    "How long kv takes for a small value without queueing, as pacing estimates it; of several instances the sum.",
);
/// How many estimates the others are sums of.
pub static KV_ESTIMATES: Family = Family::gauge(
    "chunk_store_kv_estimates",
    &["direction"],
    "How many instances have estimated it.",
);
/// The rate of calls.
pub static KV_CALLS_PER_SECOND: Family = Family::gauge(
    "chunk_store_kv_paced_calls_per_second",
    &[],
    "How many calls of kv are made in a second at most, while kv refuses more.",
);

/// All of them, in the order of the documentation.
pub static ALL: [&Family; 21] = [
    &OPERATIONS,
    &UNDER_WAY,
    &OPERATION_SECONDS,
    &BODY_BYTES,
    &FIRST_BYTE_SECONDS,
    &CHUNK_BYTES,
    &READ_AHEAD_BYTES,
    &BUFFER_BYTES,
    &BUFFER_BYTES_PEAK,
    &BUFFER_BYTES_MAX,
    &GUEST_MEMORY_BYTES,
    &KV_OPERATIONS,
    &KV_UNDER_WAY,
    &KV_BYTES,
    &KV_RETRIES,
    &KV_SECONDS,
    &KV_WINDOW,
    &KV_DELIVERED,
    &KV_BASE_SECONDS,
    &KV_ESTIMATES,
    &KV_CALLS_PER_SECOND,
];

/// The family of this name.
pub fn of(name: &str) -> Option<&'static Family> {
    ALL.into_iter().find(|family| family.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_end_as_prometheus_wants() {
        for (index, family) in ALL.iter().enumerate() {
            let name = family.name;
            assert!(ALL[..index].iter().all(|other| other.name != name), "{name}");
            assert!(name.starts_with("chunk_store_") && family.help.ends_with('.'), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert!(family.labels.len() <= 2, "{name}");
            let is_histogram = family.kind == Kind::Histogram;
            assert_eq!(!family.buckets.is_empty(), is_histogram, "{name}");
            assert!(family.buckets.is_sorted(), "{name}");
        }
    }

    #[test]
    fn the_documentation_lists_them_all_and_no_others() {
        let documented = include_str!("../../docs/metrics.md");
        let table: Vec<&str> = documented
            .lines()
            .filter(|line| line.starts_with("| `chunk_store_") && !line.contains("_http_"))
            .collect();
        let expected: Vec<String> = ALL
            .iter()
            .map(|family| {
                let kind = format!("{:?}", family.kind).to_lowercase();
                let labels: Vec<String> =
                    family.labels.iter().map(|label| format!("`{label}`")).collect();
                format!("| `{}` | {kind} | {} | {} |", family.name, labels.join(", "), family.help)
            })
            .collect();
        assert_eq!(table, expected);
    }
}
