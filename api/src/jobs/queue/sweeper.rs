//! The sweeper: takes back tasks whose leases ran out, and does what those left undone who did not come to it: chunks that
//! are held for no reason, jobs of which nothing is left to do, jobs whose deadline has passed, credits of requests whose
//! process has died.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Queue, keeper::TURNS_PER_LEASE};
use crate::{
    billing,
    jobs::ending,
    store::{
        StoreError,
        jobs::{self, End},
        tasks::{self, Failed},
    },
};

/// Sweeps for as long as it is polled.
pub(crate) async fn sweep(queue: Arc<Queue>) {
    let every = queue.terms.lease / TURNS_PER_LEASE;
    let mut look = queue.look.subscribe();
    // Nobody could extend a lease while the store was away: first everybody has the time to. Who has just begun does not
    // know how long it has been there.
    let mut away_until = Instant::now();
    loop {
        let may_rescue = Instant::now() >= away_until + queue.terms.lease;
        match turn(&queue, may_rescue).await {
            Err(StoreError::Away(_)) => away_until = Instant::now(),
            Err(error) if error.is_transient() => tracing::debug!("nothing is swept for now: {error}"),
            Err(error) => tracing::warn!("nothing is swept: {error}"),
            Ok(()) => {}
        }
        tokio::select! {
            () = sleep(every) => {}
            _ = look.changed() => {}
        }
    }
}

async fn turn(queue: &Queue, may_rescue: bool) -> Result<(), StoreError> {
    let client = queue.store.worker().await?;
    if may_rescue {
        let failed = tasks::rescue(&client, queue.terms.attempts_max).await?;
        report(&failed, queue.terms.lease);
        if failed.iter().any(|failed| !failed.is_dead) {
            queue.wake.notify_one();
        }
    }
    tasks::free_held(&client).await?;
    let (overdue, unended) = (jobs::overdue(&client).await?, jobs::unended(&client).await?);
    drop(client);
    for job in overdue {
        tell(job, ending::end(&queue.store, job, End::DeadlinePassed).await.map(drop));
    }
    for job in unended {
        tell(job, ending::end_if_done(&queue.store, job).await);
    }
    billing::sweep(&queue.store).await
}

/// One job that cannot be ended keeps no other from it.
fn tell(job: Uuid, ended: Result<(), StoreError>) {
    if let Err(error) = ended {
        tracing::warn!("job {job} cannot be ended: {error}");
    }
}

fn report(failed: &[Failed], lease: Duration) {
    if !failed.is_empty() {
        let dead = failed.iter().filter(|failed| failed.is_dead).count();
        tracing::warn!(
            "{} tasks were taken back from workers not heard of for {}, {dead} of them given up",
            failed.len(),
            humantime::format_duration(lease),
        );
    }
}
