//! Jobs: what a client submits and does not wait for. Submitted in one transaction, cut into chunks, worked at by
//! whichever process has room, done by a deadline. docs/jobs.md tells the whole.
//!
//! | | |
//! |---|---|
//! | `submit` | inputs become a job, if it can be done in time |
//! | `sheet` | the file that a job is made from, on its way in |
//! | `extra` | what stands beside the addresses of that file |
//! | `duplicates` | rows that name the mailbox of an earlier one |
//! | `plan` | which items go together, when, and whether there is room: no clock, no store |
//! | `queue` | the tasks that workers take |
//! | `work` | a process that works: its queue, its keeper, its handlers |
//! | `opening` | whether an operator has room for one more chunk |
//! | `lessons`, `observer` | what probers learn, told to those of other processes and to the plan |
//! | `capacity` | what there is to plan with, as configured and as heard |
//! | `chunk` | the handler of a chunk: asks, records, defers |
//! | `item_id` | names of a job's rows |
//! | `forget`, `person` | somebody who wants it is removed from all of them; who is meant by an input |
//! | `retention` | what has been kept long enough is deleted |
//! | `ending`, `results` | how a job ends, and what there is to read of it |
//! | `download` | the file of a job, with its results in columns |
//! | `rows` | how items and verdicts are written down |
//! | `aside` | work for which others of a thread would wait |

pub(crate) mod aside;
pub(crate) mod capacity;
pub(crate) mod chunk;
pub(crate) mod config;
pub(crate) mod download;
pub(crate) mod duplicates;
pub(crate) mod ending;
pub(crate) mod estimate;
pub(crate) mod extra;
pub(crate) mod forget;
pub(crate) mod item_id;
pub(crate) mod lessons;
pub(crate) mod observer;
pub(crate) mod opening;
pub(crate) mod person;
pub mod plan;
pub(crate) mod queue;
pub(crate) mod results;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod sheet;
pub(crate) mod submit;
#[cfg(test)]
mod testing;
pub(crate) mod work;
