//! The budget: how many sessions may be open at once, and how many recipients asked about in a minute, towards one mail
//! host or operator from one identity of ours. Limits are those of the configuration, or lower where a host has refused.
//!
//! Of this process alone: shares between processes will change where a [`Share`] comes from, not how it is used.

mod pace;
mod sessions;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use mailsonde_engine::{EgressId, MxSet, Operator};
use tokio::time::Instant;

pub(crate) use self::sessions::Grant;
use self::{
    pace::Pace,
    sessions::{Gate, Sessions},
};

/// Keys with a share of their own before idle ones are forgotten: more than ever are busy at once.
const KEYS_MAX: usize = 20_000;

/// Whose patience we use up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BudgetKey {
    /// An operator, whose hosts know of each other.
    Operator(&'static str),
    /// The mail hosts of nobody known.
    Hosts(MxSet),
}

impl BudgetKey {
    /// The key for a set of mail hosts; the first one names the operator.
    pub fn of(mx: &MxSet) -> Self {
        let operator = mx.first().and_then(|host| Operator::of_host(&host.name));
        operator.map_or_else(|| Self::Hosts(mx.clone()), |operator| Self::Operator(operator.id()))
    }
}

/// What may be used up.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Sessions open at once, in the whole process.
    pub sessions: usize,
    /// Sessions open at once towards the hosts of nobody known.
    pub sessions_per_mx: usize,
    /// Sessions open at once towards an operator, which has many hosts.
    pub sessions_per_operator: usize,
    /// Recipients a minute; none: as many as are borne.
    pub recipients_per_minute: Option<usize>,
    /// What differs for single operators, by id.
    pub operators: BTreeMap<String, OperatorLimits>,
}

/// What may be used up of one operator; none: the general limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct OperatorLimits {
    /// Sessions open at once.
    pub sessions: Option<usize>,
    /// Recipients a minute.
    pub recipients_per_minute: Option<usize>,
}

/// Hands out shares.
#[derive(Debug)]
pub struct Budget {
    process: Arc<Gate>,
    shares: Mutex<HashMap<(EgressId, BudgetKey), Arc<Share>>>,
    limits: Limits,
}

/// What may be used up of one host or operator, from one identity of ours.
#[derive(Debug)]
pub struct Share {
    sessions: Sessions,
    pace: Mutex<Pace>,
}

impl Budget {
    /// A budget within these limits.
    pub fn new(limits: Limits) -> Self {
        Self { process: Arc::new(Gate::new(limits.sessions)), shares: Mutex::default(), limits }
    }

    /// The share that asks of this kind use up. Holding on to it keeps what it has learned.
    pub fn share(&self, egress: EgressId, key: &BudgetKey) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (egress, key.clone());
        if shares.len() >= KEYS_MAX && !shares.contains_key(&key) {
            // What only this table holds is idle.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let new = || Arc::new(self.new_share(&key.1));
        shares.entry(key.clone()).or_insert_with(new).clone()
    }

    fn new_share(&self, key: &BudgetKey) -> Share {
        let limits = &self.limits;
        let (own, sessions) = match key {
            BudgetKey::Operator(id) => (limits.operators.get(*id).copied(), limits.sessions_per_operator),
            BudgetKey::Hosts(_) => (None, limits.sessions_per_mx),
        };
        let own = own.unwrap_or_default();
        Share {
            sessions: Sessions::new(own.sessions.unwrap_or(sessions), self.process.clone()),
            pace: Mutex::new(Pace::new(own.recipients_per_minute.or(limits.recipients_per_minute))),
        }
    }
}

impl Share {
    /// Waits for a session, first come first served. `None` only when the process shuts down.
    pub(crate) async fn session(&self) -> Option<Grant> {
        self.sessions.acquire().await
    }

    /// Sessions that may be open at once by now.
    pub(crate) fn sessions_max(&self) -> usize {
        self.sessions.max()
    }

