//! Between generated types and the core's, field by field: of what is exported.

use super::bindings::exports::streaming::chunk_store::{maintenance, objects, sweeping, uploads};
use super::bindings::streaming::chunk_store::types;
use crate::error::Error;
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
