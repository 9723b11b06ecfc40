//! The memory's seam: the stage `history` asks through [`History`] what an installation remembers of mailboxes; the
//! service answers from its store. What a memory means for a verdict is the judge's.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Address, BoxFuture};

/// Remembers mailboxes that refused mail for good.
pub trait History: Send + Sync {
    /// What is remembered of each address, in their order; all of them in one look-up.
    ///
    /// # Errors
    /// The memory cannot be asked. That nothing is remembered is an answer.
    fn recall<'a>(
        &'a self,
        addresses: &'a [&'a Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>>;
}

/// A mailbox that refused mail for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// How that is known.
    pub source: HistorySource,
    /// When it refused.
    pub seen_at: SystemTime,
}

/// How a memory came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistorySource {
    /// A message came back.
    Bounce,
    /// A mail server refused the recipient when we asked.
    Probe,
}

/// The memory cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HistoryError(
    /// Why; never holds an address.
    pub Box<str>,
);
