//! The keeper of leases: extends those of this process, whatever its handlers are busy with. A task of its own, with a
//! connection of its own.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Queue, Word};
use crate::store::{
    StoreError,
    tasks::{self, Extended, Lease},
};

/// A lease is extended when a third of it is over, so that two attempts may fail.
pub(crate) const TURNS_PER_LEASE: u32 = 3;

/// The pause before another attempt when the store is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps leases for as long as it is polled. `host`: the name by which the worker is known.
pub(crate) async fn keep(queue: Arc<Queue>, host: String) {
    let every = queue.terms.lease / TURNS_PER_LEASE;
    let mut look = queue.look.subscribe();
    let mut was_away = false;
    loop {
        let began = Instant::now();
        let turn = turn(&queue, &host).await;
        let wait = if turn.is_ok() { every } else { every.min(PAUSE) };
        if let Err(error) = &turn
            && !was_away
        {
            tracing::warn!("leases cannot be extended: {error}");
        }
        was_away = turn.is_err();
        tokio::select! {
            () = sleep_until(began + wait) => {}
            _ = look.changed() => {}
        }
    }
}

async fn turn(queue: &Queue, host: &str) -> Result<(), StoreError> {
    let client = queue.store.keeper().await?;
    let leases: Vec<Lease> = queue.leases().keys().copied().collect();
    if !leases.is_empty() {
        let held = tasks::extend(&client, &leases, queue.terms.lease).await?;
        tell(queue, &leases, &held);
    }
    tasks::worker_seen(&client, queue.worker, host).await
}

/// Tells handlers what has become of their leases.
fn tell(queue: &Queue, asked: &[Lease], held: &[(Lease, Extended)]) {
    let words = queue.leases();
    for lease in asked {
        let Some(word) = words.get(lease) else { continue };
        match held.iter().find(|(ours, _)| ours == lease) {
            None => drop(word.send_replace(Word::Lost)),
            Some((_, Extended::Paused)) => drop(word.send_replace(Word::Stop)),
            Some((_, Extended::Ours)) => {}
        }
    }
}
