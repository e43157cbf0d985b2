//! What stands in the way of a file operation until somebody takes it away. Pure.

/// What only whoever runs the store can take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The disk is full.
    StorageFull,
    /// The quota is used up.
    QuotaExceeded,
    /// Access is denied.
    PermissionDenied,
    /// The file system is mounted for reading.
    ReadOnly,
    /// A file may not be so large.
    FileTooLarge,
    /// A name or a path may not be so long.
    NameTooLong,
    /// A file stands where a directory belongs, or the other way round.
    InTheWay,
    /// A file's name is not UTF-8.
    StrangeName,
    /// The file system does not do that.
    Unsupported,
}

impl Obstacle {
    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::StorageFull => "free space on its disk",
            Self::QuotaExceeded => "raise the quota or delete something",
            Self::PermissionDenied => "give this user the right to read and write there",
            Self::ReadOnly => "mount its file system for writing",
            Self::FileTooLarge => "its file system or a ulimit does not take files this large",
            Self::NameTooLong => {
                "the path is too long for its file system: use shorter keys or a directory higher up"
            }
            Self::InTheWay => "something else stands where a value belongs: move it away",
            Self::StrangeName => "a file there has a name that is not UTF-8: move it away",
            Self::Unsupported => {
                "its file system does not do what the store needs: use another directory"
            }
        }
    }
}
