//! What an operator bears, as configured and as it was heard: how many are asked about in a second, and how many of them
//! must be asked about again.
//!
//! Two memories: what an operator bore lately, which counts while it is slow, and what it usually bears, which counts
//! after that. One slow hour must not refuse what is due tomorrow, and must not be forgotten within that hour.

use std::collections::HashMap;

use jiff::Timestamp;

use super::cut::{MIXED, OFFLINE};

/// Seconds at full use after which what was heard lately has nearly replaced what was heard before.
const LATELY_SECONDS: f64 = 60.0;

/// The same for what is usual: hours, so that a slow one does not count as usual.
const USUAL_SECONDS: f64 = 6.0 * 3600.0;

/// The same for what is assumed before anything is heard: little, since it is a guess.
const ASSUMED_SECONDS: f64 = 300.0;

/// What is heard counts for what is usual as if it differed from that by no more than this share: slow hours are not usual.
const UNUSUAL: f64 = 0.2;

/// Who bears less than this share of what is usual is slow.
const SLOW: f64 = 0.9;

/// How long a slow operator is taken to be slow in all: throttles are counted in parts of an hour.
const SLOW_SECONDS: f64 = 45.0 * 60.0;

/// One that is slow for longer is taken to stay so for this long after it was heard last.
const STILL_SLOW_SECONDS: f64 = 300.0;

/// What is planned with of what an operator bears. The rest is for sessions that break, and for the ends of chunks, when
/// some of their sessions have nothing left to ask.
const PLANNED: f64 = 0.98;

/// What an operator, or a domain of nobody known, bears.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// Sessions that may be open at once, in the whole installation.
    pub sessions: f64,
    /// Recipients a minute, where that is limited.
    pub per_minute: Option<f64>,
    /// Recipients that one session asks about in a second, usually.
    usual: f64,
    /// The same, lately.
    lately: f64,
    /// The share of recipients that must be asked about again.
    again: f64,
    /// Seconds at full use for which it was heard.
    heard_seconds: f64,
    heard_at: Option<Timestamp>,
    slow_since: Option<Timestamp>,
}

/// What was observed of an operator, by a chunk that ended or over some time.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// Recipients that were asked about.
    pub asks: f64,
    /// How many of them are to be asked about again.
    pub again: f64,
    /// Seconds for which sessions were at it, all sessions together.
    pub session_seconds: f64,
}

/// What was learned of an operator: what is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Recipients that one session asks about in a second, usually.
    pub usual: f64,
    /// The same, lately.
    pub lately: f64,
    /// The share of recipients that must be asked about again.
    pub again: f64,
    /// Seconds at full use for which it was heard.
    pub heard_seconds: f64,
    /// When it was heard of last.
    pub heard_at: Option<Timestamp>,
    /// Since when it is slow, if it is.
    pub slow_since: Option<Timestamp>,
}

impl Capacity {
    /// The same with what was learned, here or elsewhere.
    #[must_use]
    pub fn remembering(self, memory: Memory) -> Self {
        let Memory { usual, lately, again, heard_seconds, heard_at, slow_since } = memory;
        Self { usual, lately, again, heard_seconds, heard_at, slow_since, ..self }
    }

    /// What is learned by now.
    pub fn memory(&self) -> Memory {
        let Self { usual, lately, again, heard_seconds, heard_at, slow_since, .. } = *self;
        Memory { usual, lately, again, heard_seconds, heard_at, slow_since }
    }

    /// Before anything was heard: so many sessions, each asking about so many recipients in a second.
    pub fn assumed(sessions: f64, per_session: f64, again: f64) -> Self {
        Self {
            sessions,
            per_minute: None,
            usual: per_session,
            lately: per_session,
            again,
            heard_seconds: 0.0,
            heard_at: None,
            slow_since: None,
        }
    }

    /// Learns from what was observed.
    pub fn hear(&mut self, now: Timestamp, heard: Heard) {
        if heard.session_seconds <= 0.0 || heard.asks <= 0.0 {
            return;
        }
        let at_full_use = heard.session_seconds / self.sessions;
        let weight = |seconds: f64| 1.0 - (-at_full_use / seconds).exp();
        self.heard_seconds += at_full_use;
        let (quick, slow) =
            (weight(LATELY_SECONDS), weight((ASSUMED_SECONDS + self.heard_seconds).min(USUAL_SECONDS)));
        let rate = heard.asks / heard.session_seconds;
        self.lately += (rate - self.lately) * quick;
        let unusual = UNUSUAL * self.usual;
        self.usual += (rate - self.usual).clamp(-unusual, unusual) * slow;
        self.again += (heard.again / heard.asks - self.again) * slow;
        self.heard_at = Some(now);
        self.slow_since = self.is_slow().then(|| self.slow_since.unwrap_or(now));
    }

    fn is_slow(&self) -> bool {
        self.lately < SLOW * self.usual
    }

    /// How often a recipient is asked about, on average.
    pub fn rounds(&self) -> f64 {
        1.0 + self.again
    }

    /// Seconds of one session that a recipient takes, on average.
    pub fn session_seconds(&self) -> f64 {
        self.rounds() / self.usual
    }

