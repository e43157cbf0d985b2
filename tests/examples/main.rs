//! The examples, each built and run.

mod node;
mod programs;
mod spin;
