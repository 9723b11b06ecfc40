//! Randomness that others cannot foresee, from the standard library alone.
//!
//! `SipHash` under a key that the operating system gave this process, over a counter. That is no cipher, but a mail
//! host that sees some of the output cannot tell the rest, which is all that is asked of it here.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A source of random numbers.
#[derive(Debug, Default)]
pub struct Random {
    key: RandomState,
    drawn: AtomicU64,
}

impl Random {
    /// The next 64 random bits.
    pub fn next(&self) -> u64 {
        self.key.hash_one(self.drawn.fetch_add(1, Relaxed))
    }

    /// A number below `bound`, which is small enough here that the bias of a remainder is none to speak of.
    pub fn below(&self, bound: usize) -> usize {
        // The remainder fits where the bound did.
        #[allow(clippy::cast_possible_truncation)]
        let number = (self.next() % bound.max(1) as u64) as usize;
        number
    }

    /// Brings `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differs_between_draws_and_between_sources() {
        let (one, other) = (Random::default(), Random::default());
        assert_ne!(one.next(), one.next());
        assert_ne!(one.next(), other.next());
    }

    #[test]
    fn every_order_comes_up() {
        let random = Random::default();
        let orders: std::collections::HashSet<_> = (0..500)
            .map(|_| {
                let mut items = [1, 2, 3];
                random.shuffle(&mut items);
                items
            })
            .collect();
        assert_eq!(orders.len(), 6);
    }
}
