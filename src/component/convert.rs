//! Between generated types and the core's, field by field: of `kv` and of `metrics`.

use bytes::Bytes;

use super::bindings::exports::streaming::chunk_store::metrics;
use super::bindings::streaming::chunk_store::kv as imported;
use crate::kv::{Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome};
use crate::metrics::{Ended, Histogram, Operation, Sample, Snapshot};

impl From<imported::Error> for KvError {
    fn from(error: imported::Error) -> Self {
        match error {
            imported::Error::Unavailable(why) => KvError::Unavailable(why),
            imported::Error::Throttled(ms) => KvError::Throttled(ms),
            imported::Error::Rejected(why) => KvError::Rejected(why),
        }
    }
}

impl From<imported::Limits> for KvLimits {
    fn from(limits: imported::Limits) -> Self {
        Self {
            value_bytes_max: limits.value_bytes_max,
            key_bytes_max: limits.key_bytes_max,
            summary_bytes_max: limits.summary_bytes_max,
            ttl_seconds_min: limits.ttl_seconds_min,
            staleness_ms: limits.staleness_ms,
            write_lag_ms_max: limits.write_lag_ms_max,
            rewrite_interval_ms: limits.rewrite_interval_ms,
            operations_max: limits.operations_max,
            concurrency_max: limits.concurrency_max,
            memory_bytes_max: limits.memory_bytes_max,
            ranged_get: limits.ranged_get,
            conditional_write: limits.conditional_write,
        }
    }
}

impl From<imported::Entry> for Entry {
    fn from(entry: imported::Entry) -> Self {
        Self { value: Bytes::from(entry.value), version: entry.version }
    }
}

impl From<Condition> for imported::Condition {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Absent => Self::Absent,
            Condition::VersionIs(version) => Self::VersionIs(version),
        }
    }
}

impl From<imported::Outcome> for Outcome {
    fn from(outcome: imported::Outcome) -> Self {
        match outcome {
            imported::Outcome::Done => Outcome::Done,
            imported::Outcome::Stale => Outcome::Stale,
        }
    }
}

impl From<imported::KeyPage> for KeyPage {
    fn from(page: imported::KeyPage) -> Self {
        let listed = |key: imported::ListedKey| ListedKey {
            key: key.key,
            summary: key.summary.map(Bytes::from),
        };
        Self { keys: page.keys.into_iter().map(listed).collect(), cursor: page.cursor }
    }
}

impl From<Snapshot> for metrics::Snapshot {
    fn from(snapshot: Snapshot) -> Self {
        let samples = |all: Vec<Sample>| all.into_iter().map(Into::into).collect();
        Self {
            counters: samples(snapshot.counters),
            gauges: samples(snapshot.gauges),
            histograms: snapshot.histograms.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Sample> for metrics::Sample {
    fn from(Sample { name, labels, value }: Sample) -> Self {
        Self { name, labels, value }
    }
}

impl From<Histogram> for metrics::Histogram {
    fn from(Histogram { name, labels, buckets, sum, count }: Histogram) -> Self {
        Self { name, labels, buckets, sum, count }
    }
}

impl From<Ended> for metrics::EndedOperations {
    fn from(Ended { operations, omitted, under_way }: Ended) -> Self {
        let operations = operations.into_iter().map(Into::into).collect();
        Self { operations, omitted, under_way }
    }
}

impl From<Operation> for metrics::Operation {
    fn from(operation: Operation) -> Self {
        Self {
            name: operation.name.to_string(),
            key: operation.key,
            upload: operation.upload,
            outcome: operation.outcome.to_string(),
            failure: operation.failure,
            ended_ns: operation.ended_ns,
            took_ns: operation.took_ns,
            first_byte_ns: operation.first_byte_ns,
            received_bytes: operation.received_bytes,
            sent_bytes: operation.sent_bytes,
            chunks_written: operation.chunks_written,
            chunks_read: operation.chunks_read,
            kv_operations: operation.kv_operations,
            kv_retries: operation.kv_retries,
            kv_written_bytes: operation.kv_written_bytes,
            kv_read_bytes: operation.kv_read_bytes,
            trace: operation.trace,
        }
    }
}