    /// The host refused a session since there are too many of them. `false` when it is the only one: then
    /// it is not their number.
    pub(crate) fn too_many_sessions(&self) -> bool {
        self.sessions.cut()
    }

    /// Leave to ask about up to `wanted` recipients now.
    ///
    /// # Errors
    /// When to come again, if there is none.
    pub(crate) fn recipients(&self, wanted: usize) -> Result<usize, Instant> {
        self.pace().take(wanted)
    }

    /// Leave was taken for so many, and so many were asked about.
    pub(crate) fn correct(&self, taken: usize, asked: usize) {
        self.pace().correct(taken, asked);
    }

    /// Whether anybody may be asked about now.
    ///
    /// # Errors
    /// When to come again, if not.
    pub(crate) fn ready(&self) -> Result<(), Instant> {
        self.pace().ready()
    }

    /// Of those asked about together at `asked_at`, so many were answered, and so many refused for our pace.
    pub(crate) fn heard(&self, asked_at: Instant, answered: usize, refused: usize) {
        self.pace().heard(asked_at, answered, refused);
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use mailsonde_engine::MailHost;

    fn key(host: &str) -> BudgetKey {
        BudgetKey::of(&Arc::from([MailHost { preference: 10, name: host.into() }]))
    }

    fn budget(sessions: usize) -> Budget {
        let google = OperatorLimits { sessions: Some(2), recipients_per_minute: Some(5) };
        Budget::new(Limits {
            sessions,
            sessions_per_mx: 1,
            sessions_per_operator: 3,
            recipients_per_minute: None,
            operators: BTreeMap::from([("google".into(), google)]),
        })
    }

    fn share(budget: &Budget, host: &str) -> Arc<Share> {
        budget.share(EgressId(0), &key(host))
    }

    fn now(share: &Share) -> Option<Grant> {
        share.session().now_or_never().flatten()
    }

    #[test]
    fn operators_share_a_key_and_strangers_do_not() {
        assert_eq!(key("a.mail.protection.outlook.com"), key("b.mail.protection.outlook.com"));
        assert_ne!(key("mx.example.org"), key("mx.example.net"));
    }

    #[tokio::test]
    async fn each_key_has_its_own_limits() {
        let budget = budget(10);
        let (google, other) = (share(&budget, "aspmx.l.google.com"), share(&budget, "mx.example.org"));
        let first = now(&other).unwrap();
        assert!(now(&other).is_none());
        let _both = (now(&google).unwrap(), now(&google).unwrap());
        assert!(now(&google).is_none());
        drop(first);
        assert!(now(&other).is_some());
        assert_eq!(share(&budget, "tenant.mail.protection.outlook.com").sessions_max(), 3);
        assert_eq!((google.recipients(9).unwrap(), other.recipients(9).unwrap()), (5, 9));
    }

    #[tokio::test]
    async fn the_process_has_a_limit_and_those_who_wait_hold_none_of_it() {
        let budget = budget(2);
        let a = share(&budget, "a.test");
        let _a = now(&a).unwrap();
        let mut waits = Box::pin(a.session());
        assert!(waits.as_mut().now_or_never().is_none());
        let _b = now(&share(&budget, "b.test")).unwrap();
        assert!(now(&share(&budget, "c.test")).is_none());
    }

    #[tokio::test]
    async fn identities_are_counted_apart() {
        let budget = budget(10);
        let _one = now(&budget.share(EgressId(1), &key("mx.test"))).unwrap();
        assert!(now(&budget.share(EgressId(2), &key("mx.test"))).is_some());
    }

    #[tokio::test]
    async fn idle_keys_are_forgotten() {
        let budget = budget(1);
        for n in 0..KEYS_MAX + 10 {
            share(&budget, &format!("mx{n}.test"));
        }
        assert!(budget.shares.lock().unwrap().len() <= KEYS_MAX);
    }
}
