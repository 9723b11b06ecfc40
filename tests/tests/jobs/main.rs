//! Jobs where something goes wrong: processes that are killed, stopped or asked to end, a database that goes away, chunks
//! that cannot be done. The program itself, in as many processes as it takes, and a Postgres for each test.
//!
//! What is random is drawn from a number that each test prints; `JOBS_SEED` sets it. `JOBS_KILLS` is how often processes
//! are killed, for a soak: some twenty times, if it is not set.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]
#![allow(clippy::print_stdout, reason = "a test that fails shows what was drawn")]

mod busy;
mod cancels;
mod clients;
mod conflicts;
mod deadlines;
mod disks;
mod downloads;
mod drains;
mod ends;
mod greylisting;
mod kills;
mod migrations;
mod outages;
mod poison;
mod repeats;
mod snapshots;
mod stops;
mod webhooks;