    /// Recipients a second from `now` on, of which a plan may make use.
    pub fn supply(&self, now: Timestamp) -> Supply {
        let bearable = |per_session: f64| {
            let by_sessions = self.sessions * per_session;
            PLANNED * self.per_minute.map_or(by_sessions, |limit| by_sessions.min(limit / 60.0))
        };
        let slow_for = self.slow_since.map_or(0.0, |since| self.slow_for(since, now));
        if slow_for <= 0.0 {
            return Supply::steady(bearable(self.usual));
        }
        Supply { first: bearable(self.lately), seconds: slow_for, then: bearable(self.usual) }
    }

    /// Seconds from `now` for which one that is slow since then is taken to stay so; none where they are over.
    fn slow_for(&self, since: Timestamp, now: Timestamp) -> f64 {
        let after = |at: Timestamp, seconds: f64| seconds - now.duration_since(at).as_secs_f64();
        let heard_at = self.heard_at.unwrap_or(since);
        after(since, SLOW_SECONDS).max(after(heard_at, STILL_SLOW_SECONDS))
    }
}

/// A rate that holds for some time, and another one after that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supply {
    /// Units a second at first.
    pub first: f64,
    /// Seconds for which it holds.
    pub seconds: f64,
    /// Units a second after that.
    pub then: f64,
}

impl Supply {
    /// The same rate always.
    pub fn steady(rate: f64) -> Self {
        Self { first: rate, seconds: 0.0, then: rate }
    }

    /// Seconds until so many units are done.
    pub fn seconds_for(&self, units: f64) -> f64 {
        let first = self.first * self.seconds;
        if units < first { units / self.first } else { self.seconds + (units - first) / self.then }
    }
}

/// What everybody bears.
#[derive(Debug, Clone)]
pub struct Capacities {
    /// By the operator's id; also [`MIXED`] and [`OFFLINE`].
    pub operators: HashMap<Box<str>, Capacity>,
    /// What the mail hosts of one domain bear, where nobody known runs them.
    pub domain: Capacity,
    /// What an operator bears of which nothing is known but that it is one.
    pub operator: Capacity,
}

impl Capacities {
    /// What the operator of a chunk bears.
    pub fn of(&self, operator: &str) -> &Capacity {
        let other = if operator.contains('.') { &self.domain } else { &self.operator };
        self.operators.get(operator).unwrap_or(other)
    }

    /// With how much is done at once of [`MIXED`] and [`OFFLINE`] besides what others bear.
    #[must_use]
    pub fn with(mut self, mixed: Capacity, offline_per_second: f64) -> Self {
        self.operators.insert(MIXED.into(), mixed);
        self.operators.insert(OFFLINE.into(), Capacity::assumed(1.0, offline_per_second, 0.0));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn hear_for(capacity: &mut Capacity, seconds: i64, rate: f64, again: f64) -> Timestamp {
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..seconds / 30 {
            now += SignedDuration::from_secs(30);
            let session_seconds = 30.0 * capacity.sessions;
            let asks = session_seconds * rate;
            capacity.hear(now, Heard { asks, again: asks * again, session_seconds });
        }
        now
    }

    #[test]
    fn a_slow_hour_counts_for_its_time_and_hardly_for_tomorrow() {
        let mut capacity = Capacity::assumed(10.0, 2.0, 0.0);
        hear_for(&mut capacity, 6 * 3_600, 2.0, 0.0);
        let now = hear_for(&mut capacity, 1_800, 0.5, 0.0);
        let supply = capacity.supply(now);
        assert!(supply.first < 0.3 * 20.0 && supply.then > 0.9 * PLANNED * 20.0, "{supply:?}");
        let heard_for = 1_800.0 - 60.0;
        assert!((supply.seconds - (SLOW_SECONDS - heard_for)).abs() <= 60.0, "{supply:?}");
        let later = capacity.supply(now + SignedDuration::from_hours(2));
        assert_eq!((later.first, later.seconds), (supply.then, 0.0));
    }

    #[test]
    fn what_is_usual_is_learned_within_a_day() {
        let mut capacity = Capacity::assumed(10.0, 2.0, 0.0);
        let now = hear_for(&mut capacity, 24 * 3600, 1.0, 0.2);
        assert!((capacity.supply(now).then / (PLANNED * 10.0) - 1.0).abs() < 0.05);
        assert!((capacity.rounds() - 1.2).abs() < 0.01);
    }

    #[test]
    fn a_limit_of_recipients_is_kept_and_nothing_heard_teaches_nothing() {
        let mut capacity = Capacity { per_minute: Some(60.0), ..Capacity::assumed(10.0, 2.0, 0.0) };
        capacity.hear(Timestamp::UNIX_EPOCH, Heard { asks: 0.0, again: 0.0, session_seconds: 10.0 });
        assert_eq!(capacity.supply(Timestamp::UNIX_EPOCH), Supply::steady(PLANNED));
    }

    #[test]
    fn units_take_longer_while_it_is_slow() {
        let supply = Supply { first: 1.0, seconds: 10.0, then: 2.0 };
        assert_eq!([0.0, 5.0, 10.0, 20.0].map(|units| supply.seconds_for(units)), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(Supply::steady(4.0).seconds_for(2.0), 0.5);
    }
}
