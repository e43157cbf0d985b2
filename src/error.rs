//! What can go wrong, by what the caller does next. `docs/errors.md` maps each
//! case to an exit code and an HTTP status.

use crate::kv::KvError;
use crate::object::ObjectInfo;

/// The error of every operation; mirrors `types.error` of the WIT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such object or upload, or it has expired.
    #[error("no such object")]
    NotFound,
    /// The precondition does not hold. Carries the object there is, if any.
    #[error("the precondition does not hold: {}", describe_current(.0.as_deref()))]
    PreconditionFailed(Option<Box<ObjectInfo>>),
    /// No byte of the object is in the range. Carries the object's size.
    #[error("no byte of the object is in the range; it has {0} bytes")]
    RangeNotSatisfiable(u64),
    /// The arguments can never work.
    #[error("{0}")]
    InvalidArgument(String),
    /// The platform cannot hold it.
    #[error("{0}")]
    LimitExceeded(String),
    /// The body was not what was announced, or its source failed; nothing was
    /// committed.
    #[error("{0}; nothing was stored")]
    BodyMismatch(String),
    /// The upload stands at another offset (carried).
    #[error("the upload stands at byte {0}; go on from there")]
    OffsetMismatch(u64),
    /// The object was replaced or deleted while it was read.
    #[error("the object was replaced or deleted while it was read; read it again")]
    Replaced,
    /// Stored bytes are missing or are not the ones that were written.
    #[error("{0}")]
    Corrupt(String),
    /// The store below cannot serve now; try again after so many milliseconds.
    #[error("{0}")]
    Unavailable(String, Option<u64>),
    /// The last write may or may not have taken effect.
    #[error("{0}; the write may or may not have taken effect: look, then decide")]
    Uncertain(String),
    /// This platform cannot do that.
    #[error("{0}")]
    Unsupported(String),
    /// The store below refuses; the same call will not work later.
    #[error("{0}")]
    Denied(String),
}

impl Error {
    /// The case's name, as in the WIT and `docs/errors.md`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::PreconditionFailed(_) => "precondition-failed",
            Self::RangeNotSatisfiable(_) => "range-not-satisfiable",
            Self::InvalidArgument(_) => "invalid-argument",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::BodyMismatch(_) => "body-mismatch",
            Self::OffsetMismatch(_) => "offset-mismatch",
            Self::Replaced => "replaced",
            Self::Corrupt(_) => "corrupt",
            Self::Unavailable(..) => "unavailable",
            Self::Uncertain(_) => "uncertain",
            Self::Unsupported(_) => "unsupported",
            Self::Denied(_) => "denied",
        }
    }
}

fn describe_current(current: Option<&ObjectInfo>) -> String {
    match current {
        None => "there is no such object".to_string(),
        Some(info) => format!("the object there has etag {}", info.etag),
    }
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Unavailable(why) => Error::Unavailable(why, None),
            KvError::Throttled(ms) => {
                Error::Unavailable("the store below is throttling".to_string(), Some(ms))
            }
            KvError::Rejected(why) => Error::Denied(why),
        }
    }
}
