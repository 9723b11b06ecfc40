//! Jobs: what a client submits and does not wait for. Submitted in one transaction, cut into chunks, worked at by
//! whichever process has room, done by a deadline. docs/jobs.md tells the whole.
//!
//! | | |
//! |---|---|
//! | `submit` | inputs become a job, if it can be done in time |
//! | `plan` | which items go together, when, and whether there is room: no clock, no store |
//! | `queue` | the tasks that workers take |
//! | `work` | a process that works: its queue, its keeper, its handlers |
//! | `chunk` | the handler of a chunk: asks, records, defers |
//! | `ending`, `results` | how a job ends, and what there is to read of it |
//! | `rows` | how items and verdicts are written down |

pub(crate) mod capacity;
pub(crate) mod chunk;
pub(crate) mod config;
pub(crate) mod ending;
pub(crate) mod person;
pub mod plan;
pub(crate) mod queue;
pub(crate) mod results;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod submit;
pub(crate) mod work;
