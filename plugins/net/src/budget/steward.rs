//! The steward: asks the store for sessions as they are wanted, renews what is used, and gives back what is not. One task
//! for the process; one call at a time, for all keys that are due.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::{Instant, sleep, sleep_until},
};

use super::{
    quota::Quota,
    ration::{Claim, Ration},
};

/// Claims put in together: a statement of a few hundred rows takes a store a few milliseconds.
const CLAIMS_MAX: usize = 200;

/// How long wishes are gathered, to be put in together.
const GATHER: Duration = Duration::from_millis(5);

/// See the module.
pub(super) struct Steward {
    ration: Arc<dyn Ration>,
    /// Keys of which something is held or wanted.
    active: Mutex<Vec<Arc<Quota>>>,
    wake: Arc<Notify>,
    is_at_work: AtomicBool,
    /// Held during a round.
    round: AsyncMutex<()>,
}

impl Steward {
    pub(super) fn new(ration: Arc<dyn Ration>) -> Arc<Self> {
        Arc::new(Self {
            ration,
            active: Mutex::default(),
            wake: Arc::default(),
            is_at_work: AtomicBool::new(false),
            round: AsyncMutex::new(()),
        })
    }

    /// Something has changed with this quota. Must be called inside a tokio runtime.
    pub(super) fn look_at(self: &Arc<Self>, quota: &Arc<Quota>) {
        if quota.enlist() {
            self.active().push(quota.clone());
        }
        if !self.is_at_work.swap(true, Relaxed) {
            tokio::spawn(work(Arc::downgrade(self), self.wake.clone()));
        }
        self.wake.notify_one();
    }

    /// Gives back what nobody uses, at once.
    pub(super) async fn close(&self) {
        self.active().iter().for_each(|quota| quota.retire());
        self.round().await;
    }

    /// Asks for all keys that are due. Returns when to look again.
    async fn round(&self) -> Option<Instant> {
        let _one_at_a_time = self.round.lock().await;
        let active = self.active().clone();
        // What is due now is due by a clock that is read first, and goes on.
        let due: Vec<_> =
            active.into_iter().filter(|quota| quota.due().is_some_and(|at| at <= Instant::now())).collect();
        for quotas in due.chunks(CLAIMS_MAX) {
            self.ask(quotas).await;
        }
        let mut active = self.active();
        active.retain(|quota| !quota.delist_if_nothing());
        active.iter().filter_map(|quota| quota.look()).min()
    }

    /// All of them are rationed, or they would not be on the list.
    async fn ask(&self, quotas: &[Arc<Quota>]) {
        let claims: Vec<Claim> = quotas.iter().filter_map(|quota| quota.claim()).collect();
        // From before the store heard of it: what it gives may not last longer here than there.
        let asked_at = Instant::now();
        let leave = self.ration.claim(&claims).await.ok();
        let mut portions = leave.iter().flat_map(|leave| &leave.portions);
        let life = leave.as_ref().map_or_else(Default::default, |leave| leave.life);
        for (quota, claim) in quotas.iter().zip(&claims) {
            match portions.next() {
                Some(portion) => quota.settle(claim, *portion, asked_at, life),
                None => quota.fail(),
            }
        }
    }

    fn active(&self) -> MutexGuard<'_, Vec<Arc<Quota>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        // Its task sees that it is gone.
        self.wake.notify_one();
    }
}

async fn work(steward: Weak<Steward>, wake: Arc<Notify>) {
    while let Some(at_work) = steward.upgrade() {
        let next = at_work.round().await;
        drop(at_work);
        tokio::select! {
            () = wake.notified() => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
        sleep(GATHER).await;
    }
}
