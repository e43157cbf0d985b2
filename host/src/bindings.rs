//! Generated types of the host's side, and what they become. Named here, in
//! `instance`, `body` and `store`, and nowhere in the public interface.

use bytes::Bytes;
use chunk_store::error::Error;
use chunk_store::kv::{Condition, KeyPage, KvError, KvLimits, Outcome, SetOptions};
use chunk_store::metrics::{Histogram, Sample, Snapshot};
use chunk_store::object;
use chunk_store::range::{ByteRange, Span};
use chunk_store::stripe::Stripe;

pub(crate) use self::exports::streaming::chunk_store::{
    maintenance, metrics, objects, sweeping, uploads,
};
pub(crate) use self::streaming::chunk_store::{kv, types};

// What the macro writes is not ours to document.
#[allow(missing_docs)]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "store",
        with: {
            "wasi": wasmtime_wasi::p3::bindings,
        },
        // So that functions that are not async are called like the others.
        exports: { default: async | store },
    });
}
pub(crate) use generated::*;

impl From<object::PutOptions> for objects::PutOptions {
    fn from(options: object::PutOptions) -> Self {
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

impl From<object::GetOptions> for objects::GetOptions {
    fn from(options: object::GetOptions) -> Self {
        Self {
            range: options.range.map(|range| match range {
                ByteRange::Between(start, end) => {
                    types::ByteRange::Between(types::Span { start, end })
                }
                ByteRange::From(start) => types::ByteRange::From(start),
                ByteRange::Last(count) => types::ByteRange::Last(count),
            }),
            precondition: options.precondition.map(Into::into),
            stripe: options.stripe.map(|Stripe { run_bytes, of, index }| objects::Stripe {
                run_bytes,
                of,
                index,
            }),
        }
    }
}

impl From<object::ListOptions> for objects::ListOptions {
    fn from(options: object::ListOptions) -> Self {
        Self {
            prefix: options.prefix,
            delimiter: options.delimiter,
            cursor: options.cursor,
            limit: options.limit,
            details: options.details,
        }
    }
}

impl From<object::Precondition> for types::Precondition {
    fn from(precondition: object::Precondition) -> Self {
        match precondition {
            object::Precondition::Absent => Self::Absent,
            object::Precondition::Exists => Self::Exists,
            object::Precondition::EtagIn(etags) => Self::EtagIn(etags),
            object::Precondition::EtagNotIn(etags) => Self::EtagNotIn(etags),
            object::Precondition::GenerationIs(generation) => Self::GenerationIs(generation),
        }
    }
}

impl From<types::ObjectInfo> for object::ObjectInfo {
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

impl From<objects::Content> for object::Content {
    fn from(content: objects::Content) -> Self {
        let types::Span { start, end } = content.part;
        Self { info: content.info.into(), part: Span { start, end } }
    }
}

impl From<objects::ObjectPage> for object::ObjectPage {
    fn from(page: objects::ObjectPage) -> Self {
        let summary = |summary: objects::ObjectSummary| object::ObjectSummary {
            size: summary.size,
            etag: summary.etag,
            modified: summary.modified,
            expires: summary.expires,
            content_type: summary.content_type,
        };
        let listed = |listed: objects::ListedObject| object::ListedObject {
            key: listed.key,
            summary: listed.summary.map(summary),
            info: listed.info.map(Into::into),
        };
        Self {
            objects: page.objects.into_iter().map(listed).collect(),
            prefixes: page.prefixes,
            cursor: page.cursor,
        }
    }
}

impl From<types::UploadStatus> for object::UploadStatus {
    fn from(status: types::UploadStatus) -> Self {
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

impl From<uploads::UploadPage> for object::UploadPage {
    fn from(page: uploads::UploadPage) -> Self {
        let uploads = page.uploads.into_iter().map(|(name, status)| (name, status.into()));
        Self { uploads: uploads.collect(), cursor: page.cursor }
    }
}

impl From<maintenance::VerifyReport> for object::VerifyReport {
    fn from(report: maintenance::VerifyReport) -> Self {
        Self {
            chunks: report.chunks,
            bytes: report.bytes,
            problems: report.problems,
            problems_omitted: report.problems_omitted,
        }
    }
}

impl From<object::SweepOptions> for sweeping::SweepOptions {
    fn from(options: object::SweepOptions) -> Self {
        Self {
            grace_seconds: options.grace_seconds,
            no_writers: options.no_writers,
            operations_max: options.operations_max,
            cursor: options.cursor,
            dry_run: options.dry_run,
        }
    }
}

impl From<sweeping::SweepReport> for object::SweepReport {
    fn from(report: sweeping::SweepReport) -> Self {
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

impl From<KvError> for kv::Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Unavailable(why) => Self::Unavailable(why),
            KvError::Throttled(ms) => Self::Throttled(ms),
            KvError::Rejected(why) => Self::Rejected(why),
        }
    }
}

impl From<KvLimits> for kv::Limits {
    fn from(limits: KvLimits) -> Self {
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

impl From<kv::Condition> for Condition {
    fn from(condition: kv::Condition) -> Self {
        match condition {
            kv::Condition::Absent => Self::Absent,
            kv::Condition::VersionIs(version) => Self::VersionIs(version),
        }
    }
}

impl From<kv::SetOptions> for SetOptions {
    fn from(options: kv::SetOptions) -> Self {
        Self {
            ttl_seconds: options.ttl_seconds,
            condition: options.condition.map(Into::into),
            summary: options.summary.map(Bytes::from),
            durable: options.durable,
        }
    }
}

impl From<Outcome> for kv::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Stale => Self::Stale,
        }
    }
}

impl From<KeyPage> for kv::KeyPage {
    fn from(page: KeyPage) -> Self {
        let listed = |key: chunk_store::kv::ListedKey| kv::ListedKey {
            key: key.key,
            summary: key.summary.map(Vec::from),
        };
        Self { keys: page.keys.into_iter().map(listed).collect(), cursor: page.cursor }
    }
}

impl From<metrics::Snapshot> for Snapshot {
    fn from(snapshot: metrics::Snapshot) -> Self {
        let samples = |all: Vec<metrics::Sample>| all.into_iter().map(Into::into).collect();
        Self {
            counters: samples(snapshot.counters),
            gauges: samples(snapshot.gauges),
            histograms: snapshot.histograms.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<metrics::Sample> for Sample {
    fn from(metrics::Sample { name, labels, value }: metrics::Sample) -> Self {
        Self { name, labels, value }
    }
}

impl From<metrics::Histogram> for Histogram {
    fn from(histogram: metrics::Histogram) -> Self {
        let metrics::Histogram { name, labels, buckets, sum, count } = histogram;
        Self { name, labels, buckets, sum, count }
    }
}
