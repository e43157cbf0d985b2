//! The rules of HTTP behaviour: what is sent, and what comes back.
//!
//! Requests go to the gateway of `adapters/http` in this process, over a kv that can be
//! damaged. A body is read to its end, and how it ended is part of the answer: one that
//! ends in an error is one whose connection a server breaks.

mod rules;
mod server;
