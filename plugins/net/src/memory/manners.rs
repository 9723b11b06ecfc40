//! Manners: how hosts want to be asked, as they have shown.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Manners {
    /// They refuse everything before TLS.
    pub(crate) needs_tls: bool,
    /// They offer PIPELINING and cannot do it.
    pub(crate) lockstep: bool,
    /// They take recipients of one domain alone in a transaction.
    pub(crate) one_domain: bool,
    /// Recipients that they take in a transaction.
    pub(crate) recipients_per_transaction: Option<usize>,
    /// Recipients that they answer in a session.
    pub(crate) recipients_per_session: Option<usize>,
    /// Refused recipients that they bear in a session.
    pub(crate) rejects_per_session: Option<usize>,
    /// They hung up once, after so many recipients. The next time it is taken for a limit.
    pub(crate) dropped_after: Option<usize>,
}

impl Manners {
    /// What others have learned, and besides what they have not.
    pub(crate) fn joined(self, others: Self) -> Self {
        Self {
            needs_tls: self.needs_tls || others.needs_tls,
            lockstep: self.lockstep || others.lockstep,
            one_domain: self.one_domain || others.one_domain,
            recipients_per_transaction: others.recipients_per_transaction.or(self.recipients_per_transaction),
            recipients_per_session: others.recipients_per_session.or(self.recipients_per_session),
            rejects_per_session: others.rejects_per_session.or(self.rejects_per_session),
            dropped_after: others.dropped_after.or(self.dropped_after),
        }
    }
}
