//! The operating system's errors as kv errors that say what to do.

use std::io::{Error, ErrorKind};
use std::path::Path;

use chunk_store::kv::KvError;

/// What to do about errors that only whoever runs the store can end; `None` for
/// those that may go by themselves.
fn advice(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::StorageFull => "free space on its disk",
        ErrorKind::QuotaExceeded => "raise the quota or delete something",
        ErrorKind::PermissionDenied => "give this user the right to read and write there",
        ErrorKind::ReadOnlyFilesystem => "mount its file system for writing",
        ErrorKind::FileTooLarge => "its file system or a ulimit does not take files this large",
        ErrorKind::InvalidFilename => {
            "the path is too long for its file system: use shorter keys or a directory higher up"
        }
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            "something else stands where a value belongs: move it away"
        }
        ErrorKind::InvalidInput | ErrorKind::Unsupported => {
            "its file system does not do what the store needs: use another directory"
        }
        _ => return None,
    })
}

/// What went wrong with a directory and what to do, in one line.
pub(super) fn reason(error: &Error) -> String {
    match advice(error.kind()) {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

/// The error of an operation that was `doing` something in `directory`.
///
/// What only its owner can mend is rejected. All else, a failing disk and a lack
/// of file handles among it, may work when tried again, and tries are bounded.
pub(super) fn kv_error(error: &Error, doing: &str, directory: &Path) -> KvError {
    let line = format!("cannot {doing} in {}: {}", directory.display(), reason(error));
    match advice(error.kind()) {
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
