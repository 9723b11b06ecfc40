//! Lanes: how many messages are under way at once, in this process, to one host of a client and in all. A host that does
//! not answer gets one at a time, then rests; and all who do not answer together get a part of the places. So messages to
//! others stay on time, and who finds no place comes back when there may be one, and holds none meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Tries in a row without an answer after which a host rests.
const SILENT_MAX: u32 = 3;

/// How long it rests then. Twice as long with each further try.
const REST_MIN: Duration = Duration::from_secs(30);

/// How long it rests at most.
const REST_MAX: Duration = Duration::from_mins(10);

/// What hosts that did not answer may have of all places.
const SILENT_SHARE: usize = 4;

/// For how long a place is taken, as those who wait for one are told: they come back one after the other.
const TURN: Duration = Duration::from_millis(500);

/// The longest that somebody is told to wait for a place; then he asks again.
const TURN_MAX: Duration = Duration::from_mins(10);

/// Hosts that are remembered though nothing is under way to them.
const HOSTS_MAX: usize = 10_000;

/// See the module.
pub(super) struct Lanes {
    per_host_max: usize,
    at_once_max: usize,
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    lanes: HashMap<Box<[u8]>, Lane>,
    under_way: usize,
    /// Of them, to hosts that did not answer the last time.
    under_way_to_silent: usize,
}

#[derive(Default)]
struct Lane {
    under_way: usize,
    /// Tries in a row that nobody answered.
    silent: u32,
    rests_until: Option<Instant>,
    /// When those who are waiting have been told to come back.
    next_turn: Option<Instant>,
}

/// A place. Given back when it is dropped.
pub(super) struct Place {
    lanes: Arc<Lanes>,
    host: Box<[u8]>,
    is_to_silent: bool,
}

impl Lanes {
    pub(super) fn new(per_host_max: usize, at_once_max: usize) -> Arc<Self> {
        Arc::new(Self {
            per_host_max: per_host_max.max(1),
            at_once_max: at_once_max.max(1),
            hosts: Mutex::default(),
        })
    }

    /// Takes a place for a message to this host.
    ///
    /// # Errors
    /// How long to wait, if there is none.
    pub(super) fn enter(self: &Arc<Self>, host: &[u8]) -> Result<Place, Duration> {
        let now = Instant::now();
        let mut hosts = self.hosts();
        let Hosts { lanes, under_way, under_way_to_silent } = &mut *hosts;
        if lanes.len() >= HOSTS_MAX {
            lanes.retain(|_, lane| lane.under_way > 0 || lane.rests_until.is_some_and(|until| until > now));
        }
        let lane = lanes.entry(host.into()).or_default();
        let is_to_silent = lane.silent > 0;
        let width = if is_to_silent { 1 } else { self.per_host_max };
        let rests_until = lane.rests_until.filter(|until| *until > now);
        if rests_until.is_some() || lane.under_way >= width {
            return Err(lane.turn(now, rests_until.unwrap_or(now)));
        }
        let share = (self.at_once_max / SILENT_SHARE).max(1);
        if *under_way >= self.at_once_max || is_to_silent && *under_way_to_silent >= share {
            return Err(TURN);
        }
        lane.under_way += 1;
        *under_way += 1;
        *under_way_to_silent += usize::from(is_to_silent);
        Ok(Place { lanes: self.clone(), host: host.into(), is_to_silent })
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// How long the next of those who wait is to stay away, who cannot come before `from`.
    fn turn(&mut self, now: Instant, from: Instant) -> Duration {
        let turn = self.next_turn.map_or(from, |turn| turn.max(from)) + TURN;
        let turn = turn.min(now + TURN_MAX.max(REST_MAX));
        self.next_turn = Some(turn);
        turn - now
    }
}

impl Place {
    /// Somebody answered, whatever it was.
    pub(super) fn answered(self) {
        let mut hosts = self.lanes.hosts();
        if let Some(lane) = hosts.lanes.get_mut(&self.host) {
            (lane.silent, lane.rests_until) = (0, None);
        }
        drop(hosts);
    }

