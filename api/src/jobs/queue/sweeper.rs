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
    // Each job that ends has us look at jobs; what they cost is looked at by the clock alone.
    let mut bill_at = Instant::now();
    loop {
        let now = Instant::now();
        let mut swept = turn(&queue, now >= away_until + queue.terms.lease).await;
        if swept.is_ok() && now >= bill_at {
            bill_at = now + every;
            swept = billing::sweep(&queue.store).await;
        }
        match swept {
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
    Ok(())
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

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;
    use crate::{
        jobs::{queue::QueueTerms, testing::submit},
        store::{LOCAL_CLIENT, Store, testing},
    };

    /// What a dead process held.
    const HOLD: &str = "insert into reservation (id, client, month, units, until)
        values (gen_random_uuid(), gen_random_uuid(), billing_month(), 1, now() - interval '1 second')";

    const HELD: &str = "select count(*) from reservation";
    const RUNNING: &str = "select count(*) from job where state = 'running'";

    async fn run(store: &Store, statement: &str) {
        store.worker().await.unwrap().batch_execute(statement).await.unwrap();
    }

    async fn ask(store: &Store, query: &str) -> i64 {
        store.worker().await.unwrap().query_one(query, &[]).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn what_is_billed_is_looked_at_by_the_clock_and_jobs_at_each_note_too() {
        let store = Arc::new(testing::store().await);
        let terms = QueueTerms {
            lease: Duration::from_hours(3),
            attempts_max: 5,
            poll: Duration::from_hours(3),
            at_once: 4,
        };
        let queue = Queue::new(store.clone(), Uuid::now_v7(), terms);
        run(&store, HOLD).await;
        let sweeper = tokio::spawn(sweep(queue.clone()));
        while ask(&store, HELD).await > 0 {}
        run(&store, HOLD).await;
        // When the second one has ended, the turn of the first one is over.
        for _ in 0..2 {
            submit(&store, LOCAL_CLIENT, &["jane@example.com"]).await;
            run(&store, "update job set deadline_at = now() - interval '1 second' where state = 'running'")
                .await;
            queue.look.send_replace(());
            while ask(&store, RUNNING).await > 0 {}
        }
        assert_eq!(ask(&store, HELD).await, 1);
        time::pause();
        time::advance(terms.lease / TURNS_PER_LEASE).await;
        time::resume();
        while ask(&store, HELD).await > 0 {}
        sweeper.abort();
    }
}
