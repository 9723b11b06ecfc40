//! Webhooks: what is told to clients at addresses that they gave. A message is frozen when it comes about, sealed, and
//! delivered by whoever works, as a task of the queue, until somebody takes it or the schedule is over. At least once:
//! receivers tell repetitions by the message's id. docs/webhooks.md is for them.
//!
//! | | |
//! |---|---|
//! | `message` | what is told, and to whom; of the end of a job, what its product says |
//! | `each` | what is told of the rows of a task, one by one |
//! | `guard`, `resolver` | where messages may go: said at submission, and again at each connection |
//! | `secrets`, `signature` | how a receiver knows that it is from us (Standard Webhooks) |
//! | `delivery`, `courier`, `answer` | one try: its task, its request, what came back |
//! | `schedule` | when the next try is |
//! | `lanes` | how many go out at once: a host that does not answer, and a client with many, hold up nobody else |
//! | `config` | the table `[webhooks]` |

mod answer;
mod config;
mod courier;
mod delivery;
mod each;
pub(crate) mod guard;
mod lanes;
mod message;
mod resolver;
mod schedule;
pub(crate) mod secrets;
mod signature;
#[cfg(test)]
mod testing;

pub(crate) use self::{
    config::WebhooksConfig,
    courier::Courier,
    delivery::{CLOCK_MAX, deliver},
    each::Each,
    guard::Guard,
    message::{Message, callback_of, of_job},
};
