//! Real servers on loopback: NSD for DNS, for mail Postfix, Exim and OpenSMTPD, and Postgres, each with a configuration
//! of its own in a temporary folder. The installed ones, should they run, are neither used nor disturbed.

pub mod daemon;
pub mod dns;
pub mod exim;
pub mod greeting;
pub mod lab;
pub mod map;
pub mod namespace;
pub mod opensmtpd;
pub mod places;
pub mod postfix;
pub mod postgres;
pub mod postgrey;
pub mod sessions;
pub mod tls;
pub mod unpacked;

pub use lab::Lab;
