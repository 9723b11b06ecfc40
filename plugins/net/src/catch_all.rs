//! Catch-all: the recipient that cannot exist, and what is remembered of how domains answered to one.
//!
//! A yes is remembered for a day, as domains rarely stop accepting everything. A no is remembered for six hours, as a
//! wrong one would make every mailbox look proven. No answer is never remembered.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::Address;

use crate::{
    learned::{Fact, Outbox},
    memory::Facts,
    random::Random,
};

/// How long a domain is taken to accept every recipient.
pub const YES_TTL: Duration = Duration::from_hours(24);

/// How long a domain is taken to refuse unknown recipients.
pub const NO_TTL: Duration = Duration::from_hours(6);

/// Domains remembered: some 20 MB at the utmost.
const FACTS_MAX: usize = 100_000;

/// Letters and digits of the random local part: 80 bits, so that nobody has it and nobody guesses it.
const RANDOM_LENGTH: usize = 16;

/// A recipient at `domain` that nobody has: letters and digits, as a machine would name a mailbox, with nothing
/// in it that would give the probe away.
pub fn random_recipient(random: &Random, domain: &str) -> Address {
    const SIGNS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    const LETTERS: usize = 26;
    // A letter first: some hosts refuse a leading digit, whoever's it is.
    let sign = |at: usize| SIGNS[random.below(if at == 0 { LETTERS } else { SIGNS.len() })];
    let local: String = (0..RANDOM_LENGTH).map(|at| char::from(sign(at))).collect();
    Address::new(&local, domain)
}

/// The random recipient that another process has asked about, if this can be one.
pub(crate) fn random_of(local: &str, domain: &str) -> Option<Address> {
    let is_plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    (is_plain(local, "") && is_plain(domain, ".-_")).then(|| Address::new(local, domain))
}

/// A domain and a mail host. When the domain moves, nothing is known of it any more; and its backup host, which may
/// accept everybody, is not judged by its first one.
type Key = (Box<str>, Box<str>);

/// What is remembered: whether every recipient is accepted.
#[derive(Debug)]
pub struct CatchAllFacts(Facts<Key, bool>);

impl Default for CatchAllFacts {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl CatchAllFacts {
    /// Facts of which others are told there.
    pub(crate) fn new(outbox: Arc<Outbox>) -> Self {
        let express = |(domain, host): &Key, accepts_all: Option<&bool>| {
            let (domain, host) = (domain.clone(), host.clone());
            Some(Fact::CatchAll { domain, host, accepts_all: accepts_all.copied() })
        };
        Self(Facts::new(FACTS_MAX, outbox, express))
    }

    /// Whether the domain accepts every recipient, if that is known and still fresh.
    pub fn recall(&self, domain: &str, host: &str) -> Option<bool> {
        self.0.get(&(domain.into(), host.into()))
    }

    /// Remembers how the domain answered.
    pub fn remember(&self, domain: &str, host: &str, accepts_all: bool) {
        let time = if accepts_all { YES_TTL } else { NO_TTL };
        self.0.learn(time, (domain.into(), host.into()), |_| accepts_all);
    }

    /// Forgets the domain: its answers contradict what is remembered.
    pub fn forget(&self, domain: &str, host: &str) {
        self.0.forget(&(domain.into(), host.into()));
    }

    /// Takes in what another process has learned; `None` when it has forgotten the domain.
    pub(crate) fn take_in(&self, life: Duration, domain: &str, host: &str, accepts_all: Option<bool>) {
        self.0.take_in(life, (domain.into(), host.into()), accepts_all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_recipient_is_plausible_and_new() {
        let random = Random::default();
        let seen: std::collections::HashSet<_> =
            (0..1_000).map(|_| random_recipient(&random, "example.org")).collect();
        assert_eq!(seen.len(), 1_000);
        for address in seen {
            assert_eq!((address.local().len(), address.domain()), (RANDOM_LENGTH, "example.org"));
            assert!(address.local().starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(address.local().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn facts_grow_old() {
        let facts = CatchAllFacts::default();
        assert_eq!(facts.recall("yes.test", "a"), None);
        facts.remember("yes.test", "a", true);
        facts.remember("no.test", "a", false);
        assert_eq!(facts.recall("yes.test", "a"), Some(true));
        assert_eq!(facts.recall("yes.test", "b"), None, "another host, other facts");
        let second = Duration::from_secs(1);
        tokio::time::advance(NO_TTL.saturating_sub(second)).await;
        assert_eq!(facts.recall("no.test", "a"), Some(false));
        tokio::time::advance(second).await;
        assert_eq!(facts.recall("no.test", "a"), None);
        assert_eq!(facts.recall("yes.test", "a"), Some(true));
        tokio::time::advance(YES_TTL.saturating_sub(NO_TTL)).await;
        assert_eq!(facts.recall("yes.test", "a"), None);
    }

    #[tokio::test]
    async fn a_contradicted_fact_is_forgotten() {
        let facts = CatchAllFacts::default();
        facts.remember("yes.test", "a", true);
        facts.forget("yes.test", "a");
        assert_eq!(facts.recall("yes.test", "a"), None);
    }
}
