//! What a guest can import: each interface a file, and what bounds their answers. Which of them are linked is decided when a plugin is loaded.

mod allowance;
mod cache;
mod clock;
mod config;
mod dns;
mod log;
mod wasi;

use allowance::Allowance;
pub use cache::Cache;
pub(crate) use cache::{CacheView, Client};
pub(crate) use dns::DnsQueries;
pub(crate) use log::{LogLines, redacted};
pub(crate) use wasi::{PACKAGES as WASI_PACKAGES, Wasi, link as link_wasi};
