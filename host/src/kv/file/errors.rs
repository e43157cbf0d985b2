//! The operating system's errors as kv errors that say what to do.

use std::io::{Error, ErrorKind};
use std::path::Path;

use chunk_store::kv::KvError;
use chunk_store_filesystem::Obstacle;

/// What only whoever runs the store can end; `None` for errors that may go by themselves.
fn obstacle(kind: ErrorKind) -> Option<Obstacle> {
    Some(match kind {
        ErrorKind::StorageFull => Obstacle::StorageFull,
        ErrorKind::QuotaExceeded => Obstacle::QuotaExceeded,
        ErrorKind::PermissionDenied => Obstacle::PermissionDenied,
        ErrorKind::ReadOnlyFilesystem => Obstacle::ReadOnly,
        ErrorKind::FileTooLarge => Obstacle::FileTooLarge,
        ErrorKind::InvalidFilename => Obstacle::NameTooLong,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => Obstacle::InTheWay,
        ErrorKind::InvalidInput | ErrorKind::Unsupported => Obstacle::Unsupported,
        _ => return None,
    })
}

/// Whether reading may work all the same.
pub(super) fn may_not_write(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// What went wrong with a directory and what to do, in one line.
pub(super) fn reason(error: &Error) -> String {
    match obstacle(error.kind()) {
        Some(obstacle) => format!("{error}; {}", obstacle.advice()),
        None => error.to_string(),
    }
}

/// The error of an operation that was `doing` something in `directory`.
///
/// What only its owner can mend is rejected. All else, a failing disk and a lack
/// of file handles among it, may work when tried again, and tries are bounded.
pub(super) fn kv_error(error: &Error, doing: &str, directory: &Path) -> KvError {
    let line = format!("cannot {doing} in {}: {}", directory.display(), reason(error));
    match obstacle(error.kind()) {
        Some(_) => KvError::Rejected(line),
        None => KvError::Unavailable(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whether_to_try_again() {
        let directory = Path::new("/store");
        for (number, rejected) in [
            (28, true),  // ENOSPC
            (13, true),  // EACCES
            (30, true),  // EROFS
            (5, false),  // EIO
            (24, false), // EMFILE
            (23, false), // ENFILE
        ] {
            let error = kv_error(&Error::from_raw_os_error(number), "write", directory);
            assert_eq!(matches!(error, KvError::Rejected(_)), rejected, "{number}: {error}");
            assert!(error.to_string().starts_with("cannot write in /store: "));
        }
    }
}
