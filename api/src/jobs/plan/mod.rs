//! The plan of a job: how it is cut into chunks, when each is due, and whether there is room for it at all.
//!
//! All of it is arithmetic: no SQL, no clock, no sockets. The simulation drives a day of jobs through it.

pub mod admission;
pub mod capacity;
pub mod cut;
pub mod schedule;
pub mod simulation;
