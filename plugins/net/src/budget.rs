//! The budget: how many sessions may be open at once, in this process and towards one mail host or operator.
//!
//! Rates, learned limits and shares between processes are not here yet; they will change what a grant is, not how it
//! is asked for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use mailsonde_engine::{MxSet, Operator};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Keys with a semaphore of their own before idle ones are forgotten: more than ever are busy at once.
const KEYS_MAX: usize = 4_096;

/// Whose patience a session uses up.
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

/// Hands out sessions.
#[derive(Debug)]
pub struct Budget {
    process: Arc<Semaphore>,
    keys: Mutex<HashMap<BudgetKey, Arc<Semaphore>>>,
    per_key: usize,
    per_operator: BTreeMap<String, usize>,
}

/// Leave for one session; dropping it gives the session back.
#[derive(Debug)]
#[must_use]
pub struct Grant {
    _key: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Budget {
    /// At most `process` sessions at once, `per_key` of them towards the same hosts; `per_operator` overrides that for
    /// operators by id.
    pub fn new(process: usize, per_key: usize, per_operator: BTreeMap<String, usize>) -> Self {
        Self { process: Arc::new(Semaphore::new(process)), keys: Mutex::default(), per_key, per_operator }
    }

    /// Waits for a session, first come first served. `None` only when the process shuts down.
    pub async fn acquire(&self, key: &BudgetKey) -> Option<Grant> {
        // The narrow gate first: who waits for a slow host holds no session that another host could use.
        let key = self.semaphore(key).acquire_owned().await.ok()?;
        let process = self.process.clone().acquire_owned().await.ok()?;
        Some(Grant { _key: key, _process: process })
    }

    fn semaphore(&self, key: &BudgetKey) -> Arc<Semaphore> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains_key(key) {
            // Permits and waiters hold their semaphore; what only this table holds is idle.
            keys.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        keys.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.sessions(key)))).clone()
    }

    fn sessions(&self, key: &BudgetKey) -> usize {
        match key {
            BudgetKey::Operator(id) => self.per_operator.get(*id).copied().unwrap_or(self.per_key),
            BudgetKey::Hosts(_) => self.per_key,
        }
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

    fn now(budget: &Budget, key: &BudgetKey) -> Option<Grant> {
        budget.acquire(key).now_or_never().flatten()
    }

    #[test]
    fn operators_share_a_key_and_strangers_do_not() {
        assert_eq!(key("a.mail.protection.outlook.com"), key("b.mail.protection.outlook.com"));
        assert_ne!(key("mx.example.org"), key("mx.example.net"));
    }

    #[test]
    fn each_key_has_its_own_limit() {
        let budget = Budget::new(10, 1, BTreeMap::from([("google".into(), 2)]));
        let (google, other) = (key("aspmx.l.google.com"), key("mx.example.org"));
        let first = now(&budget, &other).unwrap();
        assert!(now(&budget, &other).is_none());
        let _both = (now(&budget, &google).unwrap(), now(&budget, &google).unwrap());
        assert!(now(&budget, &google).is_none());
        drop(first);
        assert!(now(&budget, &other).is_some());
    }

    #[test]
    fn the_process_has_a_limit_and_those_who_wait_hold_none_of_it() {
        let budget = Budget::new(2, 1, BTreeMap::new());
        let _a = now(&budget, &key("a.test")).unwrap();
        let mut waits = Box::pin(async { budget.acquire(&key("a.test")).await });
        assert!(waits.as_mut().now_or_never().is_none());
        let _b = now(&budget, &key("b.test")).unwrap();
        assert!(now(&budget, &key("c.test")).is_none());
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let budget = Budget::new(1, 1, BTreeMap::new());
        for n in 0..KEYS_MAX + 10 {
            drop(now(&budget, &key(&format!("mx{n}.test"))));
        }
        assert!(budget.keys.lock().unwrap().len() <= KEYS_MAX);
    }
}
