//! What is learned of how domains make addresses of names: counts of formats, from mailboxes that were accepted, and nothing
//! of whom they are. A command remembers for as long as it runs; the service, in its store (`store::formats`).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use mailsonde_builtin::formats::{Format, formats_of};
use mailsonde_engine::{
    Address, BoxFuture, Finding, FormatCounts, Formats, HistoryError, MailboxState, Verdict,
};

/// Domains that a command remembers. With more, those are forgotten of which least is known.
const DOMAINS_MAX: usize = 100_000;

/// A format that was seen at a domain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// The domain: A-labels, lower case.
    pub(crate) domain: Box<str>,
    /// The format's word.
    pub(crate) format: Box<str>,
    /// How sure it is, up to 1.
    pub(crate) weight: f64,
}

/// What a verdict tells of its domain's formats: of a person who was found, the format; of another address, those that it
/// looks like. Nothing where anybody can have any address, or nobody answers to it.
pub(crate) fn told_by(verdict: &Verdict) -> Vec<Seen> {
    let flags = verdict.judgement.flags;
    let is_telling = verdict.judgement.mailbox == MailboxState::Accepted
        && flags.role.is_none()
        && !flags.is_free_provider
        && !flags.is_disposable
        && !flags.is_random;
    let Some(address) = verdict.address.as_ref().filter(|_| is_telling) else { return Vec::new() };
    let found = verdict.evidence.findings().find_map(|finding| match finding {
        Finding::Candidate(guess) => Some(guess.format.clone()),
        _ => None,
    });
    match found {
        Some(format) => vec![Seen { domain: address.domain().into(), format, weight: 1.0 }],
        None => looks(address),
    }
}

/// The formats that an address looks like.
fn looks(address: &Address) -> Vec<Seen> {
    let domain = address.domain();
    let seen = |(format, weight): (Format, f64)| Seen {
        domain: domain.into(),
        format: format.word().into(),
        weight,
    };
    formats_of(address.local()).into_iter().map(seen).collect()
}

/// The memory of a command.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    domains: Mutex<HashMap<Box<str>, FormatCounts>>,
}

impl Remembered {
    /// Learns from verdicts.
    pub(crate) fn learn<'v>(&self, verdicts: impl IntoIterator<Item = &'v Verdict>) {
        self.note(verdicts.into_iter().flat_map(told_by));
    }

    /// Learns from an address that somebody knows to be right.
    pub(crate) fn learn_from(&self, colleague: &Address) {
        self.note(looks(colleague));
    }

    fn note(&self, seen: impl IntoIterator<Item = Seen>) {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        for Seen { domain, format, weight } in seen {
            let counts = domains.entry(domain).or_default();
            match counts.iter_mut().find(|(known, _)| *known == format) {
                Some((_, count)) => *count += weight,
                None => counts.push((format, weight)),
            }
        }
        if domains.len() > DOMAINS_MAX {
            domains.retain(|_, counts| counts.iter().map(|(_, count)| count).sum::<f64>() > 1.0);
        }
    }

    /// What is known of a domain.
    pub(crate) fn of(&self, domain: &str) -> FormatCounts {
        let known = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(domain).cloned().unwrap_or_default()
    }

    /// Whether anything is known of a domain.
    pub(crate) fn knows(&self, domain: &str) -> bool {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner).contains_key(domain)
    }
}

impl Formats for Remembered {
    fn recall<'a>(
        &'a self,
        domains: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>> {
        let recalled = domains.iter().map(|domain| self.of(domain)).collect();
        Box::pin(std::future::ready(Ok(recalled)))
    }
}
