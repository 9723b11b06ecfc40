//! Hostile, broken and merely odd guests, each with the result that the host promises. All run in a real pipeline
//! between two neighbours, whose findings no guest may touch.

#![allow(clippy::unwrap_used)] // tests, and what they share

#[path = "../guest/mod.rs"]
mod guest;

mod answers;
mod binary;
mod files;
mod floods;
mod imports;
mod lifetime;
mod log;
mod memory;
mod pipeline;
mod poison;
mod reload;
mod time;
