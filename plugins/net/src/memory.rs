//! What outlives a session: how hosts want to be asked, which of them rest because they would not speak with us, and at
//! which address they answered. Bounded, and but for the addresses told to other processes, where somebody listens.

mod facts;
mod manners;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mailsonde_engine::{Address, EgressId, ProbeFailure, Reading};
use serde::{Deserialize, Serialize};

pub(crate) use self::{facts::Facts, manners::Manners};
use crate::{
    budget::BudgetKey,
    catch_all::{CatchAllFacts, random_of},
    learned::{Fact, Outbox},
    recent::Recent,
};

/// Hosts and operators remembered: a few MB.
const ENTRIES_MAX: usize = 20_000;

/// How long learned manners hold. Limits are raised sooner or later, and a wrong one only costs sessions.
const MANNERS_TTL: Duration = Duration::from_hours(6);

/// How long a random recipient is kept that was put off: those who greylist expect us back within a day.
const RANDOM_TTL: Duration = Duration::from_hours(24);

/// Why a host rests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    manners: Facts<BudgetKey, Manners>,
    rests: Facts<RestKey, Rest>,
    addresses: Mutex<Recent<Arc<str>, IpAddr>>,
    /// Recipients that do not exist, and that a domain's host has put off.
    randoms: Facts<DomainAtHost, Address>,
    /// Which domains accept everybody.
    pub(crate) catch_all: CatchAllFacts,
}

impl Memory {
    /// A memory that tells its news there.
    pub(crate) fn new(outbox: &Arc<Outbox>) -> Self {
        let manners = |of: &BudgetKey, manners: Option<&Manners>| {
            Some(Fact::Manners { of: of.clone(), manners: *manners? })
        };
        let rest = |key: &RestKey, why: Option<&Rest>| {
            let RestKey { egress, host, domain } = key.clone();
            Some(Fact::Rest { egress, host, domain, why: why?.clone() })
        };
        let random = |(domain, host): &DomainAtHost, random: Option<&Address>| {
            let local = random.map(|random| random.local().into());
            Some(Fact::Random { domain: domain.clone(), host: host.clone(), local })
        };
        Self {
            manners: Facts::new(ENTRIES_MAX, outbox.clone(), manners),
            rests: Facts::new(ENTRIES_MAX, outbox.clone(), rest),
            addresses: Mutex::new(Recent::new(ENTRIES_MAX)),
            randoms: Facts::new(ENTRIES_MAX, outbox.clone(), random),
            catch_all: CatchAllFacts::new(outbox.clone()),
        }
    }

    /// How hosts want to be asked.
    pub(crate) fn manners(&self, key: &BudgetKey) -> Manners {
        self.manners.get(key).unwrap_or_default()
    }

    /// Learns how hosts want to be asked.
    pub(crate) fn learn(&self, key: &BudgetKey, change: impl FnOnce(&mut Manners)) {
        self.manners.learn(MANNERS_TTL, key.clone(), |known| {
            let mut known = known.unwrap_or_default();
            change(&mut known);
            known
        });
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
        self.rests.learn(time, key, |_| why);
    }

    /// Why a domain is not asked about at a host now, if so.
    pub(crate) fn resting(&self, egress: EgressId, host: &Arc<str>, domain: &str) -> Option<Rest> {
        let of = |domain: Option<&str>| {
            self.rests.get(&RestKey { egress, host: host.clone(), domain: domain.map(Into::into) })
        };
        of(None).or_else(|| of(Some(domain)))
    }

    /// The random recipient that the domain's host has put off, if it has.
    pub(crate) fn random(&self, domain: &str, host: &Arc<str>) -> Option<Address> {
        self.randoms.get(&(domain.into(), host.clone()))
    }

    /// Keeps the random recipient that was put off; `None` when it was not.
    pub(crate) fn keep_random(&self, domain: &str, host: &Arc<str>, random: Option<Address>) {
        let key = (domain.into(), host.clone());
        match random {
            Some(random) => self.randoms.learn(RANDOM_TTL, key, |_| random),
            None => self.randoms.forget(&key),
        }
    }

    /// Takes in what another process has learned. What is not a memory's is left to others.
    pub(crate) fn take_in(&self, life: Duration, fact: Fact) {
        match fact {
            Fact::Manners { of, manners } => {
                let joined = self.manners(&of).joined(manners);
                self.manners.take_in(life, of, Some(joined));
            }
            Fact::Rest { egress, host, domain, why } => {
                self.rests.take_in(life, RestKey { egress, host, domain }, Some(why));
            }
            Fact::CatchAll { domain, host, accepts_all } => {
                self.catch_all.take_in(life, &domain, &host, accepts_all);
            }
            Fact::Random { domain, host, local } => {
                let random = local.and_then(|local| random_of(&local, &domain));
                self.randoms.take_in(life, (domain, host), random);
            }
            Fact::Sessions { .. } | Fact::Pace { .. } => {}
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
        let memory = Memory::new(&Arc::default());
        memory.learn(&key(), |manners| manners.one_domain = true);
        memory.learn(&key(), |manners| manners.recipients_per_session = Some(3));
        let known = memory.manners(&key());
        assert_eq!((known.one_domain, known.recipients_per_session), (true, Some(3)));
        tokio::time::advance(MANNERS_TTL).await;
        assert_eq!(memory.manners(&key()), Manners::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_rests_for_one_identity_and_for_a_while() {
        let memory = Memory::new(&Arc::default());
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
