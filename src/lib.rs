//! A streaming chunk store over any key-value store.
//!
//! Modules in the order data flows.

pub mod clock;
pub mod error;
pub mod kv;
pub mod object;
pub mod range;
