//! The rules of HTTP, by what is sent and what comes back.

mod access;
mod bed;
mod conditional;
mod crossing;
mod failing;
mod following;
mod hostile;
mod inside;
mod page;
mod reading;
mod uploading;
mod writing;
