//! A day of jobs in virtual time, from a seed: how many accepted jobs keep their deadlines, and how many were refused that
//! could have been kept.
//!
//! Cutting, schedule and admission are the product's. The queue and the mail servers are small models: a queue in the
//! order of virtual deadlines with a cap for each client, leases and snoozes; operators whose sessions serve the
//! chunks at work, first claimed first, that are slow for hours, and greylist. It knows no SQL, no SMTP and no single reply.

mod day;
mod load;
mod options;
mod queue;
mod random;
mod report;
mod world;

pub use self::{
    load::Scenario,
    options::{Faults, Options, Population, Site},
    random::Random,
    report::{Figures, examine},
};
