//! mailsonde as a product: it joins configuration, stages and engine, and gives them their surfaces.
//!
//! Only this crate knows JSON wire shapes, the command line, SQL and the queue. `main.rs` is a shell around [`cli::run`].

mod access;
mod assembly;
mod billing;
mod bounces;
pub mod cli;
mod csv;
mod facade;
mod formats;
mod http;
mod jobs;
mod metrics;
mod plugin;
mod reload;
mod row;
mod store;
mod tls;
mod verification;
mod verify;
mod webhooks;
mod words;

pub use assembly::{
    Assembled, Bereft, OFFLINE_SKIPS, Parts, STAGES, assemble, check, offline_skips, pipeline, policy,
};
pub use jobs::plan;
pub use reload::keep_plugins_fresh;
pub use verification::{Moment, Shape, Suggestion, Verification};
pub use verify::{Inputs, Marked, Order, Verified, Verifier};
pub use words::{Relentless, TasksVocabulary};
