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

/// How much is known of a domain.
fn sum(counts: &FormatCounts) -> f64 {
    counts.iter().map(|(_, count)| count).sum()
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
            // Half of them, so that it is not done for each that comes.
            let mut sums: Vec<f64> = domains.values().map(sum).collect();
            sums.sort_unstable_by(f64::total_cmp);
            let median = sums[sums.len() / 2];
            domains.retain(|_, counts| sum(counts) > median);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::{
        CatchAll, CatchAllSource, DialogueStage, Guess, Policy, Reading, ReplyClass, RoleType, Strength,
        Subject, Tier,
    };

    use super::*;

    fn accepted(local: &str, catch_all: bool, more: impl IntoIterator<Item = Finding>) -> Verdict {
        let source = CatchAllSource::Session;
        let reading = Reading {
            class: ReplyClass::Accepted,
            strength: Strength::Code,
            rule: "test".into(),
            stage: DialogueStage::Rcpt,
            code: 250,
            enhanced: None,
            text: "".into(),
            host: "mx.example.com".into(),
            agreed: false,
        };
        let is_catch_all = if catch_all { CatchAll::Yes { source } } else { CatchAll::No { source } };
        let stage: Arc<str> = "test".into();
        let mut subject = Subject::new("somebody");
        subject.note(&stage, Finding::Reply(Box::new(reading)));
        subject.note(&stage, Finding::CatchAll(is_catch_all));
        more.into_iter().for_each(|finding| subject.note(&stage, finding));
        let address = Some(Address::new(local, "example.com"));
        Verdict { address, ..Verdict::of(subject, Policy::default().of_mailbox()) }
    }

    fn formats(verdict: &Verdict) -> Vec<(String, f64)> {
        told_by(verdict).into_iter().map(|seen| (seen.format.into(), seen.weight)).collect()
    }

    #[test]
    fn a_person_who_is_found_tells_the_format_and_an_address_what_it_looks_like() {
        let guess = Guess { format: "flast".into(), rank: 3, of: 20, chance: 0.1 };
        assert_eq!(formats(&accepted("jdoe", false, [Finding::Candidate(guess)])), [("flast".into(), 1.0)]);
        let looks = formats(&accepted("jane.doe", false, []));
        assert_eq!(looks.first().map(|(format, _)| &**format), Some("first.last"));
        assert!(looks.iter().map(|(_, weight)| weight).sum::<f64>() <= 1.0);
    }

    #[test]
    fn nothing_is_learned_where_addresses_tell_nothing() {
        assert_eq!(formats(&accepted("jane.doe", true, [])), [], "everybody is accepted");
        for finding in
            [Finding::FreeProvider, Finding::Role(RoleType::Info), Finding::Disposable(Tier::Curated)]
        {
            assert_eq!(formats(&accepted("jane.doe", false, [finding])), []);
        }
        let refused = Verdict::of(Subject::new("jane.doe@example.com"), Policy::default());
        assert_eq!(formats(&refused), []);
    }

    #[tokio::test]
    async fn a_command_remembers_what_it_has_seen() {
        let memory = Remembered::default();
        memory.learn(&[accepted("jane.doe", false, []), accepted("john.smith", false, [])]);
        memory.learn_from(&Address::new("amiller", "example.org"));
        let recalled = memory.recall(&["example.org", "example.com", "example.net"]).await.unwrap();
        let best = |counts: &FormatCounts| {
            let most = counts.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
            most.map(|(format, _)| format.to_string())
        };
        let best: Vec<_> = recalled.iter().map(best).collect();
        assert_eq!(best, [Some("flast".into()), Some("first.last".into()), None]);
        assert!(memory.knows("example.org") && !memory.knows("example.net"));
    }
}
