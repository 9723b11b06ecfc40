//! Real servers on loopback: NSD for DNS and Postfix for mail, each with a configuration of its own in a
//! temporary folder. The installed ones, should they run, are neither used nor disturbed.

pub mod daemon;
pub mod dns;
pub mod lab;
pub mod map;
pub mod postfix;

pub use lab::Lab;
