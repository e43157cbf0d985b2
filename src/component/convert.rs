//! Between generated types and the core's, field by field.

use bytes::Bytes;

use super::bindings::exports::streaming::chunk_store::{
    maintenance, metrics, objects, sweeping, uploads,
};
use super::bindings::streaming::chunk_store::{kv as imported, types};
use crate::error::Error;
use crate::kv::{Condition, Entry, KeyPage, KvError, KvLimits, ListedKey, Outcome};
use crate::metrics::{Ended, Histogram, Operation, Sample, Snapshot};
use crate::object::{
    Content, GetOptions, ListOptions, ListedObject, ObjectInfo, ObjectPage, ObjectSummary,
    Precondition, PutOptions, SweepOptions, SweepReport, UploadPage, UploadStatus, VerifyReport,
};
use crate::range::{ByteRange, Span};
use crate::stripe::Stripe;

impl From<objects::PutOptions> for PutOptions {
    fn from(options: objects::PutOptions) -> Self {
        Self {
            size: options.size,
            digest: options.digest,
            content_type: options.content_type,
            metadata: options.metadata,
            ttl_seconds: options.ttl_seconds,
            precondition: options.precondition.map(Into::into),
            inline_bytes_max: options.inline_bytes_max,
            chunk_bytes_max: options.chunk_bytes_max,
            deadline_seconds: options.deadline_seconds,
        }
    }
}

impl From<objects::GetOptions> for GetOptions {
    fn from(options: objects::GetOptions) -> Self {
        Self {
            range: options.range.map(Into::into),
            precondition: options.precondition.map(Into::into),
            stripe: options.stripe.map(|objects::Stripe { run_bytes, of, index }| Stripe {
                run_bytes,
                of,
                index,
            }),
        }
    }
}

impl From<objects::ListOptions> for ListOptions {
    fn from(options: objects::ListOptions) -> Self {
        Self {
            prefix: options.prefix,
            delimiter: options.delimiter,
            cursor: options.cursor,
            limit: options.limit,
            details: options.details,
        }
    }
}

impl From<types::ByteRange> for ByteRange {
    fn from(range: types::ByteRange) -> Self {
        match range {
            types::ByteRange::Between(span) => ByteRange::Between(span.start, span.end),
            types::ByteRange::From(start) => ByteRange::From(start),
            types::ByteRange::Last(count) => ByteRange::Last(count),
        }
    }
}

impl From<types::Precondition> for Precondition {
    fn from(precondition: types::Precondition) -> Self {
        match precondition {
            types::Precondition::Absent => Precondition::Absent,
            types::Precondition::Exists => Precondition::Exists,
            types::Precondition::EtagIn(etags) => Precondition::EtagIn(etags),
            types::Precondition::EtagNotIn(etags) => Precondition::EtagNotIn(etags),
            types::Precondition::GenerationIs(generation) => Precondition::GenerationIs(generation),
        }
    }
}

impl From<ObjectInfo> for types::ObjectInfo {
    fn from(info: ObjectInfo) -> Self {
        Self {
            key: info.key,
            size: info.size,
            digest: info.digest,
            etag: info.etag,
            generation: info.generation,
            content_type: info.content_type,
            metadata: info.metadata,
            modified: info.modified,
            expires: info.expires,
            chunks: info.chunks,
        }
    }
}

impl From<types::ObjectInfo> for ObjectInfo {
    fn from(info: types::ObjectInfo) -> Self {
        Self {
            key: info.key,
            size: info.size,
            digest: info.digest,
            etag: info.etag,
            generation: info.generation,
            content_type: info.content_type,
            metadata: info.metadata,
            modified: info.modified,
            expires: info.expires,
            chunks: info.chunks,
        }
    }
}

impl From<Content> for objects::Content {
    fn from(content: Content) -> Self {
        let Span { start, end } = content.part;
        Self { info: content.info.into(), part: types::Span { start, end } }
    }
}

impl From<ObjectSummary> for objects::ObjectSummary {
    fn from(summary: ObjectSummary) -> Self {
        Self {
            size: summary.size,
            etag: summary.etag,
            modified: summary.modified,
            expires: summary.expires,
            content_type: summary.content_type,
        }
    }
}

