//! The host of plugins: stages that are WebAssembly components, written in any language after `wit/v1`.
//!
//! A plugin can neither harm nor slow the others. It gets what it was granted and nothing else, since nothing else is
//! linked; it has limits of processor time, memory, stack, output and host calls; and what it does wrong costs the
//! subjects at fault their fact, never their verdict.
//!
//! Only this crate knows the WebAssembly runtime. It decides nothing: what a plugin holds an address to be is a finding
//! among others.

mod bindings;
mod breaker;
mod compiled;
mod config;
mod configuration;
mod contained;
mod description;
mod error;
mod grants;
mod host;
mod inspection;
mod instance;
mod interface;
mod limits;
mod pool;
mod program;
mod room;
mod run;
mod source;
mod stage;
mod state;
mod subjects;
mod ticker;
mod version;

pub use config::{Grant, InstanceKind, PluginConfig};
pub use description::Description;
pub use error::{CallFault, PluginError};
pub use grants::Cache;
pub use host::Host;
pub use inspection::Inspection;
pub use limits::{FILE_OCTETS_MAX, SLOT_DEADLINE, TICK, WATCH_EVERY};
pub use source::{WIT, componentize, interface};
pub use stage::{PluginStats, WasmStage};
