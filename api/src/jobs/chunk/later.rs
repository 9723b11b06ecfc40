//! Who is asked about again: when, as whom, and together with whom.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{EgressId, FaultCause, Subject};
use tokio::time::Instant;

use super::{ChunkRun, has_fault, was_not_asked};
use crate::{
    jobs::{
        person::tokens,
        plan::{
            cut::{OFFLINE, asks_of},
            schedule::Window,
        },
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

impl ChunkRun {
    /// When and as whom to ask again, if that is wanted and there is time for it.
    pub(super) fn deferral(&self, subject: &Subject) -> Option<(Duration, Option<EgressId>)> {
        deferral(subject, self.until, self.stored.round)
    }

    /// Nobody was asked, and the deadline leaves no time for it.
    pub(super) fn is_too_late_to_ask(&self, subject: &Subject) -> bool {
        is_too_late_to_ask(subject, self.until)
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
            asks: asks(&self.stored.operator, &items),
            round: self.stored.round + 1,
            seal: Box::new(move |id| keys.seal(Row::Chunk { job: id.job, no: id.no }, &plain)),
            tokens,
            wait,
            within: within(self.until.saturating_duration_since(Instant::now()), wait),
        }
    }
}

/// Recipients that are asked about because of these items, or the items, where nobody is. A person is looked for anew.
fn asks(operator: &str, items: &[Item]) -> i32 {
    let asked = items.iter().filter(|item| item.duplicate_of.is_none());
    let asks =
        if operator == OFFLINE { items.len() } else { asked.map(|item| asks_of(&item.input) as usize).sum() };
    i32::try_from(asks).unwrap_or(i32::MAX)
}

/// From now until the virtual deadline of a chunk that is left alone for some time: the plan's, or that of its job, which
/// is so far away, where the plan has no time for another round.
fn within(left: Duration, wait: Duration) -> Duration {
    let (now, wait) = (Timestamp::now(), SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
    let Ok(deadline) = now.checked_add(left) else { return left };
    let again = Window { created: now, deadline, greylist_wait: wait }.again(now, wait);
    again.and_then(|again| Duration::try_from(again.at.duration_since(now)).ok()).unwrap_or(left)
}

fn deferral(subject: &Subject, until: Instant, round: i32) -> Option<(Duration, Option<EgressId>)> {
    let (wait, egress) = match subject.deferral() {
        Some(deferral) => (deferral.wait, Some(deferral.egress)),
        // Of the run, and not of the job: `task_max` is over. After the last round that cause stands: to the judge any
        // end of time is the deadline's.
        None if has_fault(subject, FaultCause::RequestDeadline) => (PAUSE, None),
        None => return None,
    };
    (has_time_after(wait, until) && round < ROUNDS_MAX).then_some((wait, egress))
}

/// The turn did not come, and it is the deadline that leaves no time for another one. Where it is the number of rounds, the
/// judge's own word for it stands, `timeout`: the deadline has not passed.
fn is_too_late_to_ask(subject: &Subject, until: Instant) -> bool {
    let has_time = subject.deferral().is_some_and(|deferral| has_time_after(deferral.wait, until));
    was_not_asked(subject) && !has_time
}

/// Where the plan has no time for another round, one more try costs nobody his deadline.
fn has_time_after(wait: Duration, until: Instant) -> bool {
    Instant::now() + wait + ROUND_MIN < until
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::{
        Batch, Check, Context, Deferral, Facts, Fault, Finding, Outcome, Pipeline, Policy, ProbeFailure,
        Pure, Reason, Slot, Verdict,
    };

    use super::*;
    use crate::jobs::{plan::schedule::ROUND, results::note_fault};

    const MINUTE: Duration = Duration::from_mins(1);

    /// A stage whose turn never comes.
    struct Busy;

    impl Check for Busy {
        fn name(&self) -> &'static str {
            "busy"
        }

        fn facts(&self) -> Facts {
            Facts::new(&[], &["smtp.failed"])
        }

        fn check(&self, _: &Subject, outcome: &mut Outcome) {
            outcome.found(Finding::ProbeFailed(ProbeFailure::NotItsTurn));
            outcome.defer(Deferral { wait: MINUTE, egress: EgressId(7) });
        }
    }

    async fn not_its_turn() -> Subject {
        let pipeline = Pipeline::new("test", vec![Slot::new(std::sync::Arc::new(Pure(Busy)))]).unwrap();
        let mut batch = Batch::new(vec![Subject::new("jane@example.com")]);
        pipeline.run(&Context::within(MINUTE), &mut batch).await;
        batch.into_subjects().remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_put_off_comes_back_while_there_is_time_and_not_for_ever() {
        let subject = not_its_turn().await;
        let (late, soon) = (Instant::now() + 2 * MINUTE, Instant::now() + MINUTE);
        assert_eq!(deferral(&subject, late, ROUNDS_MAX - 1), Some((MINUTE, Some(EgressId(7)))));
        assert_eq!(deferral(&subject, late, ROUNDS_MAX), None);
        assert_eq!(deferral(&subject, soon, 0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_comes_back_for_a_flag() {
        let until = Instant::now() + Duration::from_hours(1);
        for (key, comes_back) in [("smtp.reply", true), ("dns.route", true), ("dns.reverse", false)] {
            let cause = FaultCause::RequestDeadline;
            let fault = Fault { cause, message: "late".into(), lost: Arc::from([Box::from(key)]) };
            let mut subject = Subject::new("jane@example.com");
            subject.note(&Arc::from("late"), Finding::Fault(fault));
            assert_eq!(deferral(&subject, until, 0).is_some(), comes_back, "{key}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_deadline_has_passed_where_it_has() {
        let until = |time| Instant::now() + time;
        for (left, reason) in [(2 * MINUTE, Reason::Timeout), (MINUTE, Reason::DeadlinePassed)] {
            let mut subject = not_its_turn().await;
            if is_too_late_to_ask(&subject, until(left)) {
                note_fault(&mut subject, FaultCause::RequestDeadline);
            }
            assert_eq!(Verdict::of(subject, Policy::default()).judgement.reason, Some(reason));
        }
    }

    #[test]
    fn who_comes_back_counts_for_as_many_as_are_asked_about() {
        let item =
            |row, input: &str, duplicate_of| Item { row, input: input.into(), egress: None, duplicate_of };
        let items = [
            item(1, "jane@example.com", None),
            item(2, "Jane Doe\texample.com", None),
            item(3, "JANE@example.com", Some(1)),
            item(4, "nobody", None),
        ];
        assert_eq!(asks("example.com", &items), 10);
        assert_eq!(asks(OFFLINE, &items), i32::try_from(items.len()).unwrap(), "nobody is asked");
    }

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
