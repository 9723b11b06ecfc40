//! A session's presence in its pool: what it may do there, and the promise that its place is cleared when it ends,
//! however it ends.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::{ProbeFailure, Reading};
use tokio::sync::Notify;

use super::{
    ledger::{Postponed, Room, SessionId, Taken},
    pool::Pool,
    tally::Outlook,
};
use crate::{
    budget::Share,
    memory::{Manners, Rest},
};

pub(super) struct Presence {
    pool: Arc<Pool>,
    id: SessionId,
    host: usize,
    wake: Arc<Notify>,
}

impl Presence {
    pub(super) fn new(pool: Arc<Pool>, host: usize) -> Self {
        let (id, wake) = pool.ledger().arrive(host);
        Self { pool, id, host, wake }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The name of the host that is visited.
    pub(super) fn host_name(&self) -> Arc<str> {
        self.pool.ledger().host_name(self.host)
    }

    pub(super) fn share(&self) -> &Share {
        &self.pool.share
    }

    pub(super) fn manners(&self) -> Manners {
        self.pool.shared.memory.manners(&self.pool.budget_key)
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut Manners)) {
        self.pool.shared.memory.learn(&self.pool.budget_key, change);
    }

    pub(super) fn keep_warm(&self) -> Duration {
        self.pool.shared.config.keep_warm
    }

    /// Closes the last window, and looks what there is to do; `None` when nobody waits.
    pub(super) fn look(&self) -> Option<Outlook> {
        let mut ledger = self.pool.ledger();
        ledger.end_window(self.id);
        ledger.outlook(self.id)
    }

    pub(super) fn take(&self, room: Room) -> Taken {
        self.pool.ledger().take(self.id, room, &self.pool.shared.random)
    }

    /// The session has its place, and tries to reach the host.
    pub(super) fn dials(&self) {
        self.pool.ledger().dials(self.id);
    }

    /// The last `count` of those taken were not written.
    pub(super) fn unwritten(&self, count: usize) {
        if count > 0 {
            self.pool.ledger().unwritten(self.id, count);
        }
    }

    pub(super) fn hear(&self, reading: Box<Reading>) {
        self.pool.ledger().hear(self.id, reading);
    }

    pub(super) fn decline(&self) {
        self.pool.ledger().decline(self.id);
    }

    /// `true` when that happens to the recipient for the first time.
    pub(super) fn postpone(&self, reading: Box<Reading>, why: Postponed) -> bool {
        self.pool.ledger().postpone(self.id, Some(reading), why)
    }

    /// `true` when that happens at this recipient for the first time.
    pub(super) fn broke(&self, last_word: Option<Box<Reading>>, why: ProbeFailure) -> bool {
        self.pool.ledger().broke(self.id, last_word, why)
    }

    /// What was heard may concern other sessions: somebody goes to another host, or is answered already.
    pub(super) fn tell_others(&self) {
        self.pool.changed();
    }

    /// Whether another session with the same host is at work.
    pub(super) fn has_company(&self) -> bool {
        self.pool.ledger().is_served(self.host, self.id)
    }

    pub(super) fn give_up_host(&self, why: &Rest) {
        let mut ledger = self.pool.ledger();
        // Who was about to be asked here moves on with the others.
        ledger.unwritten(self.id, usize::MAX);
        ledger.give_up_host(self.host, why);
    }

    /// Ends when somebody waits.
    pub(super) async fn has_work(&self) {
        while self.look().is_none() {
            self.wake.notified().await;
        }
    }

    /// Ends when the session serves nobody any more.
    pub(super) async fn is_abandoned(&self) {
        while !self.pool.ledger().is_abandoned(self.id) {
            self.wake.notified().await;
        }
    }

    /// Ends when no session is to be kept.
    pub(super) async fn is_closing(&self) {
        // An error means that the prober is gone, and that is a kind of closing.
        let _ = self.pool.shared.closing.subscribe().wait_for(|closing| *closing).await;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.pool.ledger().leave(self.id);
        self.pool.changed();
    }
}
