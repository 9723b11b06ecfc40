//! Strange words: what a server says in place of the usual, to a command or as its greeting.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is said in place of the usual words. Options that are not set change nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Say {
    /// A reply. One that is not 2xx refuses the command; after 421 the connection ends.
    pub text: Option<String>,
    /// Octets as they stand, line ends included; `""` says nothing at all.
    pub raw: Option<String>,
    /// How often `raw` is said.
    pub times: u64,
    /// Time before the first octet.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// Time before every octet.
    #[serde(with = "humantime_serde")]
    pub drip: Duration,
    /// How the connection ends after it, if it does.
    pub then: Option<Ending>,
    /// The first so many such commands of a session get the usual reply.
    pub after: u64,
    /// Only in the first so many sessions.
    pub sessions: Option<u64>,
}

impl Default for Say {
    fn default() -> Self {
        Self {
            text: None,
            raw: None,
            times: 1,
            delay: Duration::ZERO,
            drip: Duration::ZERO,
            then: None,
            after: 0,
            sessions: None,
        }
    }
}

impl Say {
    /// What it says in place of the usual words.
    pub(crate) fn words(&self) -> Option<&str> {
        self.raw.as_deref().or(self.text.as_deref())
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// In good order.
    Close,
    /// By a TCP reset: words that are still under way are lost.
    Reset,
}
