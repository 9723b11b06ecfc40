//! Lanes: which messages may go out now, and when to ask again for those that may not. Of one process; nobody waits here.
//!
//! | | has places | |
//! |---|---|---|
//! | a host of a client: its lane | `per_host_max` | one, where it did not answer the last time. With three such tries in a row it rests |
//! | a client | fewer than are free | so somebody who has none finds one, whatever others do |
//! | hosts that answered, or are new | three quarters of `at_once_max` | |
//! | hosts that did not answer | a quarter | they cost the others nothing |
//!
//! Whoever finds none is told when to ask again: behind those who were told before, at the pace at which places become
//! free there. So a backlog is looked at no oftener than there is something to be had. Who comes anew may pass it.

mod line;
mod pool;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use self::{line::Line, pool::Pool};

/// Tries in a row without an answer after which a host rests.
const SILENT_MAX: u32 = 3;

/// How long it rests then. Twice as long with each further try.
const REST_MIN: Duration = Duration::from_secs(30);

/// How long it rests at most.
const REST_MAX: Duration = Duration::from_mins(10);

/// What part of all places is for hosts that did not answer the last time.
const SILENT_SHARE: u32 = 4;

/// Hosts that are remembered.
const HOSTS_MAX: usize = 10_000;

/// See the module.
pub(super) struct Lanes {
    per_host_max: u32,
    traffic: Mutex<Traffic>,
}

/// All that is under way.
struct Traffic {
    lanes: HashMap<Box<[u8]>, Lane>,
    answering: Pool,
    silent: Pool,
}

/// A host of a client.
#[derive(Default)]
struct Lane {
    line: Line,
    /// Tries in a row that nobody answered.
    silent: u32,
    rests_until: Option<Instant>,
}

/// Why there is no place, and when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Others have them.
    Taken(Duration),
    /// The host does not answer, and rests: a try would be in vain.
    Rests(Duration),
}

/// A place. Given back when it is dropped.
pub(super) struct Place {
    lanes: Arc<Lanes>,
    client: Uuid,
    host: Box<[u8]>,
    is_to_silent: bool,
    since: Instant,
    end: End,
}

/// How a try ended.
#[derive(Clone, Copy)]
enum End {
    BrokenOff,
    Answered,
    Silent,
}

impl Lanes {
    pub(super) fn new(per_host_max: usize, at_once_max: usize) -> Arc<Self> {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let all = count(at_once_max);
        let silent = (all / SILENT_SHARE).max(1);
        let (answering, silent) = (Pool::new((all - silent).max(1)), Pool::new(silent));
        let traffic = Mutex::new(Traffic { lanes: HashMap::new(), answering, silent });
        Arc::new(Self { per_host_max: count(per_host_max), traffic })
    }

    /// Takes a place for a message of this client to this host of his.
    pub(super) fn enter(self: &Arc<Self>, client: Uuid, host: &[u8]) -> Result<Place, NoPlace> {
        let now = Instant::now();
        let mut traffic = self.traffic();
        let known = traffic.lanes.get_mut(host);
        let is_to_silent = known.as_ref().is_some_and(|lane| lane.silent > 0);
        if let Some(lane) = known {
            lane.admit(self.per_host_max, now)?;
        }
        let pool = traffic.pool(is_to_silent);
        pool.admit(client, now).map_err(NoPlace::Taken)?;
        pool.take(client);
        traffic.lane(host).line.take();
        let lanes = self.clone();
        Ok(Place { lanes, client, host: host.into(), is_to_silent, since: now, end: End::BrokenOff })
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    fn pool(&mut self, is_to_silent: bool) -> &mut Pool {
        if is_to_silent { &mut self.silent } else { &mut self.answering }
    }

    /// Which hosts are silent is forgotten when they are too many; it is learned anew.
    fn lane(&mut self, host: &[u8]) -> &mut Lane {
        if self.lanes.len() >= HOSTS_MAX {
            self.lanes.retain(|_, lane| lane.line.under_way > 0);
        }
        self.lanes.entry(host.into()).or_default()
    }
}

impl Lane {
    fn admit(&mut self, per_host_max: u32, now: Instant) -> Result<(), NoPlace> {
        if let Some(until) = self.rests_until.filter(|until| *until > now) {
            return Err(NoPlace::Rests(self.line.turn(now, until)));
        }
        let places = if self.silent > 0 { 1 } else { per_host_max };
        if self.line.under_way < places { Ok(()) } else { Err(NoPlace::Taken(self.line.turn(now, now))) }
    }

    fn hear(&mut self, end: End, now: Instant) {
        match end {
            End::BrokenOff => {}
            End::Answered if self.silent == 0 => {}
            End::Answered => {
                (self.silent, self.rests_until) = (0, None);
                self.line.forget_turns();
            }
            // Of tries that were under way together, those that end late say nothing new.
            End::Silent if self.rests_until.is_some_and(|until| until > now) => {}
            End::Silent => {
                self.silent = self.silent.saturating_add(1);
                if let Some(more) = self.silent.checked_sub(SILENT_MAX) {
                    self.rests_until = Some(now + (REST_MIN * 2u32.pow(more.min(8))).min(REST_MAX));
                }
            }
        }
    }
}

impl Place {
    /// Somebody answered, whatever it was.
    pub(super) fn answered(mut self) {
        self.end = End::Answered;
    }

    /// Nobody answered.
    pub(super) fn silent(mut self) {
        self.end = End::Silent;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (now, took) = (Instant::now(), self.since.elapsed());
        let mut traffic = self.lanes.traffic();
        traffic.pool(self.is_to_silent).leave(self.client, took);
        if let Some(lane) = traffic.lanes.get_mut(&self.host) {
            lane.line.leave(took);
            lane.hear(self.end, now);
            if lane.line.under_way == 0 && lane.silent == 0 {
                traffic.lanes.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests;
