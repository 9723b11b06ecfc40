//! How many files are made at once: each holds what is told of a whole job, for as long as its client takes to read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::IntGauge;
use uuid::Uuid;

/// In a process. Of the largest job, some 3 MB are held for each, up to 12 MB where every row has a suggestion, and half a
/// megabyte of what is being written.
const PLACES_MAX: usize = 32;

/// Of one client: who reads slowly leaves room for others.
const OF_CLIENT_MAX: usize = 4;

/// The places. Copies are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// How many there are.
    all: usize,
    /// How many a client may have.
    of_client: usize,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
    /// How many are taken.
    gauge: IntGauge,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    client: Uuid,
    places: Places,
}

impl Places {
    /// Those of files. All are free.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self::of(PLACES_MAX, OF_CLIENT_MAX, gauge)
    }

    /// As many as this, of which a client may have so many. All are free.
    pub(crate) fn of(all: usize, of_client: usize, gauge: IntGauge) -> Self {
        Self { all, of_client, taken: Arc::default(), gauge }
    }

    /// A place for a client, if one is free.
    pub(crate) fn take(&self, client: Uuid) -> Option<Place> {
        let mut taken = self.taken();
        let of_client = taken.get(&client).copied().unwrap_or_default();
        if of_client >= self.of_client || taken.values().sum::<usize>() >= self.all {
            return None;
        }
        taken.insert(client, of_client + 1);
        self.gauge.inc();
        Some(Place { client, places: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(of_client) = taken.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                taken.remove(&self.client);
            }
        }
        self.places.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    #[test]
    fn neither_a_client_nor_all_together_have_more_than_there_are() {
        let gauge = IntGauge::new("downloads", "Files").unwrap();
        let places = Places::new(gauge.clone());
        let mut own: Vec<_> = (0..OF_CLIENT_MAX).map(|_| places.take(client(0)).unwrap()).collect();
        assert!(places.take(client(0)).is_none());
        let others: Vec<_> =
            (OF_CLIENT_MAX..PLACES_MAX).map(|number| places.take(client(number)).unwrap()).collect();
        assert!(places.take(client(PLACES_MAX)).is_none());
        assert_eq!(gauge.get(), i64::try_from(PLACES_MAX).unwrap());
        own.pop();
        drop(places.take(client(PLACES_MAX)).unwrap());
        drop((own, others));
        assert!(gauge.get() == 0 && places.taken().is_empty());
    }
}
