//! What becomes of a task when its handler is done, fails or panics. The one place where tasks leave their leases.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{error::BoxDynError, task::Task};
use futures_util::FutureExt as _;
use mailsonde_engine::BoxFuture;
use tokio::time::sleep;
use tower::{Layer, Service};

use super::{Leased, Queue};
use crate::{
    jobs::rows::RowsError,
    store::{
        StoreError,
        tasks::{self, Lease},
    },
};

/// The pause before the second attempt; each later one waits twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// How often to try to write down what has become of a task.
const TRIES: usize = 3;

/// The longest pause before another attempt.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// What a handler says of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Finished, and removed from the queue together with what it has written.
    Settled,
    /// Finished, or nobody's business any more.
    Finished,
    /// To be tried again after this time; nothing has failed.
    Snooze(Duration),
    /// For somebody else, or for later; nothing has failed.
    HandBack,
}

/// Why a handler failed. Never holds an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TaskError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept cannot be understood.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// It took too long.
    #[error("it was not done within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// A fault of ours.
    #[error("{0}")]
    Fault(Box<str>),
}

/// Wraps the handlers of a worker.
#[derive(Clone)]
pub(crate) struct SettleLayer(Arc<Queue>);

impl SettleLayer {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }
}

impl<S> Layer<S> for SettleLayer {
    type Service = Settle<S>;

    fn layer(&self, handlers: S) -> Settle<S> {
        Settle { queue: self.0.clone(), handlers }
    }
}

/// See the module.
pub(crate) struct Settle<S> {
    queue: Arc<Queue>,
    handlers: S,
}

impl<S> Service<Task<Leased>> for Settle<S>
where
    S: Service<Task<Leased>, Response = Done>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.handlers.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Leased>) -> Self::Future {
        let (queue, claimed) = (self.queue.clone(), &task.args.task);
        let (lease, attempt, kind) = (claimed.lease, claimed.attempt, claimed.kind);
        let work = self.handlers.call(task);
        async move {
            let settlement = Settlement::of(work.await.map_err(Into::into), attempt);
            if let Err(error) = settle(&queue, lease, settlement).await
                && !matches!(error, StoreError::Fenced)
            {
                // It is taken back when its lease runs out.
                tracing::warn!("task {}, a {}, was not settled: {error}", lease.task, kind.word());
            }
            Ok(())
        }
        .boxed()
    }
}

/// What is to be written of a task.
enum Settlement {
    Nothing,
    Finished,
    Snooze(Duration),
    HandBack,
    Failed { wait: Duration, error: String },
}

impl Settlement {
    /// A store that was away, or was busy with others, is no failure of the task.
    fn of(done: Result<Done, BoxDynError>, attempt: i16) -> Self {
        let wait = pause_after(attempt);
        let error = match done {
            Ok(Done::Settled) => return Self::Nothing,
            Ok(Done::Finished) => return Self::Finished,
            Ok(Done::Snooze(wait)) => return Self::Snooze(wait),
            Ok(Done::HandBack) => return Self::HandBack,
            Err(error) => error,
        };
        match error.downcast::<TaskError>().map(|error| *error) {
            Ok(TaskError::Store(error)) if error.is_transient() => Self::Snooze(wait),
            Ok(error) => Self::Failed { wait, error: error.to_string() },
            // The text of a panic may hold anything.
            Err(_) => Self::Failed { wait, error: "the handler panicked".to_owned() },
        }
    }

    async fn write(&self, queue: &Queue, lease: Lease) -> Result<(), StoreError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Finished => queue.finished.remove(&queue.store, lease).await,
            Self::Snooze(wait) => tasks::snooze(&queue.store.worker().await?, lease, *wait).await,
            Self::HandBack => tasks::hand_back(&queue.store.worker().await?, lease).await,
            Self::Failed { wait, error } => {
                let client = queue.store.worker().await?;
                let failed = tasks::fail(&client, lease, queue.terms.attempts_max, *wait, error).await?;
                let outcome = if failed.is_dead { "it is given up" } else { "it is tried again" };
                tracing::warn!("task {} failed, and {outcome}: {error}", lease.task);
                queue.look.send_replace(());
                Ok(())
            }
        }
    }
}

/// Writes it down, if need be at the third try: what is not written is taken for a failure when the lease runs out.
async fn settle(queue: &Queue, lease: Lease, settlement: Settlement) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        match settlement.write(queue, lease).await {
            Err(error) if error.is_transient() => sleep(PAUSE_MIN).await,
            settled => return settled,
        }
    }
    settlement.write(queue, lease).await
}

/// How long to wait before a task that failed so many times before is tried again.
fn pause_after(attempt: i16) -> Duration {
    let doublings = u32::try_from(attempt).unwrap_or_default().min(16);
    (PAUSE_MIN * 2u32.pow(doublings)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = [0, 1, 2, 6, i16::MAX].map(|attempt| pause_after(attempt).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 60, 60]);
    }
}
