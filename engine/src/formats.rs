//! The memory of formats: how the addresses of domains are made of names, as counts and nothing else. The stage
//! `finder-permutation` asks through [`Formats`]; the service answers from what it has seen, and from its store.

use crate::{BoxFuture, HistoryError};

/// Formats of a domain's addresses and how many of each were seen, the older ones counted for less.
pub type FormatCounts = Vec<(Box<str>, f64)>;

/// Remembers how domains make addresses of names. Of whom an address is, nothing is kept.
pub trait Formats: Send + Sync {
    /// What is known of each domain (A-labels, lower case), in their order; all of them in one look-up.
    ///
    /// # Errors
    /// The memory cannot be asked. That nothing is known is an answer.
    fn recall<'a>(&'a self, domains: &'a [&'a str])
    -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>>;
}
