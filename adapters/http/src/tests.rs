//! What of the rules of HTTP depends on settings, on the clock, on a platform that fails or
//! can do little, on what a host hands over. What can be seen from a base URL is in
//! `tests/http`, and not repeated here.

mod access;
mod bed;
mod crossing;
mod failing;
mod following;
mod hostile;
mod inside;
mod page;
mod reading;
mod uploading;
mod writing;
