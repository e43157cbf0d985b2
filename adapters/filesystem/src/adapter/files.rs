//! The file system calls that the store is made of: some of `wasi:filesystem`'s.
//!
//! Paths are relative, to the store's directory where no other is named.

use crate::adapter::failure::Failure;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// When it was last written, in milliseconds since 1970; 0 if nobody knows.
    pub modified_ms: u64,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a file.
    pub is_file: bool,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// A file system, from the store's directory down.
pub(crate) trait Files {
    /// An open directory: the same one, whatever it is called by then. Once it was removed,
    /// nothing can be put into it.
    type Directory;
    /// An open file: the same one, whatever it is called by then.
    type File;

    /// The store's directory.
    fn root(&self) -> &Self::Directory;

    /// What a path names.
    async fn stat(&self, path: &str) -> Result<Stat, Failure>;

    /// Makes a directory; [`Failure::Taken`] if something is there.
    async fn make_directory(&self, path: &str) -> Result<(), Failure>;

    /// Opens a directory.
    async fn open_directory(&self, path: &str) -> Result<Self::Directory, Failure>;

    /// Opens a file for reading; gives its size as well.
    async fn open(&self, path: &str) -> Result<(Self::File, u64), Failure>;

    /// Makes a file and opens it for writing; [`Failure::Taken`] if something is there.
    async fn create(&self, at: &Self::Directory, name: &str) -> Result<Self::File, Failure>;

    /// Reads `count` bytes from an offset on; an error if there are fewer.
    async fn read(&self, file: &Self::File, offset: u64, count: usize) -> Result<Vec<u8>, Failure>;

    /// Writes all of an empty file.
    async fn write(&self, file: &Self::File, bytes: Vec<u8>) -> Result<(), Failure>;

    /// Brings a file to disk.
    async fn sync(&self, file: &Self::File) -> Result<(), Failure>;

    /// Brings the names in a directory to disk; of the store's own for the empty path.
    async fn sync_directory(&self, path: &str) -> Result<(), Failure>;

    /// Renames at once. A file takes the place of a file, a directory that of an empty
    /// directory; one that is not empty is [`Failure::Taken`].
    async fn rename(
        &self,
        from: (&Self::Directory, &str),
        to: (&Self::Directory, &str),
    ) -> Result<(), Failure>;

    /// Removes a file.
    async fn remove_file(&self, at: &Self::Directory, path: &str) -> Result<(), Failure>;

    /// Removes an empty directory.
    async fn remove_directory(&self, path: &str) -> Result<(), Failure>;

    /// What is in a directory, in no order. Entries that come and go meanwhile may be
    /// among them, every other one is.
    async fn entries(&self, path: &str) -> Result<Vec<Entry>, Failure>;
}
