//! What outlives a session: how hosts want to be asked, which of them rest because they would not speak with us, and at
//! which address they answered. Of this process alone, and bounded.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{budget::BudgetKey, catch_all::CatchAllFacts, recent::Recent};
use mailsonde_engine::{Address, EgressId, ProbeFailure, Reading};

/// Hosts and operators remembered: a few MB.
const ENTRIES_MAX: usize = 20_000;

/// How long learned manners hold. Limits are raised sooner or later, and a wrong one only costs sessions.
const MANNERS_TTL: Duration = Duration::from_hours(6);

/// How long a random recipient is kept that was put off: those who greylist expect us back within a day.
const RANDOM_TTL: Duration = Duration::from_hours(24);

/// How hosts want to be asked, as they have shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// Why a host rests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rest {
    /// It could not be asked.
    Failed(ProbeFailure),
    /// It refused to speak about anybody.
    Refused(Box<Reading>),
}

/// A host, or one domain at it, as seen from one identity of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RestKey {
    egress: EgressId,
    host: Arc<str>,
    domain: Option<Box<str>>,
}

/// A domain and one of its hosts.
type DomainAtHost = (Box<str>, Arc<str>);

#[derive(Debug)]
pub(crate) struct Memory {
    manners: Mutex<Recent<BudgetKey, Manners>>,
    rests: Mutex<Recent<RestKey, Rest>>,
    addresses: Mutex<Recent<Arc<str>, IpAddr>>,
    /// Recipients that do not exist, and that a domain's host has put off.
    randoms: Mutex<Recent<DomainAtHost, Address>>,
    /// Which domains accept everybody.
    pub(crate) catch_all: CatchAllFacts,
}

impl Default for Memory {
    fn default() -> Self {
        let (manners, rests) = (Recent::new(ENTRIES_MAX), Recent::new(ENTRIES_MAX));
        let addresses = Recent::new(ENTRIES_MAX);
        Self {
            manners: Mutex::new(manners),
            rests: Mutex::new(rests),
            addresses: Mutex::new(addresses),
            randoms: Mutex::new(Recent::new(ENTRIES_MAX)),
            catch_all: CatchAllFacts::default(),
        }
    }
}

impl Memory {
    /// How hosts want to be asked.
    pub(crate) fn manners(&self, key: &BudgetKey) -> Manners {
        lock(&self.manners).get(key).copied().unwrap_or_default()
    }

    /// Learns how hosts want to be asked.
    pub(crate) fn learn(&self, key: &BudgetKey, change: impl FnOnce(&mut Manners)) {
        let mut known = self.manners(key);
        change(&mut known);
        lock(&self.manners).insert_for(MANNERS_TTL, key.clone(), known);
    }

    /// Lets a host, or one domain at it, alone for a while.
    pub(crate) fn rest(
        &self,
        egress: EgressId,
        host: &Arc<str>,
        domain: Option<&str>,
        time: Duration,
        why: Rest,
    ) {
        let key = RestKey { egress, host: host.clone(), domain: domain.map(Into::into) };
        lock(&self.rests).insert_for(time, key, why);
    }

    /// Why a domain is not asked about at a host now, if so.
    pub(crate) fn resting(&self, egress: EgressId, host: &Arc<str>, domain: &str) -> Option<Rest> {
        let rests = lock(&self.rests);
        let of = |domain: Option<&str>| {
            let key = RestKey { egress, host: host.clone(), domain: domain.map(Into::into) };
            rests.get(&key).cloned()
        };
        of(None).or_else(|| of(Some(domain)))
    }

    /// The random recipient that the domain's host has put off, if it has.
    pub(crate) fn random(&self, domain: &str, host: &Arc<str>) -> Option<Address> {
        lock(&self.randoms).get(&(domain.into(), host.clone())).cloned()
    }

    /// Keeps the random recipient that was put off; `None` when it was not.
    pub(crate) fn keep_random(&self, domain: &str, host: &Arc<str>, random: Option<Address>) {
        let key = (domain.into(), host.clone());
        let mut randoms = lock(&self.randoms);
        match random {
            Some(random) => randoms.insert_for(RANDOM_TTL, key, random),
            None => randoms.remove(&key),
        }
    }

    /// The address at which the host answered last.
    pub(crate) fn address(&self, host: &str) -> Option<IpAddr> {
        lock(&self.addresses).get(host).copied()
    }

    /// The host answered at this address.
    pub(crate) fn answered_at(&self, host: &Arc<str>, address: IpAddr) {
        lock(&self.addresses).insert(host.clone(), address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BudgetKey {
        BudgetKey::Operator("google")
    }

    #[tokio::test(start_paused = true)]
    async fn manners_add_up_and_fade() {
        let memory = Memory::default();
        memory.learn(&key(), |manners| manners.one_domain = true);
        memory.learn(&key(), |manners| manners.recipients_per_session = Some(3));
        let known = memory.manners(&key());
        assert_eq!((known.one_domain, known.recipients_per_session), (true, Some(3)));
        tokio::time::advance(MANNERS_TTL).await;
        assert_eq!(memory.manners(&key()), Manners::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_rests_for_one_identity_and_for_a_while() {
        let memory = Memory::default();
        let (host, here, there) = (Arc::from("mx"), EgressId(0), EgressId(1));
        let why = Rest::Failed(ProbeFailure::Timeout);
        memory.rest(here, &host, Some("a.test"), Duration::from_mins(1), why.clone());
        assert_eq!(memory.resting(here, &host, "a.test"), Some(why.clone()));
        assert_eq!(memory.resting(here, &host, "b.test"), None);
        assert_eq!(memory.resting(there, &host, "a.test"), None);
        memory.rest(here, &host, None, Duration::from_secs(10), why.clone());
        assert_eq!(memory.resting(here, &host, "b.test"), Some(why));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(memory.resting(here, &host, "a.test"), None);
    }
}
