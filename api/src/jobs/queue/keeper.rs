//! The keeper of leases: extends those of this process, whatever its handlers are busy with, and takes back those that
//! ran out anywhere. A task of its own.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{Queue, Word};
use crate::{
    jobs::ending,
    store::{
        StoreError, jobs,
        tasks::{self, Failed, Held, Lease},
    },
};

/// A lease is extended when a third of it is over, so that two attempts may fail.
const TURNS_PER_LEASE: u32 = 3;

/// The pause before another attempt when the store is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps leases for as long as it is polled, and ends jobs that nobody has ended.
pub(crate) async fn keep(queue: Arc<Queue>, host: String) {
    let every = queue.terms.lease / TURNS_PER_LEASE;
    let mut was_away = false;
    loop {
        let began = Instant::now();
        let turn = turn(&queue, &host).await;
        let wait = if turn.is_ok() { every } else { every.min(PAUSE) };
        match turn {
            Ok(jobs) => {
                was_away = false;
                for job in jobs {
                    end(&queue, job).await;
                }
            }
            Err(error) if !was_away => {
                was_away = true;
                tracing::warn!("leases cannot be extended: {error}");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep_until(began + wait) => {}
            () = queue.look.notified() => {}
        }
    }
}

/// Whoever did the last of it has gone before the end.
async fn end(queue: &Queue, job: Uuid) {
    if let Err(error) = ending::end_if_done(&queue.store, job).await {
        tracing::warn!("a job of which nothing is left to do is not ended: {error}");
    }
}

/// Extends, takes back, and looks for jobs that nobody has ended.
async fn turn(queue: &Queue, host: &str) -> Result<Vec<Uuid>, StoreError> {
    let client = queue.store.worker().await?;
    let leases: Vec<Lease> = queue.held().keys().copied().collect();
    if !leases.is_empty() {
        let held = tasks::extend(&client, &leases, queue.terms.lease).await?;
        tell(queue, &leases, &held);
    }
    tasks::worker_seen(&client, queue.worker, host).await?;
    let failed = tasks::rescue(&client, queue.terms.attempts_max).await?;
    report(&failed);
    if failed.iter().any(|failed| !failed.is_dead) {
        queue.wake.notify_one();
    }
    jobs::unended(&client).await
}

/// Tells handlers what has become of their leases.
fn tell(queue: &Queue, asked: &[Lease], held: &[(i64, Held)]) {
    let words = queue.held();
    for lease in asked {
        let Some(word) = words.get(lease) else { continue };
        match held.iter().find(|(task, _)| *task == lease.task) {
            None => drop(word.send_replace(Word::Lost)),
            Some((_, Held::Paused)) => drop(word.send_replace(Word::Stop)),
            Some((_, Held::Ours)) => {}
        }
    }
}

fn report(failed: &[Failed]) {
    if !failed.is_empty() {
        let dead = failed.iter().filter(|failed| failed.is_dead).count();
        tracing::warn!(
            "{} tasks were taken back from workers that fell silent, {dead} of them given up",
            failed.len()
        );
    }
}
