//! The rules, by what they are about.

pub mod access;
pub mod conditions;
pub mod current;
pub mod following;
pub mod guards;
pub mod listing;
pub mod objects;
pub mod ranges;
pub mod refusals;
pub mod resolved;
pub mod stale;
pub mod unguarded;
pub mod uploads;
pub mod verbatim;
