//! Real processes of the program, killed at random moments; and a Redis that goes away
//! while it is used.
//!
//! Of a power failure nothing can be tried here: a process that is killed loses nothing
//! that it gave to the operating system.

mod kills;
mod outages;
#[path = "../cli/program.rs"]
mod program;
