//! The backend of an apalis worker: hands it claimed tasks, one for each place that is free.
//!
//! It never fails: a database that is away is waited for. It ends when the queue drains; tasks that were claimed and that
//! nobody took by then are given back.

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
use tokio::time::sleep;

use super::{Leased, Queue, settle::SettleLayer};
use crate::store::tasks;

/// The longest pause between attempts to reach a database that is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

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
        tokio::select! {
            () = queue.wake.notified() => {}
            _ = draining.changed() => {}
            () = sleep(wait) => {}
        }
    }
}

async fn give_back(queue: Arc<Queue>, claimed: VecDeque<Leased>) {
    for leased in claimed {
        let Ok(client) = queue.store.worker().await else { return };
        // What cannot be given back is taken back when its lease runs out.
        let _ = tasks::hand_back(&client, leased.task.lease).await;
    }
}
