//! A store in memory, from which several probers of a test lease their sessions.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use mailsonde_engine::BoxFuture;
use tokio::time::{Instant, sleep};

use crate::budget::{Claim, Leave, Portion, Ration, RationError, RationKey, Rival};

/// How long a lease holds.
pub(super) const LIFE: Duration = Duration::from_secs(30);

/// What the store needs for an answer.
const LATENCY: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(super) struct Store {
    rows: Mutex<HashMap<(RationKey, usize), Row>>,
    /// It does not answer.
    pub(super) is_away: AtomicBool,
    /// It does what is asked, and its answers get lost.
    pub(super) is_mute: AtomicBool,
    calls: Mutex<Vec<Instant>>,
}

struct Row {
    sessions: usize,
    wanted: usize,
    until: Instant,
}

/// The store as one process knows it.
struct Client {
    store: Arc<Store>,
    process: usize,
}

impl Store {
    pub(super) fn client(self: &Arc<Self>, process: usize) -> Arc<dyn Ration> {
        Arc::new(Client { store: self.clone(), process })
    }

    /// Sessions leased now, by all processes, whatever for.
    pub(super) fn leased(&self) -> usize {
        let now = Instant::now();
        self.rows.lock().unwrap().values().filter(|row| row.until > now).map(|row| row.sessions).sum()
    }

    /// Whether nothing is kept of anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.lock().unwrap().is_empty()
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    fn portion(&self, process: usize, claim: &Claim) -> Portion {
        let now = Instant::now();
        let mut rows = self.rows.lock().unwrap();
        let rivals: Vec<Rival> = rows
            .iter()
            .filter(|((key, other), row)| *key == claim.key && *other != process && row.until > now)
            .map(|(_, row)| Rival { sessions: row.sessions, wanted: row.wanted })
            .collect();
        let portion = claim.portion(&rivals);
        let row = (claim.key.clone(), process);
        if portion.sessions == 0 && claim.wanted == 0 {
            rows.remove(&row);
        } else {
            let (sessions, wanted) = (portion.sessions, claim.wanted);
            rows.insert(row, Row { sessions, wanted, until: now + LIFE });
        }
        portion
    }
}

impl Ration for Client {
    fn claim<'a>(&'a self, claims: &'a [Claim]) -> BoxFuture<'a, Result<Leave, RationError>> {
        Box::pin(async move {
            let store = &self.store;
            store.calls.lock().unwrap().push(Instant::now());
            sleep(LATENCY).await;
            let lost = || Err(RationError("no answer".into()));
            if store.is_away.load(Relaxed) {
                return lost();
            }
            let portions = claims.iter().map(|claim| store.portion(self.process, claim)).collect();
            sleep(LATENCY).await;
            if store.is_mute.load(Relaxed) {
                return lost();
            }
            Ok(Leave { portions, life: LIFE })
        })
    }
}
