//! What a command fails with: one line for people, a name for scripts, an exit code.
//! `docs/errors.md` is the table.

use chunk_store::error::Error as StoreError;
use chunk_store_host::Error;
use chunk_store_host::kv::OpenError;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The name of the case, as in the WIT.
    pub name: &'static str,
    /// One line: what is wrong and what to do.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A file or stream on this machine.
    pub fn local(message: impl Into<String>) -> Self {
        Self { name: "local", message: message.into(), code: 1 }
    }

    /// Arguments that can never work.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { name: "invalid-argument", message: message.into(), code: 2 }
    }

    /// An error of an operation on the object `key`.
    pub fn of(key: &str, error: Error) -> Self {
        let failure = Self::from(error);
        // Messages of these name the object, or have nothing to do with it.
        let named = failure.message.contains(&format!("{key:?}"));
        if named || matches!(failure.name, "trap" | "start" | "invalid-argument") {
            return failure;
        }
        Self { message: format!("{key:?}: {}", failure.message), ..failure }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (name, code) = match &error {
            Error::Store(error) => (error.name(), code(error)),
            Error::Source(_) => ("body-mismatch", 7),
            Error::Trap(_) => ("trap", 15),
            Error::Start(_) => ("start", 15),
        };
        Self { name, message: error.to_string(), code }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (name, code) = match &error {
            OpenError::Missing { .. } => ("not-found", 3),
            OpenError::Directory { .. } | OpenError::Denied { .. } => ("denied", 14),
            OpenError::Unreachable { .. } => ("unavailable", 11),
            _ => ("invalid-argument", 2),
        };
        Self { name, message: error.to_string(), code }
    }
}

fn code(error: &StoreError) -> u8 {
    match error {
        StoreError::InvalidArgument(_) => 2,
        StoreError::NotFound => 3,
        StoreError::PreconditionFailed(_) => 4,
        StoreError::RangeNotSatisfiable(_) => 5,
        StoreError::LimitExceeded(_) => 6,
        StoreError::BodyMismatch(_) => 7,
        StoreError::OffsetMismatch(_) => 8,
        StoreError::Replaced => 9,
        StoreError::Corrupt(_) => 10,
        StoreError::Unavailable(..) => 11,
        StoreError::Uncertain(_) => 12,
        StoreError::Unsupported(_) => 13,
        StoreError::Denied(_) => 14,
    }
}
