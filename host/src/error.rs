//! What an operation can end with beyond the store's own errors.

/// Why an operation of a [`ChunkStore`](crate::ChunkStore) failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store says so.
    #[error(transparent)]
    Store(#[from] chunk_store::error::Error),
    /// The source of a body that is added to an upload failed. What came of it is kept.
    #[error("the source of the body failed: {0}")]
    Source(String),
    /// The guest trapped, and took every operation of its instance along. What was
    /// not committed is not stored; the next operation gets a fresh instance.
    #[error("the store's component failed: {0}; try again")]
    Trap(String),
    /// The component could not be started.
    #[error("the store's component cannot be started: {0}")]
    Start(String),
}
