//! A Spin app that keeps what it is sent, of any size: `PUT /KEY` stores a body, `GET /KEY` gives
//! it back. The bytes stream through; the app holds none of them.

#[cfg(target_family = "wasm")]
mod app;
