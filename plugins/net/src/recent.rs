//! A map that holds a bounded number of entries, some of them for a time, and forgets the older half when it is full: for
//! memories that may be lost, but must not grow.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem, time::Duration};

use tokio::time::Instant;

/// See the module. Writing an entry makes it young; reading does not.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
    max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    /// Absent: for good.
    until: Option<Instant>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Room for `max` entries, of which at least the last `max / 2` written are there.
    pub(crate) fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), max }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.young.get(key).or_else(|| self.old.get(key))?;
        entry.until.is_none_or(|until| Instant::now() < until).then_some(&entry.value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.put(key, Entry { value, until: None });
    }

    /// The entry is there for so long and no longer.
    pub(crate) fn insert_for(&mut self, time: Duration, key: K, value: V) {
        self.put(key, Entry { value, until: Some(Instant::now() + time) });
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn put(&mut self, key: K, entry: Entry<V>) {
        if self.young.len() >= self.max / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_and_keeps_the_younger_half() {
        let mut recent = Recent::new(100);
        for n in 0..1_000 {
            recent.insert(n, n);
            assert!(recent.len() <= 100);
        }
        assert!((950..1_000).all(|n| recent.get(&n) == Some(&n)));
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn what_is_removed_is_gone_from_both_halves() {
        let mut recent = Recent::new(4);
        (0..4).for_each(|n| recent.insert(n, n));
        (0..4).for_each(|n| recent.remove(&n));
        assert_eq!(recent.len(), 0);
    }
}
