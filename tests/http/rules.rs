//! The rules, by what they are about.

mod access;
mod conditions;
mod failures;
mod listing;
mod objects;
mod ranges;
mod uploads;