impl From<ListedObject> for objects::ListedObject {
    fn from(object: ListedObject) -> Self {
        Self {
            key: object.key,
            summary: object.summary.map(Into::into),
            info: object.info.map(Into::into),
        }
    }
}

impl From<ObjectPage> for objects::ObjectPage {
    fn from(page: ObjectPage) -> Self {
        Self {
            objects: page.objects.into_iter().map(Into::into).collect(),
            prefixes: page.prefixes,
            cursor: page.cursor,
        }
    }
}

impl From<UploadStatus> for types::UploadStatus {
    fn from(status: UploadStatus) -> Self {
        Self {
            key: status.key,
            offset: status.offset,
            size: status.size,
            digest: status.digest,
            started: status.started,
            deadline: status.deadline,
            sealed: status.sealed,
        }
    }
}

impl From<UploadPage> for uploads::UploadPage {
    fn from(page: UploadPage) -> Self {
        let uploads = page.uploads.into_iter().map(|(name, status)| (name, status.into()));
        Self { uploads: uploads.collect(), cursor: page.cursor }
    }
}

impl From<VerifyReport> for maintenance::VerifyReport {
    fn from(report: VerifyReport) -> Self {
        Self {
            chunks: report.chunks,
            bytes: report.bytes,
            problems: report.problems,
            problems_omitted: report.problems_omitted,
        }
    }
}

impl From<sweeping::SweepOptions> for SweepOptions {
    fn from(options: sweeping::SweepOptions) -> Self {
        Self {
            grace_seconds: options.grace_seconds,
            no_writers: options.no_writers,
            operations_max: options.operations_max,
            cursor: options.cursor,
            dry_run: options.dry_run,
        }
    }
}

impl From<SweepReport> for sweeping::SweepReport {
    fn from(report: SweepReport) -> Self {
        Self {
            segments_examined: report.segments_examined,
            segments_condemned: report.segments_condemned,
            segments_deleted: report.segments_deleted,
            chunks_deleted: report.chunks_deleted,
            objects_expired: report.objects_expired,
            uploads_deleted: report.uploads_deleted,
            cursor: report.cursor,
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::PreconditionFailed(info) => {
                Self::PreconditionFailed(info.map(|info| (*info).into()))
            }
            Error::RangeNotSatisfiable(size) => Self::RangeNotSatisfiable(size),
            Error::InvalidArgument(why) => Self::InvalidArgument(why),
            Error::LimitExceeded(why) => Self::LimitExceeded(why),
            Error::BodyMismatch(why) => Self::BodyMismatch(why),
            Error::OffsetMismatch(offset) => Self::OffsetMismatch(offset),
            Error::Replaced => Self::Replaced,
            Error::Corrupt(why) => Self::Corrupt(why),
            Error::Unavailable(why, wait_ms) => Self::Unavailable((why, wait_ms)),
            Error::Uncertain(why) => Self::Uncertain(why),
            Error::Unsupported(why) => Self::Unsupported(why),
            Error::Denied(why) => Self::Denied(why),
        }
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::NotFound => Self::NotFound,
            types::Error::PreconditionFailed(info) => {
                Self::PreconditionFailed(info.map(|info| Box::new(info.into())))
            }
            types::Error::RangeNotSatisfiable(size) => Self::RangeNotSatisfiable(size),
            types::Error::InvalidArgument(why) => Self::InvalidArgument(why),
            types::Error::LimitExceeded(why) => Self::LimitExceeded(why),
            types::Error::BodyMismatch(why) => Self::BodyMismatch(why),
            types::Error::OffsetMismatch(offset) => Self::OffsetMismatch(offset),
            types::Error::Replaced => Self::Replaced,
            types::Error::Corrupt(why) => Self::Corrupt(why),
            types::Error::Unavailable((why, wait_ms)) => Self::Unavailable(why, wait_ms),
            types::Error::Uncertain(why) => Self::Uncertain(why),
            types::Error::Unsupported(why) => Self::Unsupported(why),
            types::Error::Denied(why) => Self::Denied(why),
        }
    }
}

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
