//! The command line, as a process: what it prints, how it ends, what it leaves behind.
//!
//! The program is built once, by the cargo that runs the tests, and run on empty
//! directories with an environment of its own.

mod commands;
mod copy;
mod damage;
mod failures;
mod following;
mod kills;
mod large;
mod outages;
mod partial;
mod processes;
mod program;
mod redis;
mod several;
mod stats;
mod uploads;
