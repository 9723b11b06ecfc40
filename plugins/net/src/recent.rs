//! A map that holds a bounded number of entries and forgets the older half when it is full: for memories that may be
//! lost, but must not grow.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// See the module. Writing an entry makes it young; reading does not.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    max: usize,
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
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.make_room();
        self.young.insert(key, value);
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

    fn make_room(&mut self) {
        if self.young.len() >= self.max / 2 {
            self.old = mem::take(&mut self.young);
        }
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
