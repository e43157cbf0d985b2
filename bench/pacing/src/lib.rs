//! The core of the store over a simulated kv, in virtual time: what its pacing reaches
//! beside what is possible. Nothing here takes longer on a slow machine, so the figures
//! are exact.

pub mod cell;
pub mod ends;
pub mod kv;
pub mod time;

// Only to have it built with what finds out the processor's abilities.
use blake3 as _;
