//! The budget: how many sessions may be open at once, and how many recipients asked about in a minute, towards one mail
//! host or operator from one identity of ours. Limits are those of the configuration, or lower where a host has refused.
//!
//! Of this process alone, or of several that share a [`Ration`]:
//!
//! | | |
//! |---|---|
//! | `gate` | so many places, first come first served |
//! | `quota` | how many places there are: configured, learned, leased |
//! | `sessions` | leave for one session |
//! | `ration` | what processes share, and how it is divided |
//! | `holding` | what this process holds of it, and when to ask again |
//! | `steward` | asks, renews, gives back |
//! | `pace` | recipients a minute |
//! | `usage` | what was asked of whom, and what it took |

mod gate;
mod holding;
mod key;
mod pace;
mod quota;
mod ration;
mod sessions;
mod steward;
mod usage;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mailsonde_engine::EgressId;
use tokio::time::Instant;

use self::{
    gate::Gate,
    pace::Pace,
    quota::Quota,
    sessions::Sessions,
    steward::Steward,
    usage::{Metered, Meters},
};
pub use self::{
    key::BudgetKey,
    ration::{Claim, Leave, Portion, Ration, RationError, RationKey, Rival},
    usage::{Usage, UsageOf},
};
pub(crate) use self::{sessions::Grant, usage::Stint};
use crate::learned::{Fact, Outbox};

/// Keys with a share of their own before idle ones are forgotten: more than ever are busy at once.
const KEYS_MAX: usize = 20_000;

/// How long others keep to a number of sessions, or to a pace, that one has learned. It grows with each of them meanwhile.
const LIMIT_TTL: Duration = Duration::from_hours(1);

/// What may be used up.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Sessions open at once, in the whole process.
    pub sessions: usize,
    /// Sessions open at once towards the hosts of nobody known; of all processes that share a ration, as the next one.
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
pub struct Budget {
    process: Arc<Gate>,
    shares: Mutex<HashMap<(EgressId, BudgetKey), Arc<Share>>>,
    limits: Limits,
    /// Where processes share.
    steward: Option<Arc<Steward>>,
    outbox: Arc<Outbox>,
    meters: Meters,
}

/// What may be used up of one host or operator, from one identity of ours.
pub struct Share {
    egress: EgressId,
    key: BudgetKey,
    sessions: Sessions,
    pace: Mutex<Pace>,
    outbox: Arc<Outbox>,
    metered: Metered,
}

impl Budget {
    /// A budget within these limits, of this process alone or of all that share the ration. It tells there what it learns.
    pub(crate) fn new(limits: Limits, ration: Option<Arc<dyn Ration>>, outbox: Arc<Outbox>) -> Self {
        let process = Arc::new(Gate::new(limits.sessions));
        let steward = ration.map(Steward::new);
        Self { process, shares: Mutex::default(), limits, steward, outbox, meters: Meters::default() }
    }

    /// The share that asks of this kind use up. Holding on to it keeps what it has learned.
    pub fn share(&self, egress: EgressId, key: &BudgetKey) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (egress, key.clone());
        if shares.len() >= KEYS_MAX && !shares.contains_key(&key) {
            // What only this table holds is idle, unless something is leased for it.
            shares.retain(|_, share| Arc::strong_count(share) > 1 || share.sessions.is_leased());
        }
        let new = || Arc::new(self.new_share(egress, &key.1));
        shares.entry(key.clone()).or_insert_with(new).clone()
    }

    /// Takes in what another process has learned. What is not a budget's is left to others.
    pub(crate) fn take_in(&self, fact: &Fact) {
        match fact {
            Fact::Sessions { egress, of, max } => self.share(*egress, of).sessions.take_in(*max),
            Fact::Pace { egress, of, ceiling } => self.share(*egress, of).pace().take_in(*ceiling),
            _ => {}
        }
    }

    /// What was used up so far, and what is borne now.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        let mut all = self.meters.read();
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        for usage in &mut all {
            let UsageOf::Operator(id) = usage.of else { continue };
            let own: Vec<_> = shares.iter().filter(|((_, key), _)| *key == BudgetKey::Operator(id)).collect();
            let sum =
                |count: &dyn Fn(&Share) -> usize| own.iter().map(|(_, share)| count(share)).sum::<usize>();
            usage.bears = ratio(sum(&Share::sessions_max), sum(&|share| share.sessions.configured()));
            // Of several identities, one without a limit bears whatever is left.
            usage.pace = own.iter().map(|(_, share)| share.pace().ceiling()).sum();
        }
        all
    }

    /// Gives back what is leased and not used.
    pub(crate) async fn close(&self) {
        if let Some(steward) = &self.steward {
            steward.close().await;
        }
    }

    fn new_share(&self, egress: EgressId, key: &BudgetKey) -> Share {
        let limits = &self.limits;
        let (own, sessions) = match key {
            BudgetKey::Operator(id) => (limits.operators.get(*id).copied(), limits.sessions_per_operator),
            BudgetKey::Hosts(_) => (None, limits.sessions_per_mx),
        };
        let own = own.unwrap_or_default();
        let ration_key = RationKey { egress, key: key.text().into() };
        let quota = Quota::new(ration_key, own.sessions.unwrap_or(sessions), self.steward.is_some());
        Share {
            egress,
            key: key.clone(),
            sessions: Sessions::new(self.process.clone(), quota, self.steward.clone()),
            pace: Mutex::new(Pace::new(own.recipients_per_minute.or(limits.recipients_per_minute))),
            outbox: self.outbox.clone(),
            metered: self.meters.of(key),
        }
    }
}

/// Numbers of sessions are small.
#[allow(clippy::cast_precision_loss)]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Share {
    /// A session begins to use time up.
    pub(crate) fn stint(&self) -> Stint {
        Stint::new(self.metered.clone())
    }

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
        let Some(max) = self.sessions.cut() else { return false };
        let (egress, of) = (self.egress, self.key.clone());
        self.outbox.tell(LIMIT_TTL, Fact::Sessions { egress, of, max });
        true
    }

    /// Whether a session is there for work that is about to begin.
    ///
    /// # Errors
    /// How long to put it off.
    pub(crate) async fn may_begin(&self) -> Result<(), Duration> {
        self.sessions.may_begin().await
    }

    /// Whether other processes have sessions with these very hosts. An operator has too many hosts to tell.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.key, BudgetKey::Hosts(_)) && self.sessions.others() > 0
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
        let learned = self.pace().heard(asked_at, answered, refused);
        if let Some(ceiling) = learned {
            let (egress, of) = (self.egress, self.key.clone());
            self.outbox.tell(LIMIT_TTL, Fact::Pace { egress, of, ceiling });
        }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.part = self.sessions.part();
        pace
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
        let limits = Limits {
            sessions,
            sessions_per_mx: 1,
            sessions_per_operator: 3,
            recipients_per_minute: None,
            operators: BTreeMap::from([("google".into(), google)]),
        };
        Budget::new(limits, None, Arc::default())
    }

    fn share(budget: &Budget, host: &str) -> Arc<Share> {
        budget.share(EgressId(0), &key(host))
    }

    fn now(share: &Share) -> Option<Grant> {
        share.session().now_or_never().flatten()
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
