//! How many files are taken at once: what an upload has read is held until its job is written down, and slow clients take
//! long to send.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::IntGauge;
use uuid::Uuid;

/// Octets of all files that a process takes at once, by what their requests say that they are. For each, some two to four
/// are held: the file sealed, and its addresses as items. Up to ten are where nearly all of a file is addresses of control
/// characters or of letters of code page 1252, which are longer as items.
const OCTETS_MAX: usize = 96 * 1024 * 1024;

/// Of one client: who sends slowly leaves room for others. Two files of the greatest size.
const OF_CLIENT_MAX: usize = OCTETS_MAX / 2;

/// As much as the smallest upload needs: to read rows takes most of it.
const OCTETS_MIN: usize = 1024 * 1024;

/// The room that there is. Copies are the same.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
    /// How many there are.
    gauge: IntGauge,
}

/// Room for an upload, until it is dropped: with what takes it.
#[derive(Debug)]
pub(crate) struct Room {
    client: Uuid,
    octets: usize,
    uploads: Uploads,
}

impl Uploads {
    /// Nobody uploads.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self { taken: Arc::default(), gauge }
    }

    /// Room for a client's file of so many octets, if there is any.
    pub(crate) fn take(&self, client: Uuid, octets: usize) -> Option<Room> {
        let octets = octets.max(OCTETS_MIN);
        let mut taken = self.taken();
        let of_client = taken.get(&client).copied().unwrap_or_default() + octets;
        if of_client > OF_CLIENT_MAX || taken.values().sum::<usize>() + octets > OCTETS_MAX {
            return None;
        }
        taken.insert(client, of_client);
        self.gauge.inc();
        Some(Room { client, octets, uploads: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.uploads.taken();
        if let Some(of_client) = taken.get_mut(&self.client) {
            *of_client -= self.octets;
            if *of_client == 0 {
                taken.remove(&self.client);
            }
        }
        self.uploads.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: usize = 20 * 1024 * 1024;

    #[test]
    fn neither_a_client_nor_all_together_have_more_than_there_is() {
        let gauge = IntGauge::new("uploads", "Files").unwrap();
        let uploads = Uploads::new(gauge.clone());
        let [one, other, third] = [1, 2, 3].map(Uuid::from_u128);
        let mut own: Vec<_> = (0..2).map(|_| uploads.take(one, FILE).unwrap()).collect();
        assert!(uploads.take(one, FILE).is_none());
        // What is small is, too.
        own.extend((0..8).map(|_| uploads.take(one, 0).unwrap()));
        assert!(uploads.take(one, 0).is_none());
        let others = [other, other, third].map(|client| uploads.take(client, FILE / 5 * 6).ok_or(client));
        assert!(others[0].is_ok() && others[1].is_ok() && others[2].is_err());
        assert_eq!(gauge.get(), 12);
        own.pop();
        drop(uploads.take(one, 0).unwrap());
        drop((own, others));
        assert!(gauge.get() == 0 && uploads.taken().is_empty());
    }
}
