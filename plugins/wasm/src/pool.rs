//! The instances of a plugin: how many batches it works at, and which warm instances wait. Whoever comes when all are
//! at work waits for one; nobody is turned away.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    grants::Client,
    instance::Instance,
    limits::{WARM_CALLS_MAX, WARM_IDLE_MAX},
};

/// The instances of one version of a plugin.
pub(crate) struct Pool {
    places: Semaphore,
    max: usize,
    /// Those that wait, longest first.
    warm: Mutex<Vec<Warm>>,
}

struct Warm {
    client: Client,
    since: Instant,
    instance: Instance,
}

impl Pool {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Semaphore::new(max), max, warm: Mutex::default() }
    }

    /// Waits for a place to work at. None when the pool is closed, which it never is.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// An instance that has worked for this client before, and for no other. Where there is none, the caller starts one,
    /// and room is made for it: those that wait and those at work are together no more than there are places.
    pub(crate) fn take(&self, client: &Client) -> Option<Instance> {
        let mut warm = self.lock();
        // The one that worked last: its memory is still in the caches.
        if let Some(position) = warm.iter().rposition(|warm| warm.client == *client) {
            return Some(warm.remove(position).instance);
        }
        let at_work = self.max.saturating_sub(self.places.available_permits());
        let excess = (warm.len() + at_work).saturating_sub(self.max).min(warm.len());
        warm.drain(..excess);
        None
    }

    /// Keeps an instance for the same client's next batch.
    pub(crate) fn put(&self, client: Client, instance: Instance) {
        if instance.calls >= WARM_CALLS_MAX {
            return;
        }
        let mut warm = self.lock();
        if warm.len() >= self.max {
            warm.remove(0);
        }
        warm.push(Warm { client, since: Instant::now(), instance });
    }

    /// Drops all instances that wait.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Drops the instances that have waited for too long.
    pub(crate) fn sweep(&self) {
        self.lock().retain(|warm| warm.since.elapsed() < WARM_IDLE_MAX);
    }

    /// Instances that wait for work.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
