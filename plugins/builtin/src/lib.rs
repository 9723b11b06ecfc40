//! The built-in stages, one file each: what it is, its configuration, its behaviour and its tests together.
//!
//! Stages find facts and never decide. They never import each other; what they share is data ([`lists`]), and how
//! addresses, people and formats are read ([`grammar`], [`person`], [`names`], [`formats`]). Those that need the network ask
//! through the engine's traits, so that nothing here opens a socket.

pub mod alias;
pub mod disposable;
pub mod dns;
pub mod domain_trust;
#[cfg(test)]
mod fake_dns;
pub mod finder_permutation;
pub mod formats;
pub mod free_provider;
pub mod grammar;
pub mod history;
pub mod lists;
pub mod names;
mod per_domain;
pub mod person;
pub mod random_pattern;
pub mod reverse_dns;
pub mod role;
pub mod smtp_probe;
pub mod syntax;
pub mod typo;
