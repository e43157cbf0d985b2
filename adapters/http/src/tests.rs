//! The rules of HTTP, by what is sent and what comes back.
