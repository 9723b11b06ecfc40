//! Who is asked about again: when, as whom, and together with whom.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{EgressId, FaultCause, Subject};
use tokio::time::Instant;

use super::{Shift, has_fault};
use crate::{
    jobs::{
        person::tokens,
        plan::schedule::Window,
        rows::items::{self, Item},
    },
    store::{chunks::Deferred, keys::Row},
};

/// Retries that are due within this time leave together, in one session where they can.
const TOGETHER: Duration = Duration::from_secs(10);

/// How long who was not answered within `task_max` is left alone: others have their turn.
const PAUSE: Duration = Duration::from_secs(10);

/// What a round takes at the least: with less time left than that, none is begun.
const ROUND_MIN: Duration = Duration::from_secs(10);

/// How often an item may be put off: a server that always wants us later is not waited for until the deadline.
const ROUNDS_MAX: i32 = 50;

impl Shift {
    /// When and as whom to ask again, if that is wanted and there is time for it.
    pub(super) fn deferral(&self, subject: &Subject) -> Option<(Duration, Option<EgressId>)> {
        let (wait, egress) = match subject.deferral() {
            Some(deferral) => (deferral.wait, Some(deferral.egress)),
            None if has_fault(subject, FaultCause::RequestDeadline) => (PAUSE, None),
            None => return None,
        };
        // Where the plan has no time for another round, one more try costs nobody his deadline.
        let is_in_time = Instant::now() + wait + ROUND_MIN < self.until;
        (is_in_time && self.stored.round < ROUNDS_MAX).then_some((wait, egress))
    }

    /// Chunks of those who are asked about again, together with whoever is due at the same time.
    pub(super) fn deferred(&self, mut later: Vec<(Duration, Item)>) -> Vec<Deferred> {
        later.sort_by_key(|(wait, _)| *wait);
        let together = later.chunk_by(|(earlier, _), (wait, _)| {
            earlier.as_secs() / TOGETHER.as_secs() == wait.as_secs() / TOGETHER.as_secs()
        });
        together.map(|group| self.deferred_chunk(group)).collect()
    }

    fn deferred_chunk(&self, group: &[(Duration, Item)]) -> Deferred {
        let items: Vec<Item> = group.iter().map(|(_, item)| item.clone()).collect();
        let keys = self.desk.store.keys().clone();
        let tokens = tokens(&keys, self.leased.task.client, items.iter().map(|item| &*item.input));
        let plain = items::write(&items);
        let wait = group.iter().map(|(wait, _)| *wait).max().unwrap_or_default();
        Deferred {
            operator: self.stored.operator.clone(),
            items: i32::try_from(items.len()).unwrap_or(i32::MAX),
            round: self.stored.round + 1,
            seal: Box::new(move |id| keys.seal(Row::Chunk { job: id.job, no: id.no }, &plain)),
            tokens,
            wait,
            within: within(self.until.saturating_duration_since(Instant::now()), wait),
        }
    }
}

/// From now until the virtual deadline of a chunk that is left alone for some time: the plan's, or that of its job, which
/// is so far away, where the plan has no time for another round.
fn within(left: Duration, wait: Duration) -> Duration {
    let (now, wait) = (Timestamp::now(), SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
    let Ok(deadline) = now.checked_add(left) else { return left };
    let again = Window { created: now, deadline, greylist_wait: wait }.again(now, wait);
    again.and_then(|again| Duration::try_from(again.at.duration_since(now)).ok()).unwrap_or(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::plan::schedule::ROUND;

    #[test]
    fn who_comes_back_has_a_round_of_time_or_what_is_left() {
        let (hour, wait) = (Duration::from_hours(1), Duration::from_mins(5));
        let round = Duration::try_from(ROUND).unwrap();
        assert_eq!(within(hour, wait), wait + round);
        assert_eq!(within(wait + round, wait), wait + round);
        let short = wait + round / 2;
        assert_eq!(within(short, wait), short);
    }
}
