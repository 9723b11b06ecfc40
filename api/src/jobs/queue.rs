//! The queue: what `apalis` workers take their tasks from. Ours, on the store's table of tasks: leases with fences,
//! extended apart from the handlers; earliest deadline first; a failure counts whether it is told or only noticed.
//! docs/jobs.md has the states of a task.
//!
//! | | |
//! |---|---|
//! | `backend` | hands claimed tasks to an apalis worker, and ends with it |
//! | `settle` | what becomes of a task when its handler is done |
//! | `removal` | removes finished tasks, as many together as there are |
//! | `keeper` | extends leases |
//! | `sweeper` | takes back leases that ran out, and ends jobs that nobody has ended |
//! | `bell` | hears of new tasks and of jobs that end |

mod backend;
mod bell;
mod keeper;
mod removal;
mod settle;
mod sweeper;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use self::removal::Removal;
pub(crate) use self::{
    backend::TaskQueue,
    bell::listen,
    keeper::{TURNS_PER_LEASE, keep},
    settle::{Done, TaskError},
    sweeper::sweep,
};
use crate::store::{
    Shared, StoreError,
    tasks::{self, Claimed, Lease},
};

/// How the queue is worked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueTerms {
    /// A worker that is not heard of for this long has lost its tasks.
    pub(crate) lease: Duration,
    /// Failures after which a task is dead.
    pub(crate) attempts_max: i16,
    /// How often to look for tasks, besides when somebody tells.
    pub(crate) poll: Duration,
    /// Tasks at work at the same time in this process.
    pub(crate) at_once: usize,
}

/// This process's end of the queue.
pub(crate) struct Queue {
    pub(crate) store: Shared,
    pub(crate) worker: Uuid,
    pub(crate) terms: QueueTerms,
    leases: Mutex<HashMap<Lease, watch::Sender<Word>>>,
    finished: Removal,
    at_work: AtomicUsize,
    /// A task may be there, or a place has become free.
    wake: Notify,
    /// A job has ended or was paused.
    look: watch::Sender<()>,
    /// No task is to be taken any more.
    draining: watch::Sender<bool>,
    /// How many times nothing was found to do.
    idle: watch::Sender<u64>,
}

/// What a handler is told while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nothing.
    GoOn,
    /// The lease is somebody else's, or the job has ended: nothing that is done now counts.
    Lost,
    /// Stop here, keep what there is, and give the task back: its job was paused, or the process ends.
    Stop,
}

/// A task that is ours, until it is dropped.
pub(crate) struct Leased {
    pub(crate) task: Claimed,
    pub(crate) word: watch::Receiver<Word>,
    queue: Arc<Queue>,
}

impl Queue {
    /// `worker`: a name of this process that no other has.
    pub(crate) fn new(store: Shared, worker: Uuid, terms: QueueTerms) -> Arc<Self> {
        Arc::new(Self {
            store,
            worker,
            terms,
            leases: Mutex::default(),
            finished: Removal::default(),
            at_work: AtomicUsize::new(0),
            wake: Notify::new(),
            look: watch::Sender::default(),
            draining: watch::Sender::default(),
            idle: watch::Sender::default(),
        })
    }

    /// Takes no more tasks. Those at work are finished.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Tells those at work to stop.
    pub(crate) fn stop(&self) {
        for word in self.leases().values() {
            word.send_replace(Word::Stop);
        }
    }

    /// Ends when nothing is at work here, and nothing is left to do anywhere.
    pub(crate) async fn is_idle(&self) {
        let mut idle = self.idle.subscribe();
        while idle.changed().await.is_ok() {
            if self.at_work.load(Relaxed) == 0 && matches!(self.is_pending().await, Ok(false)) {
                return;
            }
        }
    }

    async fn is_pending(&self) -> Result<bool, StoreError> {
        tasks::is_pending(&self.store.worker().await?).await
    }

    /// Claims tasks for the free places of this process.
    async fn claim(self: &Arc<Self>) -> Result<Vec<Leased>, StoreError> {
        let places = self.terms.at_once.saturating_sub(self.at_work.load(Relaxed));
        if places == 0 {
            return Ok(Vec::new());
        }
        let client = self.store.worker().await?;
        let claimed = tasks::claim(&client, self.worker, self.terms.lease, places).await?;
        Ok(claimed.into_iter().map(|task| self.hold(task)).collect())
    }

    /// How long nothing will be due, as far as is known: `poll` at most.
    async fn until_due(&self) -> Result<Duration, StoreError> {
        if self.at_work.load(Relaxed) >= self.terms.at_once {
            // Whoever ends wakes us.
            return Ok(self.terms.poll);
        }
        let next = tasks::next_due(&self.store.worker().await?).await?;
        Ok(next.map_or(self.terms.poll, |next| next.min(self.terms.poll)))
    }

    fn hold(self: &Arc<Self>, task: Claimed) -> Leased {
        let (sender, word) = watch::channel(Word::GoOn);
        self.leases().insert(task.lease, sender);
        self.at_work.fetch_add(1, Relaxed);
        Leased { task, word, queue: self.clone() }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Lease, watch::Sender<Word>>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.queue.leases().remove(&self.task.lease);
        self.queue.at_work.fetch_sub(1, Relaxed);
        self.queue.wake.notify_one();
    }
}
