//! What a mail server bears from one client: the options under `limits`. All are off unless set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Accepted recipients in one transaction.
    pub recipients_per_transaction: Option<u64>,
    /// Accepted recipients in one session.
    pub recipients_per_session: Option<u64>,
    /// What one recipient more hears. A 421 ends the session.
    pub too_many_recipients: String,
    /// Recipients where the sender is `<>`: a bounce goes to one.
    pub recipients_of_bounce: Option<u64>,
    /// Recipients of one domain alone in a transaction.
    pub one_domain: Option<OneDomain>,
    /// Refused commands in a session, after which each further refusal costs a second (Postfix: 10).
    pub soft_errors: Option<u64>,
    /// Refused commands in a session, with which it ends: 421 4.7.0 (Postfix: 20).
    pub hard_errors: Option<u64>,
    /// Commands that are no part of a mail, such as RSET; with one more the session ends (Exim: 10).
    pub nonmail_commands: Option<u64>,
    /// Sessions at a time.
    pub sessions: Option<u64>,
    /// What one session more hears in place of the banner.
    pub too_many_sessions: String,
    /// Recipients in a time.
    pub pace: Option<Pace>,
    /// Transactions that cost nothing.
    pub flow: Option<Flow>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            recipients_per_transaction: None,
            recipients_per_session: None,
            too_many_recipients: "452 4.5.3 Error: too many recipients".into(),
            recipients_of_bounce: None,
            one_domain: None,
            soft_errors: None,
            hard_errors: None,
            nonmail_commands: None,
            sessions: None,
            too_many_sessions: "421 4.7.0 {host} Error: too many connections from {client}".into(),
            pace: None,
            flow: None,
        }
    }
}

/// Recipients of one domain alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneDomain {
    /// What a recipient of another one hears.
    pub text: String,
}

impl Default for OneDomain {
    fn default() -> Self {
        let text = "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again.";
        Self { text: text.into() }
    }
}

/// Recipients in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// So many.
    pub recipients: u64,
    /// In so long.
    #[serde(with = "humantime_serde")]
    pub per: Duration,
    /// How they are counted.
    pub window: Window,
    /// What one more hears. A 421 ends the session.
    pub text: String,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            recipients: 60,
            per: Duration::from_mins(1),
            window: Window::Fixed,
            text: "450 4.7.1 Error: too many recipients from {client}".into(),
        }
    }
}

/// How things in a time are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// From nought again after each interval, as Postfix's anvil does.
    Fixed,
    /// Those of the last interval, at any time.
    Sliding,
}

/// Postfix's `in_flow_delay`: a transaction with an accepted recipient takes a token that only delivery gives back.
/// Without one it costs time, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    /// Transactions that cost nothing.
    pub tokens: u64,
    /// What each further one costs.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
}

impl Default for Flow {
    fn default() -> Self {
        Self { tokens: 100, delay: Duration::from_secs(1) }
    }
}
