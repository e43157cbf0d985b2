//! Why an operation on files failed, by what is to be done about it. Pure.

use std::fmt;

use chunk_store::kv::KvError;

use crate::Obstacle;

/// Why a call of the file system failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What it names, or a directory on the way there, is not there.
    NotFound,
    /// What it names is there, or is a directory that is not empty.
    Taken,
    /// Trying again would be of no use.
    Blocked(Obstacle),
    /// Trying again may help.
    Other(String),
}

impl Failure {
    /// The error of an operation that was `doing` something.
    pub fn kv_error(&self, doing: &str) -> KvError {
        let line = format!("cannot {doing} in the store's directory: {self}");
        match self {
            Self::Blocked(_) => KvError::Rejected(line),
            _ => KvError::Unavailable(line),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let obstacle = match self {
            Self::NotFound => return f.write_str("it, or a directory on its path, is gone"),
            Self::Taken => return f.write_str("something is there already"),
            Self::Other(why) => return f.write_str(why),
            Self::Blocked(obstacle) => obstacle,
        };
        let what = match obstacle {
            Obstacle::StorageFull => "no space is left",
            Obstacle::QuotaExceeded => "the quota is used up",
            Obstacle::PermissionDenied => "permission is denied",
            Obstacle::ReadOnly => "it is read-only",
            Obstacle::FileTooLarge => "the file is too large",
            Obstacle::NameTooLong => "the name is too long",
            Obstacle::InTheWay => "a file is no directory, or a directory no file",
            Obstacle::StrangeName => "a name cannot be read",
            Obstacle::Unsupported => "that is not supported",
        };
        write!(f, "{what}; {}", obstacle.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whether_to_try_again() {
        let full = Failure::Blocked(Obstacle::StorageFull).kv_error("write a value");
        let KvError::Rejected(line) = full else { panic!("{full:?}") };
        assert_eq!(
            line,
            "cannot write a value in the store's directory: no space is left; free space on its disk"
        );
        let broken = Failure::Other("the disk is broken".into()).kv_error("write a value");
        assert!(matches!(broken, KvError::Unavailable(_)), "{broken:?}");
    }
}
