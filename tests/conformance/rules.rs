//! The rules, by what they are about.

pub mod conditions;
pub mod expiry;
pub mod keys;
pub mod limits;
pub mod listing;
pub mod spans;
pub mod values;
