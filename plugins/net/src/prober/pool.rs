//! Pools: everybody who is asked about at the same MX set under the same identity of ours. Each has a task that opens
//! sessions as they are wanted, and ends when nobody waits and the last session is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mailsonde_engine::{Address, Answered, EgressId, MxSet, Operator, ProbeFailure, Stop};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Shared, connect, hosts,
    ledger::{AskId, Ledger, SLOW},
    presence::Presence,
    visit::Visit,
};
use crate::budget::{BudgetKey, Share};

type PoolKey = (MxSet, EgressId);

/// The pools that somebody waits in.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<PoolKey, Arc<Pool>>>);

/// See the module.
pub(super) struct Pool {
    key: PoolKey,
    pub(super) budget_key: BudgetKey,
    pub(super) shared: Arc<Shared>,
    pub(super) share: Arc<Share>,
    ledger: Mutex<Ledger>,
    changed: Notify,
}

/// An ask in a pool.
pub(super) struct Enrolled {
    pub(super) pool: Arc<Pool>,
    pub(super) ask: AskId,
    /// Ends when the last answer is sent.
    pub(super) done: oneshot::Receiver<()>,
}

impl Pools {
    /// Takes an ask into its pool, which is opened if there is none.
    pub(super) fn enroll(
        &self,
        shared: &Arc<Shared>,
        key: PoolKey,
        recipients: &[(usize, Address)],
        stop: Stop,
        answers: mpsc::UnboundedSender<Answered>,
    ) -> Enrolled {
        // A pool closes under this lock too, so that none is closed that somebody has just entered.
        let mut pools = self.lock();
        let pool = pools.entry(key).or_insert_with_key(|key| Pool::open(shared.clone(), key.clone())).clone();
        let (ask, done) = pool.ledger().enroll(recipients, stop, answers);
        pool.changed();
        Enrolled { pool, ask, done }
    }

    /// Closes the pool if nobody is in it.
    fn close(&self, pool: &Pool) -> bool {
        let mut pools = self.lock();
        let is_idle = pool.ledger().is_idle();
        if is_idle {
            pools.remove(&pool.key);
        }
        is_idle
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PoolKey, Arc<Pool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn open(shared: Arc<Shared>, key: PoolKey) -> Arc<Self> {
        let (mx, egress) = &key;
        let budget_key = BudgetKey::of(mx);
        let accepts_all =
            |host: &str| Operator::of_host(host).is_some_and(|operator| operator.row().accepts_all);
        let hosts = hosts::in_order(mx, &shared.random);
        let hosts = hosts.into_iter().map(|host| (Arc::from(&*host.name), accepts_all(&host.name)));
        let ledger = Ledger::new(hosts, *egress, shared.memory.clone(), shared.config.cool_down);
        let share = shared.budget.share(*egress, &budget_key);
        let pool = Arc::new(Self {
            key,
            budget_key,
            shared,
            share,
            ledger: Mutex::new(ledger),
            changed: Notify::new(),
        });
        tokio::spawn(pool.clone().run());
        pool
    }

    pub(super) fn egress(&self) -> EgressId {
        self.key.1
    }

    /// The ledger. Never held while anything is waited for.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is to be looked at anew.
    pub(super) fn changed(&self) {
        self.ledger().wake_sessions();
        self.look_again();
    }

    /// Another session may be wanted.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    async fn run(self: Arc<Self>) {
        loop {
            let look_again = self.staff();
            if self.shared.pools.close(&self) {
                return;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(look_again.unwrap_or_else(Instant::now)), if look_again.is_some() => {}
            }
        }
    }

    /// Opens the sessions that are wanted. Returns when to look again, even if nothing changes.
    fn staff(self: &Arc<Self>) -> Option<Instant> {
        if self.ledger().is_waiting()
            && let Err(at) = self.share.ready()
        {
            return Some(at);
        }
        loop {
            let wanted = self.ledger().wants_session(self.share.sessions_max());
            let Some(host) = wanted else { break };
            if !self.shared.egress.may_try(self.egress()) {
                let mut ledger = self.ledger();
                if ledger.has_sessions() {
                    // They may still get through.
                    return Some(Instant::now() + SLOW);
                }
                ledger.fail_all(ProbeFailure::EgressDown);
                break;
            }
            let presence = Presence::new(self.clone(), host);
            tokio::spawn(serve(presence));
        }
        self.ledger().slow_at()
    }
}

/// One session with a host, from the wait for its place to its farewell.
async fn serve(presence: Presence) {
    let pool = presence.pool().clone();
    let _open = pool.shared.count_session();
    let grant = tokio::select! {
        grant = pool.share.session() => grant,
        () = presence.is_abandoned() => None,
    };
    let Some(grant) = grant else { return };
    if pool.share.ready().is_err() {
        // Others have used up what the host bears for now; the pool's task knows when to come again.
        return;
    }
    presence.dials();
    let mut stint = pool.share.stint();
    let session = tokio::select! {
        biased;
        // Others may have served everybody meanwhile.
        () = presence.is_abandoned() => None,
        session = connect::connect(&presence) => session,
    };
    let Some(mut session) = session else { return };
    let targets_max = pool.shared.config.recipients_per_session_max;
    Visit::new(&mut session, &presence, targets_max, &mut stint).run(&grant).await;
    // The place is given back only when the session has left, but nobody waits for the farewell.
    drop(presence);
    session.quit().await;
    drop((grant, stint));
}
