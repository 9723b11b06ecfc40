//! The backend of an apalis worker: hands it claimed tasks, one for each place that is free.
//!
//! It never fails: a database that is away is waited for. It ends when the queue drains, also where the database has fallen
//! silent within a claim; tasks that were claimed and that nobody took by then are given back.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use futures_util::FutureExt as _;
use mailsonde_engine::BoxFuture;
use tokio::{
    select,
    time::{sleep, timeout},
};

use super::{Leased, Queue, settle::SettleLayer};
use crate::store::tasks;

/// The longest pause between attempts to reach a database that is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long a claim that is under way is waited for when the queue drains. What is claimed later is nobody's until its
/// lease runs out, which counts as a failure: so not too short.
const LAST_CLAIM_MAX: Duration = Duration::from_secs(1);

/// How long it may take to give back what was claimed: it is taken back anyway, when the leases run out.
const GIVE_BACK_MAX: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct TaskQueue {
    queue: Arc<Queue>,
    claimed: VecDeque<Leased>,
    next: Option<BoxFuture<'static, Vec<Leased>>>,
    closing: Option<BoxFuture<'static, ()>>,
}

impl TaskQueue {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, claimed: VecDeque::new(), next: None, closing: None }
    }
}

impl Backend for TaskQueue {
    type Task = Task<Leased>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<Leased>, Infallible>>> {
        loop {
            if *self.queue.draining.borrow() && self.next.is_none() {
                // An exhausted queue does not end a worker; it has to be told. One that runs can be.
                let _ = worker.stop();
                return Poll::Ready(None);
            }
            if let Some(leased) = self.claimed.pop_front() {
                return Poll::Ready(Some(Ok(TaskBuilder::new(leased).build())));
            }
            let queue = &self.queue;
            let next = self.next.get_or_insert_with(|| claim_when_due(queue.clone()).boxed());
            let claimed = ready!(next.poll_unpin(cx));
            self.next = None;
            self.claimed.extend(claimed);
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        let (queue, claimed) = (&self.queue, &mut self.claimed);
        let closing =
            self.closing.get_or_insert_with(|| give_back(queue.clone(), std::mem::take(claimed)).boxed());
        ready!(closing.poll_unpin(cx));
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for TaskQueue {
    type Args = Leased;
    type Id = i64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = SettleLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> SettleLayer {
        SettleLayer::new(self.queue.clone())
    }
}

/// Waits until there are tasks, or the queue drains.
async fn claim_when_due(queue: Arc<Queue>) -> Vec<Leased> {
    select! {
        claimed = next_claim(&queue) => claimed,
        // The database has the whole claim since it was begun: what it does with it, it does by itself.
        () = drains_for(&queue, LAST_CLAIM_MAX) => {
            tracing::warn!("the database is silent: what it may yet lease to this process is taken back later");
            Vec::new()
        }
    }
}

/// Ends when the queue has been draining for so long.
async fn drains_for(queue: &Queue, time: Duration) {
    // The sender is in the queue.
    let _ = queue.draining.subscribe().wait_for(|draining| *draining).await;
    sleep(time).await;
}

async fn next_claim(queue: &Arc<Queue>) -> Vec<Leased> {
    let mut draining = queue.draining.subscribe();
    let mut pause = queue.terms.poll;
    let mut was_told = false;
    loop {
        if *draining.borrow_and_update() {
            return Vec::new();
        }
        let wait;
        match queue.claim().await {
            Ok(claimed) if claimed.is_empty() => {
                queue.idle.send_modify(|times| *times += 1);
                (pause, was_told) = (queue.terms.poll, false);
                wait = queue.until_due().await.unwrap_or(pause);
            }
            Ok(claimed) => return claimed,
            Err(error) => {
                if !was_told {
                    tracing::warn!("no tasks can be taken: {error}");
                    was_told = true;
                }
                pause = (pause * 2).min(PAUSE_MAX);
                wait = pause;
            }
        }
        select! {
            () = queue.wake.notified() => {}
            _ = draining.changed() => {}
            () = sleep(wait) => {}
        }
    }
}

async fn give_back(queue: Arc<Queue>, claimed: VecDeque<Leased>) {
    let give_back = async {
        for leased in claimed {
            let Ok(client) = queue.store.worker().await else { return };
            // What cannot be given back is taken back when its lease runs out.
            let _ = tasks::hand_back(&client, leased.task.lease).await;
        }
    };
    let _ = timeout(GIVE_BACK_MAX, give_back).await;
}

#[cfg(test)]
mod tests {
    use deadpool_postgres::Object;
    use tokio::task::JoinHandle;
    use uuid::Uuid;

    use super::*;
    use crate::{
        jobs::queue::QueueTerms,
        store::{
            Shared,
            testing::{self, WAITS},
        },
    };

    const MINUTE: Duration = Duration::from_mins(1);

    /// A queue with one task, which is claimed while another connection keeps the table to itself.
    async fn claim_that_waits(store: &Shared, other: &Object) -> (Arc<Queue>, JoinHandle<Vec<Leased>>) {
        let terms = QueueTerms { lease: MINUTE, attempts_max: 5, poll: MINUTE, at_once: 4 };
        let queue = Queue::new(store.clone(), Uuid::now_v7(), terms);
        other.batch_execute("begin; lock table task in access exclusive mode").await.unwrap();
        let claim = tokio::spawn(claim_when_due(queue.clone()));
        let client = store.request().await.unwrap();
        while client.query_one(WAITS, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
        (queue, claim)
    }

    #[tokio::test]
    async fn a_claim_that_hangs_does_not_keep_a_process_from_ending() {
        let store = Arc::new(testing::store().await);
        let other = store.worker().await.unwrap();
        let (queue, claim) = claim_that_waits(&store, &other).await;
        queue.drain();
        let claimed = timeout(MINUTE / 6, claim).await.expect("it ends").unwrap();
        assert!(claimed.is_empty());
        other.batch_execute("rollback").await.unwrap();
    }

    #[tokio::test]
    async fn what_is_claimed_while_a_process_ends_is_given_back() {
        let store = Arc::new(testing::store().await);
        let other = store.worker().await.unwrap();
        let (queue, claim) = claim_that_waits(&store, &other).await;
        queue.drain();
        other.batch_execute("rollback").await.unwrap();
        let claimed = claim.await.unwrap();
        assert_eq!(claimed.len(), 1);
        give_back(queue, claimed.into()).await;
        let state = other.query_one("select state || attempt from task", &[]).await.unwrap();
        assert_eq!(state.get::<_, &str>(0), "ready0");
    }
}
