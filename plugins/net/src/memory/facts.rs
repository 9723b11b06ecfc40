//! Facts, each for a time, of which other processes are told what is news.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    learned::{Fact, Outbox},
    recent::Recent,
};

/// The part of its life after which others are told again of a fact that still holds.
const RETELL: u32 = 10;

/// How long others are told that a fact is forgotten: they hear of it within seconds.
const FORGOTTEN_TTL: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Facts<K, V> {
    known: Mutex<Recent<K, Known<V>>>,
    outbox: Arc<Outbox>,
    /// A fact as others hear it; `None` for one that is forgotten.
    express: fn(&K, Option<&V>) -> Option<Fact>,
}

#[derive(Debug)]
struct Known<V> {
    value: V,
    /// When others were told, or told us.
    told_at: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone + PartialEq> Facts<K, V> {
    /// Room for `max` facts.
    pub(crate) fn new(max: usize, outbox: Arc<Outbox>, express: fn(&K, Option<&V>) -> Option<Fact>) -> Self {
        Self { known: Mutex::new(Recent::new(max)), outbox, express }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).map(|known| known.value.clone())
    }

    /// What is known by now, from what was known, holds for `life`.
    pub(crate) fn learn(&self, life: Duration, key: K, change: impl FnOnce(Option<V>) -> V) {
        let mut facts = self.lock();
        let now = Instant::now();
        let known = facts.get(&key);
        let value = change(known.map(|known| known.value.clone()));
        let is_old = |known: &&Known<V>| known.value == value && now < known.told_at + life / RETELL;
        let told_at = known.filter(is_old).map(|known| known.told_at);
        if told_at.is_none() {
            self.tell(life, &key, Some(&value));
        }
        facts.insert_for(life, key, Known { value, told_at: told_at.unwrap_or(now) });
    }

    /// The fact holds no more.
    pub(crate) fn forget(&self, key: &K) {
        let mut facts = self.lock();
        if facts.get(key).is_some() {
            facts.remove(key);
            self.tell(FORGOTTEN_TTL, key, None);
        }
    }

    /// Others have learned this; `None` when they have forgotten it.
    pub(crate) fn take_in(&self, life: Duration, key: K, value: Option<V>) {
        let mut facts = self.lock();
        match value {
            Some(value) => facts.insert_for(life, key, Known { value, told_at: Instant::now() }),
            None => facts.remove(&key),
        }
    }

    /// Under the lock, so that others hear of one key in the order of what became of it.
    fn tell(&self, life: Duration, key: &K, value: Option<&V>) {
        if let Some(fact) = (self.express)(key, value) {
            self.outbox.tell(life, fact);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recent<K, Known<V>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use mailsonde_engine::EgressId;

    use super::*;
    use crate::{budget::BudgetKey, learned::Lessons};

    const LIFE: Duration = Duration::from_secs(100);

    fn facts() -> (Facts<u16, usize>, Lessons) {
        let outbox = Arc::<Outbox>::default();
        let lessons = outbox.listen();
        let express = |key: &u16, value: Option<&usize>| {
            let (egress, of) = (EgressId(*key), BudgetKey::Operator("google"));
            Some(Fact::Pace { egress, of, ceiling: value.copied().unwrap_or(0) })
        };
        (Facts::new(10, outbox, express), lessons)
    }

    /// What others hear by now.
    fn heard(lessons: &mut Lessons) -> Vec<usize> {
        let next = || lessons.next().now_or_never().flatten();
        std::iter::from_fn(next)
            .map(|lesson| match lesson.learned.0 {
                Fact::Pace { ceiling, .. } => ceiling,
                _ => panic!("something else"),
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn news_is_told_and_what_is_known_is_told_seldom() {
        let (facts, mut lessons) = facts();
        for value in [1, 1, 1, 2, 2] {
            facts.learn(LIFE, 7, |_| value);
        }
        assert_eq!(heard(&mut lessons), [1, 2]);
        for _ in 0..40 {
            tokio::time::advance(Duration::from_secs(1)).await;
            facts.learn(LIFE, 7, |known| known.unwrap());
        }
        assert_eq!(heard(&mut lessons), [2, 2, 2, 2]);
        tokio::time::advance(LIFE).await;
        assert_eq!(facts.get(&7), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_tell_is_not_told_on() {
        let (facts, mut lessons) = facts();
        facts.take_in(LIFE, 7, Some(3));
        assert_eq!(facts.get(&7), Some(3));
        facts.learn(LIFE, 7, |_| 3);
        facts.take_in(LIFE, 7, None);
        facts.forget(&7);
        assert_eq!(facts.get(&7), None);
        assert!(heard(&mut lessons).is_empty());
        facts.learn(LIFE, 7, |_| 3);
        facts.forget(&7);
        facts.forget(&7);
        assert_eq!(heard(&mut lessons), [3, 0]);
    }
}
