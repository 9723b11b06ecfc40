//! The service as a whole, where something goes wrong: several processes on one Postgres that are killed one at a time, a
//! database that is in the way, clocks that differ, files that are short, receivers that are slow. And what operators type
//! while all of it is running.
//!
//! What is random is drawn from a number that each test prints; `JOBS_SEED` sets it. `JOBS_KILLS` is how often processes
//! are killed, for a soak.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]
#![allow(clippy::print_stdout, reason = "a test that fails shows what was drawn")]

mod callbacks;
mod clocks;
mod commands;
mod commits;
mod customers;
mod databases;
mod descriptors;
mod kills;
mod lanes;
mod tables;
