//! The pace: how many recipients a host or operator may be asked about in a minute.
//!
//! Nobody tells a prober what he may; he learns it by being refused. A refusal sets a ceiling just below what had been
//! borne, and after a while a little more is tried. What is counted is any minute, not the clock's: whichever way the
//! server counts, it never sees more than the ceiling.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What the ceiling is counted in.
const MINUTE: Duration = Duration::from_secs(60);

/// The ceiling never falls below: who bears less refuses us for another reason, and a pause serves better.
const CEILING_MIN: usize = 6;

/// Percent of what was borne that is asked for after a refusal.
const CUT: usize = 97;

/// Percent by which a ceiling grows when it has held; twice as much each time it has held again.
const GROWTH: usize = 5;

/// How long a ceiling holds before more is tried: each try costs refusals.
const HOLD: Duration = Duration::from_mins(10);

/// The longest pause after refusals with nothing borne in between.
const PAUSE_MAX: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct Pace {
    /// By configuration.
    max: Option<usize>,
    /// Learned.
    ceiling: Option<Ceiling>,
    /// When, and about how many, was asked in the last minute.
    asked: VecDeque<(Instant, usize)>,
    /// Recipients answered since the last refusal.
    answered: usize,
    /// Refusals in a row with nothing answered in between.
    refusals: u32,
    /// Nothing before this.
    paused_until: Option<Instant>,
}

/// Recipients a minute.
#[derive(Debug)]
struct Ceiling {
    height: usize,
    grows_at: Instant,
    /// Percent.
    growth: usize,
}

impl Pace {
    pub(super) fn new(recipients_per_minute: Option<usize>) -> Self {
        Self {
            max: recipients_per_minute,
            ceiling: None,
            asked: VecDeque::new(),
            answered: 0,
            refusals: 0,
            paused_until: None,
        }
    }

    /// Leave to ask about up to `wanted` recipients now.
    ///
    /// # Errors
    /// When to come again, if there is none.
    pub(super) fn take(&mut self, wanted: usize) -> Result<usize, Instant> {
        let granted = self.left()?.min(wanted);
        self.asked.push_back((Instant::now(), granted));
        Ok(granted)
    }

    /// Whether there is leave for anybody now.
    ///
    /// # Errors
    /// When to come again, if not.
    pub(super) fn ready(&mut self) -> Result<(), Instant> {
        self.left().map(drop)
    }

    /// How many may be asked about now; never none.
    fn left(&mut self) -> Result<usize, Instant> {
        let now = Instant::now();
        if let Some(until) = self.paused_until.filter(|until| now < *until) {
            return Err(until);
        }
        self.forget_before(now);
        let height = self.ceiling.as_mut().map(|ceiling| ceiling.at(now));
        let limit = [self.max, height].into_iter().flatten().min();
        let left = limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.in_last_minute()));
        match self.asked.front() {
            Some((first, _)) if left == 0 => Err(*first + MINUTE),
            _ => Ok(left.max(1)),
        }
    }

    /// So many recipients got an answer.
    pub(super) fn answered(&mut self, count: usize) {
        self.answered += count;
    }

    /// So many recipients were refused for our pace.
    pub(super) fn refused(&mut self, count: usize) {
        let now = Instant::now();
        self.forget_before(now);
        if self.answered == 0 && self.ceiling.is_some() {
            // Nothing was borne since the last time: it is not the pace alone.
            self.refusals += 1;
            let pause = MINUTE * 2_u32.saturating_pow(self.refusals.saturating_sub(1));
            self.paused_until = Some(now + pause.min(PAUSE_MAX));
            return;
        }
        let borne = self.in_last_minute().saturating_sub(count);
        let height = (borne * CUT / 100).max(CEILING_MIN);
        self.ceiling = Some(Ceiling { height, grows_at: now + HOLD, growth: GROWTH });
        (self.refusals, self.answered) = (0, 0);
    }

    fn in_last_minute(&self) -> usize {
        self.asked.iter().map(|(_, count)| count).sum()
    }

    fn forget_before(&mut self, now: Instant) {
        while self.asked.front().is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE) {
            self.asked.pop_front();
        }
    }
}

impl Ceiling {
    /// How high it is by now.
    fn at(&mut self, now: Instant) -> usize {
        if now >= self.grows_at {
            self.height += (self.height * self.growth / 100).max(1);
            self.grows_at = now + HOLD;
            self.growth *= 2;
        }
        self.height
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn granted(pace: &mut Pace, wanted: usize) -> usize {
        pace.take(wanted).unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_configured_rate_holds_in_any_minute() {
        let mut pace = Pace::new(Some(10));
        assert_eq!(granted(&mut pace, 6), 6);
        advance(Duration::from_secs(30)).await;
        assert_eq!(granted(&mut pace, 6), 4);
        assert_eq!(pace.take(1), Err(Instant::now() + Duration::from_secs(30)));
        advance(Duration::from_secs(30)).await;
        assert_eq!(granted(&mut pace, 20), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_cuts_to_just_below_what_was_borne() {
        let mut pace = Pace::new(None);
        assert_eq!(granted(&mut pace, 120), 120);
        pace.answered(100);
        pace.refused(20);
        assert!(pace.take(1).is_err(), "the minute is used up");
        advance(MINUTE).await;
        assert_eq!(granted(&mut pace, 120), 97);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ceiling_that_holds_grows_faster_and_faster() {
        let mut pace = Pace::new(None);
        granted(&mut pace, 100);
        pace.answered(99);
        pace.refused(1);
        for height in [96, 100, 110] {
            advance(MINUTE).await;
            assert_eq!(granted(&mut pace, 1_000), height);
            advance(HOLD).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_with_nothing_between_make_longer_and_longer_pauses() {
        let mut pace = Pace::new(None);
        granted(&mut pace, 10);
        pace.refused(10);
        for minutes in [1, 2, 4, 8, 15, 15] {
            advance(MINUTE).await;
            assert!(granted(&mut pace, 1) > 0);
            pace.refused(1);
            assert_eq!(pace.take(1), Err(Instant::now() + MINUTE * minutes));
            advance(MINUTE * (minutes - 1)).await;
        }
    }
}
