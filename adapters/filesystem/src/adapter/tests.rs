//! The adapter on a real file system, without a component between: writers whose calls are
//! interleaved by chance, who are stopped in the middle, or never come back.

mod chance;
mod claiming;
mod history;
mod native;
mod syncing;
mod tidying;
