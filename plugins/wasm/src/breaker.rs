//! The breaker: a plugin of which nothing works is parked for a while, longer each time, instead of being asked in vain
//! with every batch. A poison address alone cannot park it: before that, it is tried on a harmless one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::{FAILED_BATCHES_MAX, PARKED_MAX, PARKED_MIN, TRIAL_MIN, TRIAL_TIMES};

/// How a plugin has done lately.
#[derive(Debug)]
pub(crate) struct Breaker {
    record: Mutex<Record>,
    /// How long a trial must have lasted to count as failed when it is given up.
    trial_min: Duration,
}

#[derive(Debug, Default)]
struct Record {
    /// Batches in a row of which nothing was settled.
    failed: u32,
    parked_until: Option<Instant>,
    /// How long it was parked last.
    parked_for: Duration,
}

/// Whether a batch may go to the plugin.
#[derive(Debug)]
pub(crate) enum Admission<'b> {
    /// It may.
    Open,
    /// The plugin must bear a harmless address first.
    Trial(Trial<'b>),
    /// It may not, for this long.
    Parked(Duration),
}

/// A try on a harmless address. One that is dropped after a while has failed: who hangs is of no more use than who
/// traps. One that is dropped sooner says nothing of the plugin: its caller left, or came with no time.
#[derive(Debug)]
pub(crate) struct Trial<'b> {
    /// None once it is known how it ended.
    breaker: Option<&'b Breaker>,
    /// How long the plugin was parked before it; none where it was not.
    parked_for: Duration,
    was_parked: bool,
    began: Instant,
}

impl Breaker {
    /// For a plugin that bears a harmless address in this time.
    pub(crate) fn new(usual: Duration) -> Self {
        Self { record: Mutex::default(), trial_min: (usual * TRIAL_TIMES).max(TRIAL_MIN) }
    }

    pub(crate) fn admit(&self) -> Admission<'_> {
        let mut record = self.lock();
        let now = Instant::now();
        let (parked_for, was_parked) = (record.parked_for, record.parked_until.is_some());
        // Made only where it is handed out: its end locks the record.
        let trial = || Admission::Trial(Trial { breaker: Some(self), parked_for, was_parked, began: now });
        match record.parked_until {
            Some(until) if now < until => Admission::Parked(until - now),
            // One batch tries; the others are told that it is parked until that one is done.
            Some(_) => {
                record.parked_until = Some(now + parked_for);
                trial()
            }
            None if record.failed >= FAILED_BATCHES_MAX => trial(),
            None => Admission::Open,
        }
    }

    /// A batch is done.
    pub(crate) fn batch_done(&self, has_settled: bool) {
        let mut record = self.lock();
        if has_settled {
            *record = Record::default();
        } else {
            record.failed = record.failed.saturating_add(1);
        }
    }

    /// How long no batch goes to the plugin, if it is parked.
    pub(crate) fn parked(&self) -> Option<Duration> {
        let until = self.lock().parked_until?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial<'_> {
    /// The harmless address was borne.
    pub(crate) fn passed(mut self) {
        if let Some(breaker) = self.breaker.take() {
            let mut record = breaker.lock();
            (record.failed, record.parked_until) = (0, None);
        }
    }

    /// It was not. Returns how long the plugin is parked.
    pub(crate) fn failed(mut self) -> Duration {
        self.park()
    }

    /// Counts from what was when the trial began: several that fail at the same time park the plugin once.
    fn park(&mut self) -> Duration {
        let next = (self.parked_for * 2).clamp(PARKED_MIN, PARKED_MAX);
        if let Some(breaker) = self.breaker.take() {
            let mut record = breaker.lock();
            record.parked_for = next;
            record.parked_until = Some(Instant::now() + next);
        }
        next
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let Some(breaker) = self.breaker else { return };
        if self.began.elapsed() >= breaker.trial_min {
            self.park();
        } else if self.was_parked {
            // The next batch tries.
            breaker.lock().parked_until = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Breaker {
        let breaker = Breaker::new(Duration::ZERO);
        (0..FAILED_BATCHES_MAX).for_each(|_| breaker.batch_done(false));
        breaker
    }

    fn trial(breaker: &Breaker) -> Trial<'_> {
        match breaker.admit() {
            Admission::Trial(trial) => trial,
            other => panic!("a trial, not {other:?}"),
        }
    }

    fn is_open(breaker: &Breaker) -> bool {
        matches!(breaker.admit(), Admission::Open)
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_works_forgives_those_that_did_not() {
        let breaker = Breaker::new(Duration::ZERO);
        for _ in 0..10 {
            (1..FAILED_BATCHES_MAX).for_each(|_| breaker.batch_done(false));
            breaker.batch_done(true);
            assert!(is_open(&breaker));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn poison_alone_parks_nobody() {
        let breaker = failing();
        trial(&breaker).passed();
        assert!(is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn parked_for_longer_each_time() {
        let breaker = failing();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let parked = Duration::from_secs(seconds);
            assert_eq!(trial(&breaker).failed(), parked);
            assert!(matches!(breaker.admit(), Admission::Parked(left) if left == parked));
            tokio::time::advance(parked).await;
        }
        let last = trial(&breaker);
        assert!(matches!(breaker.admit(), Admission::Parked(_)), "only one tries");
        last.passed();
        breaker.batch_done(true);
        assert!(is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn trials_at_the_same_time_park_once() {
        let breaker = failing();
        let trials: Vec<_> = (0..16).map(|_| trial(&breaker)).collect();
        for trial in trials {
            assert_eq!(trial.failed(), PARKED_MIN);
        }
        assert!(matches!(breaker.admit(), Admission::Parked(PARKED_MIN)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_was_given_up_has_failed() {
        let breaker = failing();
        let hanging = trial(&breaker);
        tokio::time::advance(TRIAL_MIN).await;
        drop(hanging);
        assert_eq!(breaker.parked(), Some(PARKED_MIN));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_is_given_longer() {
        let breaker = Breaker::new(Duration::from_secs(1));
        (0..FAILED_BATCHES_MAX).for_each(|_| breaker.batch_done(false));
        for (seconds, parked) in [(9, None), (10, Some(PARKED_MIN))] {
            let reading = trial(&breaker);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            drop(reading);
            assert_eq!(breaker.parked(), parked);
        }
    }

    /// Callers that leave at once, or come with no time, must not park a plugin for the others.
    #[tokio::test(start_paused = true)]
    async fn a_trial_that_was_given_up_at_once_says_nothing() {
        let breaker = failing();
        drop(trial(&breaker));
        assert_eq!(breaker.parked(), None);
        trial(&breaker).failed();
        tokio::time::advance(PARKED_MIN).await;
        for _ in 0..3 {
            drop(trial(&breaker));
            assert_eq!(breaker.parked(), None);
        }
        assert_eq!(trial(&breaker).failed(), PARKED_MIN * 2);
    }
}
