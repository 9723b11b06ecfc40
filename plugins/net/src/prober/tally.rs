//! The tally of a session: how many recipients its next write may hold.
//!
//! Servers punish refused recipients: Postfix answers slowly from the tenth on and hangs up at the twentieth. So a
//! session bears fewer than ten, and a write is as large as those that are left allow, by the share refused so far.

use mailsonde_engine::Reading;

use super::ledger::Room;
use crate::memory::Manners;

/// Recipients of the first write to a host of which nothing is known: were they all refused, the session would bear it.
const FIRST_WINDOW: usize = 9;

/// Refused recipients that a session bears: Postfix slows down after ten.
pub(super) const REJECTS_MAX: usize = 9;

/// Percent of the refusals that are left which a write may use up as far as one can tell; more would often be too many.
const CAUTION: usize = 70;

/// By how many times a window may exceed all that was heard before.
const GROWTH: usize = 2;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    targets: usize,
    /// Random recipients.
    extras: usize,
    answered: usize,
    rejects: usize,
}

/// What the tally is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Recipients of a session, by configuration; random ones do not count.
    pub(super) targets_max: usize,
    pub(super) manners: Manners,
}

/// What is known of the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    /// Recipients heard at the host, in this session and others.
    pub(super) heard: usize,
    /// How many of them were refused.
    pub(super) rejected: usize,
    /// Random recipients that are due.
    pub(super) randoms: usize,
    /// Recipients that wait.
    pub(super) targets: usize,
}

impl Tally {
    pub(super) fn count_asked(&mut self, targets: usize, extras: usize) {
        self.targets += targets;
        self.extras += extras;
    }

    /// A reply that says something of its recipient.
    pub(super) fn count_answered(&mut self) {
        self.answered += 1;
    }

    pub(super) fn count_heard(&mut self, reading: &Reading) {
        self.rejects += usize::from(reading.code >= 400);
    }

    fn asked(&self) -> usize {
        self.targets + self.extras
    }

    /// Recipients answered so far.
    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    pub(super) fn rejects(&self) -> usize {
        self.rejects
    }

    /// What the next write may hold; `None` when a new session serves better.
    pub(super) fn room(&self, bounds: Bounds, outlook: Outlook, pipelines: bool) -> Option<Room> {
        let rejects_max = bounds.manners.rejects_per_session.unwrap_or(REJECTS_MAX).min(REJECTS_MAX);
        let rejects_left = rejects_max.saturating_sub(self.rejects);
        let answers_max = bounds.manners.recipients_per_session.unwrap_or(usize::MAX);
        let answers_left = answers_max.saturating_sub(self.asked());
        let randoms = rejects_left.min(answers_left);
        // Those that are due will be refused, most likely.
        let due = outlook.randoms.min(randoms);
        let window = if pipelines { window(rejects_left - due, outlook) } else { rejects_left.min(1) };
        let is_dribble = pipelines && self.asked() > 0 && window < FIRST_WINDOW.min(outlook.targets);
        let targets_left = bounds.targets_max.saturating_sub(self.targets).min(answers_left - due);
        let targets = if is_dribble { 0 } else { window.min(targets_left) };
        (targets > 0 || due > 0).then_some(Room { targets, randoms, answers: answers_left, pipelines })
    }
}

/// So many that the refused ones among them, at the share seen so far, leave some to spare.
fn window(rejects_left: usize, outlook: Outlook) -> usize {
    if outlook.heard == 0 {
        return FIRST_WINDOW.min(rejects_left);
    }
    // Nobody knows yet what the host bears.
    let by_growth = GROWTH * outlook.heard;
    let by_share = rejects_left * CAUTION * (outlook.heard + 1) / (100 * (outlook.rejected + 1));
    by_share.min(by_growth).max(rejects_left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        targets_max: 100,
        manners: Manners {
            needs_tls: false,
            lockstep: false,
            one_domain: false,
            recipients_per_transaction: None,
            recipients_per_session: None,
            rejects_per_session: None,
            dropped_after: None,
        },
    };

    fn tally(targets: usize, rejects: usize) -> Tally {
        Tally { targets, extras: 0, answered: targets, rejects }
    }

    fn outlook(heard: usize, rejected: usize) -> Outlook {
        Outlook { heard, rejected, randoms: 0, targets: 1_000 }
    }

    fn targets(tally: Tally, bounds: Bounds, outlook: Outlook) -> usize {
        tally.room(bounds, outlook, true).map_or(0, |room| room.targets)
    }

    #[test]
    fn windows_begin_at_nine_and_grow_with_the_share_accepted() {
        let after = |heard, rejected| targets(tally(heard, rejected), BOUNDS, outlook(heard, rejected));
        assert_eq!(after(0, 0), 9);
        assert_eq!(after(9, 0), 18);
        assert_eq!(after(27, 0), 54);
        assert_eq!(after(9, 1), 18);
        assert_eq!(after(27, 3), 29);
        assert_eq!(after(9, 3), 10);
        assert_eq!(after(9, 9), 0);
    }

    #[test]
    fn what_a_host_has_shown_serves_the_next_session() {
        assert_eq!(targets(Tally::default(), BOUNDS, outlook(100, 10)), 57);
        assert_eq!(targets(Tally::default(), BOUNDS, outlook(100, 100)), 9);
        assert_eq!(targets(Tally::default(), BOUNDS, outlook(1_000, 0)), 100);
    }

    #[test]
    fn a_new_session_serves_better_than_a_dribble() {
        assert_eq!(targets(tally(80, 8), BOUNDS, outlook(80, 8)), 0);
        let few = Outlook { targets: 5, ..outlook(80, 8) };
        assert_eq!(targets(tally(80, 8), BOUNDS, few), 6, "but not for those who fit");
    }

    #[test]
    fn random_ones_are_reckoned_as_refused() {
        let room = tally(9, 0).room(BOUNDS, Outlook { randoms: 20, ..outlook(9, 0) }, true).unwrap();
        assert_eq!((room.targets, room.randoms), (0, 9));
        let room = tally(9, 0).room(BOUNDS, Outlook { randoms: 1, ..outlook(9, 0) }, true).unwrap();
        assert_eq!((room.targets, room.randoms), (18, 9));
    }

    #[test]
    fn learned_limits_hold() {
        let polite = |manners| Bounds { manners, ..BOUNDS };
        let few = polite(Manners { recipients_per_session: Some(4), ..Manners::default() });
        assert_eq!(targets(Tally::default(), few, outlook(100, 0)), 4);
        assert_eq!(targets(tally(4, 0), few, outlook(100, 0)), 0);
        let strict = polite(Manners { rejects_per_session: Some(3), ..Manners::default() });
        assert_eq!(targets(tally(3, 3), strict, outlook(3, 3)), 0);
    }

    #[test]
    fn without_pipelining_one_follows_the_other() {
        let room = tally(50, 2).room(BOUNDS, outlook(50, 2), false).unwrap();
        assert_eq!(room.targets, 1);
        assert_eq!(tally(50, 9).room(BOUNDS, outlook(50, 9), false), None);
    }
}
