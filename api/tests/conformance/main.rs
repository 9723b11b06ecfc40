//! What every stage keeps to, the built-in ones and plugins alike: the laws, and in `stages.rs` the list of those that
//! are held to them.

#![allow(clippy::unwrap_used)] // tests, and what they share

#[path = "../../../plugins/wasm/tests/guest/mod.rs"]
mod guest;

mod laws;
mod stages;
mod world;
