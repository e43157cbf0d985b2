//! The rules, by what they are about.

pub mod bodies;
pub mod descriptions;
pub mod expiry;
pub mod listing;
pub mod many;
pub mod metrics;
pub mod overwriting;
pub mod preconditions;
pub mod ranges;
pub mod refusals;
pub mod round_trip;
pub mod uploads;
pub mod verify;
