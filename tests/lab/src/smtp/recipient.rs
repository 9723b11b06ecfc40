//! What becomes of a recipient: the limits first, as they protect the rest; then greylisting; then who it is.

use std::net::IpAddr;

use super::Server;
use crate::{host::Lie, pattern::fits};

/// A transaction: what came since MAIL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) sender: String,
    pub(super) utf8: bool,
    pub(super) accepted: u64,
    domain: Option<String>,
}

/// Who asks about a recipient, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) client: IpAddr,
    pub(super) transaction: &'a Transaction,
    /// Accepted in this session.
    pub(super) accepted: u64,
}

/// A reply to RCPT, to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) text: String,
    /// It is about the client's pace.
    pub(super) is_rate: bool,
}

impl Verdict {
    fn says(text: &str) -> Self {
        Self { text: text.to_owned(), is_rate: false }
    }
}

impl Transaction {
    pub(super) fn new(sender: &str, utf8: bool) -> Self {
        Self { sender: sender.to_owned(), utf8, ..Self::default() }
    }

    pub(super) fn accept(&mut self, recipient: &str) {
        self.accepted += 1;
        self.domain.get_or_insert_with(|| domain(recipient));
    }
}

impl Server {
    /// What to say about a recipient.
    pub(super) fn judge(&self, recipient: &str, asking: Asking<'_>) -> Verdict {
        if let Some(refusal) = self.limit(recipient, asking) {
            return Verdict::says(refusal);
        }
        if !self.memory.allows_recipient()
            && let Some(pace) = &self.host.limits.pace
        {
            return Verdict { is_rate: true, ..Verdict::says(&pace.text) };
        }
        if let Some(greylist) = &self.host.greylist {
            let wait = self.memory.wait(asking.client, &asking.transaction.sender, recipient, greylist.delay);
            if !wait.is_zero() {
                return Verdict::says(
                    &greylist.text.replace("{wait}", &wait.as_secs_f64().ceil().to_string()),
                );
            }
        }
        Verdict::says(self.word_about(recipient))
    }

    /// The refusal of a limit that is reached.
    fn limit(&self, recipient: &str, asking: Asking<'_>) -> Option<&str> {
        let (limits, transaction) = (&self.host.limits, asking.transaction);
        let is_reached = |limit: Option<u64>, count| limit.is_some_and(|limit| count >= limit);
        if is_reached(limits.recipients_per_session, asking.accepted)
            || is_reached(limits.recipients_per_transaction, transaction.accepted)
        {
            return Some(&limits.too_many_recipients);
        }
        if transaction.sender.is_empty() && is_reached(limits.recipients_of_bounce, transaction.accepted) {
            return Some("550 5.5.3 <{rcpt}>: Recipient address rejected: Multi-recipient bounce");
        }
        let is_other = transaction.domain.as_ref().is_some_and(|first| *first != domain(recipient));
        limits.one_domain.as_ref().filter(|_| is_other).map(|limit| &*limit.text)
    }

    /// What is true of a recipient, or a lie.
    fn word_about(&self, recipient: &str) -> &str {
        let host = &self.host;
        if let Some((_, reply)) = host.replies.iter().find(|(pattern, _)| fits(pattern, recipient)) {
            return reply;
        }
        let is_postmaster = host.postmaster && fits("postmaster@*", recipient);
        let exists = is_postmaster || host.accepts.iter().any(|pattern| fits(pattern, recipient));
        let word = |accepted| if accepted { &host.texts.accepted } else { &host.texts.unknown };
        let by_turns = |what| word(self.memory.times_asked(what).is_multiple_of(2));
        match host.lie {
            Some(Lie::AboutTheSame) => by_turns(recipient),
            Some(Lie::AboutStrangers) if !exists => by_turns("strangers"),
            _ => word(exists),
        }
    }
}

fn domain(recipient: &str) -> String {
    recipient.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase()
}