    /// Nobody answered.
    pub(super) fn silent(self) {
        let mut hosts = self.lanes.hosts();
        if let Some(lane) = hosts.lanes.get_mut(&self.host) {
            lane.silent = lane.silent.saturating_add(1);
            if let Some(more) = lane.silent.checked_sub(SILENT_MAX) {
                let rest = REST_MIN * 2u32.pow(more.min(8));
                lane.rests_until = Some(Instant::now() + rest.min(REST_MAX));
            }
        }
        drop(hosts);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hosts = self.lanes.hosts();
        hosts.under_way -= 1;
        hosts.under_way_to_silent -= usize::from(self.is_to_silent);
        if let Some(lane) = hosts.lanes.get_mut(&self.host) {
            lane.under_way -= 1;
            if lane.under_way == 0
                && lane.silent == 0
                && lane.next_turn.is_none_or(|turn| turn <= Instant::now())
            {
                hosts.lanes.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_host_has_so_many_and_others_have_theirs() {
        let lanes = Lanes::new(2, 10);
        let places: Vec<_> = (0..2).map(|_| lanes.enter(b"a").unwrap_or_else(|_| panic!())).collect();
        let waits: Vec<Duration> = (0..3).filter_map(|_| lanes.enter(b"a").err()).collect();
        assert_eq!(waits, [TURN, TURN * 2, TURN * 3], "one after the other");
        assert!(lanes.enter(b"b").is_ok());
        drop(places);
        assert!(lanes.enter(b"a").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_so_many() {
        let lanes = Lanes::new(4, 3);
        let places: Vec<_> = [b"a", b"b", b"c"].iter().filter_map(|host| lanes.enter(*host).ok()).collect();
        assert_eq!((places.len(), lanes.enter(b"d").err()), (3, Some(TURN)));
        drop(places);
        assert!(lanes.enter(b"d").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_gets_one_at_a_time_and_then_rests() {
        let lanes = Lanes::new(4, 100);
        let silent = || lanes.enter(b"a").unwrap_or_else(|wait| panic!("{wait:?}")).silent();
        silent();
        let place = lanes.enter(b"a").ok();
        assert!(place.is_some() && lanes.enter(b"a").is_err());
        drop(place);
        silent();
        silent();
        assert!(lanes.enter(b"a").is_err_and(|wait| wait >= REST_MIN));
        advance(REST_MIN + Duration::from_millis(1)).await;
        silent();
        assert!(lanes.enter(b"a").is_err_and(|wait| wait >= REST_MIN * 2));
        for _ in 0..20 {
            advance(REST_MAX + Duration::from_millis(1)).await;
            silent();
        }
        assert!(lanes.enter(b"a").is_err_and(|wait| wait <= REST_MAX + TURN));
        advance(REST_MAX + Duration::from_millis(1)).await;
        lanes.enter(b"a").unwrap_or_else(|_| panic!()).answered();
        let places: Vec<_> = (0..5).filter_map(|_| lanes.enter(b"a").ok()).collect();
        assert_eq!(places.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_silent_leaves_room_for_the_others() {
        let lanes = Lanes::new(4, 8);
        let hosts: Vec<[u8; 1]> = (0..20).map(|host| [host]).collect();
        for host in &hosts {
            lanes.enter(host).unwrap_or_else(|_| panic!()).silent();
        }
        let to_silent: Vec<_> = hosts.iter().filter_map(|host| lanes.enter(host).ok()).collect();
        assert_eq!(to_silent.len(), 2);
        let to_others: Vec<_> = (100..120u8).filter_map(|host| lanes.enter(&[host]).ok()).collect();
        assert_eq!(to_others.len(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_of_which_nothing_is_to_be_remembered_are_forgotten() {
        let lanes = Lanes::new(4, 8);
        for host in 0..1_000u32 {
            lanes.enter(&host.to_be_bytes()).unwrap_or_else(|_| panic!()).answered();
        }
        assert!(lanes.hosts().lanes.is_empty());
    }
}
