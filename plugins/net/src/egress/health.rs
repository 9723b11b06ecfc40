//! The health of one way out: whether connections that leave there get anywhere.
//!
//! Time-outs are ordinary: hosts die. Only silence from everywhere says that the way itself is closed, as it is where
//! a provider blocks outbound port 25.

use std::time::Duration;

use tokio::time::Instant;

use crate::{budget::BudgetKey, dialer::EgressFault};

/// Hosts of different operators that did not answer, with none in between that did, after which the way is down. A
/// list has a dead domain now and then, but hardly five in a row and no other.
pub(super) const UNANSWERED_MAX: usize = 5;

/// The same where the way was open before: the end of a list may hold what is slowest to fail.
pub(super) const UNANSWERED_LATER_MAX: usize = 20;

/// How often a way that is down is tried: each trial may cost its host's recipients a connect time-out.
pub(super) const TRIAL_EVERY: Duration = Duration::from_mins(1);

/// Why a way is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// [`UNANSWERED_MAX`] different hosts did not answer.
    Unanswered,
    /// It does not even begin.
    Fault(EgressFault),
}

#[derive(Debug, Default)]
pub(super) struct Health {
    /// Whose hosts did not answer since the last that did.
    unanswered: Vec<BudgetKey>,
    /// When that was.
    answered_at: Option<Instant>,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    cause: Cause,
    next_trial: Instant,
    /// A trial has begun, and nothing is known of it yet.
    is_tried: bool,
}

impl Health {
    /// Somebody answered, if only to refuse: packets get out, and back.
    pub(super) fn answered(&mut self) {
        *self = Self { answered_at: Some(Instant::now()), ..Self::default() };
    }

    /// Nobody answered there, though the attempt began at `began`. Silence says nothing where others were heard meanwhile.
    pub(super) fn unanswered(&mut self, key: &BudgetKey, began: Instant) {
        if let Some(down) = &mut self.down {
            down.is_tried = false;
            return;
        }
        if self.unanswered.contains(key) || self.answered_at.is_some_and(|at| at > began) {
            return;
        }
        self.unanswered.push(key.clone());
        let max = if self.answered_at.is_some() { UNANSWERED_LATER_MAX } else { UNANSWERED_MAX };
        if self.unanswered.len() == max {
            self.go_down(Cause::Unanswered);
        }
    }

    /// The way does not even begin. That says more than any silence.
    pub(super) fn fault(&mut self, fault: EgressFault) {
        self.go_down(Cause::Fault(fault));
    }

    /// Why it is down, if it is.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.down.as_ref().map(|down| down.cause)
    }

    /// Whether recipients may be sent this way: always when it is up, and when it is down, once every [`TRIAL_EVERY`].
    pub(super) fn is_open(&self) -> bool {
        self.down.as_ref().is_none_or(|down| Instant::now() >= down.next_trial)
    }

    /// [`Health::is_open`], and where it is down, that begins a trial.
    pub(super) fn enter(&mut self) -> bool {
        let is_open = self.is_open();
        if let Some(down) = self.down.as_mut().filter(|_| is_open) {
            down.next_trial = Instant::now() + TRIAL_EVERY;
            down.is_tried = true;
        }
        is_open
    }

    /// Whether a connection may leave: as part of the trial that has begun, or as the beginning of one.
    pub(super) fn may_leave(&mut self) -> bool {
        self.enter() || self.down.as_ref().is_some_and(|down| down.is_tried)
    }

    fn go_down(&mut self, cause: Cause) {
        self.unanswered.clear();
        self.down = Some(Down { cause, next_trial: Instant::now() + TRIAL_EVERY, is_tried: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::ConnectionRefused;

    const KEYS: [&str; 6] = ["google", "gmail", "yahoo", "gmx", "webde", "zoho"];

    fn silence(health: &mut Health, keys: &[&'static str]) {
        for id in keys {
            health.unanswered(&BudgetKey::Operator(id), Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_silent_operators_mean_us() {
        let mut health = Health::default();
        silence(&mut health, &KEYS[..4]);
        silence(&mut health, &KEYS[..4]);
        assert_eq!(health.cause(), None, "the same four again are no more than four");
        assert!(health.enter() && health.may_leave());
        silence(&mut health, &KEYS[4..5]);
        assert_eq!(health.cause(), Some(Cause::Unanswered));
        assert!(!health.enter() && !health.may_leave());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_in_between_begins_the_count_anew() {
        let mut health = Health::default();
        silence(&mut health, &KEYS[..4]);
        health.answered();
        silence(&mut health, &KEYS[..4]);
        assert_eq!(health.cause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_says_nothing_where_others_were_heard_meanwhile() {
        let mut health = Health::default();
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(100)).await;
        health.answered();
        tokio::time::advance(Duration::from_secs(5)).await;
        for id in KEYS {
            health.unanswered(&BudgetKey::Operator(id), began);
        }
        assert_eq!(health.cause(), None);
        // Those that begin later count, but a way that was open before needs more of them.
        silence(&mut health, &KEYS);
        assert_eq!(health.cause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_trial_a_minute_until_somebody_answers() {
        let mut health = Health::default();
        silence(&mut health, &KEYS[..5]);
        for _ in 0..3 {
            tokio::time::advance(TRIAL_EVERY).await;
            assert!(health.is_open() && health.enter(), "one");
            assert!(!health.is_open() && !health.enter(), "and no other");
            assert!(health.may_leave() && health.may_leave(), "its connections leave");
            silence(&mut health, &KEYS[5..]);
            assert!(!health.may_leave(), "until one of them has failed");
            assert_eq!(health.cause(), Some(Cause::Unanswered));
        }
        health.answered();
        assert_eq!(health.cause(), None);
        assert!(health.enter() && health.enter() && health.may_leave());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_of_which_nothing_is_heard_is_followed_by_another() {
        let mut health = Health::default();
        silence(&mut health, &KEYS[..5]);
        for _ in 0..2 {
            tokio::time::advance(TRIAL_EVERY).await;
            assert!(health.may_leave() && !health.enter());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_counts_at_once_and_is_named() {
        let mut health = Health::default();
        let fault = EgressFault::ProxyUnreachable(ConnectionRefused);
        health.fault(fault);
        assert_eq!(health.cause(), Some(Cause::Fault(fault)));
        tokio::time::advance(TRIAL_EVERY).await;
        assert!(health.enter());
        // Another fault at the trial is the news.
        health.fault(EgressFault::ProxyLogin);
        assert_eq!(health.cause(), Some(Cause::Fault(EgressFault::ProxyLogin)));
        assert!(!health.may_leave());
    }
}
