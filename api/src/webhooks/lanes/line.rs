//! A line: those who have places of one kind, and behind them those who want one. They come back one after the other, as
//! fast as places became free lately.

use std::time::Duration;

use tokio::time::Instant;

/// How long a place is taken, where nobody knows yet.
const TOOK: Duration = Duration::from_millis(100);

/// From one who comes back to the next one. To ask costs the database some milliseconds; who asks seldom learns late that
/// a host is well again.
pub(super) const PACE_MIN: Duration = Duration::from_millis(10);
pub(super) const PACE_MAX: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct Line {
    /// Places that are taken.
    pub(super) under_way: u32,
    /// For how long the last one was.
    took: Duration,
    /// When the last of those who wait was told to come back.
    last_turn: Option<Instant>,
}

impl Line {
    pub(super) fn take(&mut self) {
        self.under_way += 1;
    }

    pub(super) fn leave(&mut self, took: Duration) {
        self.under_way -= 1;
        self.took = took;
    }

    /// How long from `now` on somebody is to stay away who cannot have a place before `from`.
    pub(super) fn turn(&mut self, now: Instant, from: Instant) -> Duration {
        let pace = (self.took / self.under_way.max(1)).clamp(PACE_MIN, PACE_MAX);
        let turn = self.last_turn.map_or(from, |last| last.max(from)) + pace;
        self.last_turn = Some(turn);
        turn - now
    }

    /// Who comes from now on does not wait for those who were told to come back.
    pub(super) fn forget_turns(&mut self) {
        self.last_turn = None;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { under_way: 0, took: TOOK, last_turn: None }
    }
}
