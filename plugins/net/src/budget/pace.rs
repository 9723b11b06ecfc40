//! The pace: how many recipients a host or operator may be asked about in a minute.
//!
//! Nobody tells a prober what he may; he learns it by being refused. A refusal sets a ceiling just below what had been
//! borne, and after a while a little more is tried. What is counted is any minute, not the clock's: whichever way the
//! server counts, it never sees more than the ceiling.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What the ceiling is counted in.
const MINUTE: Duration = Duration::from_mins(1);

/// The ceiling never falls below: who bears less refuses us for another reason, and a pause serves better.
const CEILING_MIN: usize = 6;

/// Percent of what was borne that is asked for after a refusal.
const CUT: usize = 97;

/// Percent by which a ceiling grows when it has held; twice as much each time it has held again.
const GROWTH: usize = 5;

/// Percent by which a ceiling grows at most.
const GROWTH_MAX: usize = 50;

/// How long a ceiling holds before more is tried: each try costs refusals.
const HOLD: Duration = Duration::from_mins(10);

/// The longest pause after refusals with nothing borne in between.
const PAUSE_MAX: Duration = Duration::from_mins(15);

/// Which part of what all processes may do is one's own: its sessions among those of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) held: usize,
    /// At least `held`, which is at least 1.
    pub(super) of: usize,
}

impl Part {
    /// Of a process that shares nothing.
    pub(super) const WHOLE: Self = Self { held: 1, of: 1 };

    /// This part of a number, at least 1.
    fn of(self, whole: usize) -> usize {
        (whole / self.of * self.held + whole % self.of * self.held / self.of).max(1)
    }

    /// The number of which this is the part.
    fn whole(self, part: usize) -> usize {
        part.saturating_mul(self.of) / self.held
    }
}

#[derive(Debug)]
pub(super) struct Pace {
    /// The part of both limits that is ours.
    pub(super) part: Part,
    /// By configuration.
    max: Option<usize>,
    /// Learned.
    ceiling: Option<Ceiling>,
    /// Recipients that were asked about in the last minute.
    asked: LastMinute,
    /// Recipients that were answered.
    answered: LastMinute,
    /// When the ceiling was cut last.
    cut_at: Option<Instant>,
    /// Somebody was answered since then.
    has_borne: bool,
    /// Refusals in a row with nothing answered in between.
    refusals: u32,
    /// Nothing before this.
    paused_until: Option<Instant>,
}

/// When, and how many.
#[derive(Debug, Default)]
struct LastMinute(VecDeque<(Instant, usize)>);

/// Recipients a minute, of all processes together.
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
            part: Part::WHOLE,
            max: recipients_per_minute,
            ceiling: None,
            asked: LastMinute::default(),
            answered: LastMinute::default(),
            cut_at: None,
            has_borne: false,
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
        self.asked.add(granted);
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
        let height = self.ceiling.as_mut().map(|ceiling| ceiling.at(now));
        let limit = [self.max, height].into_iter().flatten().min();
        let left = limit.map_or(usize::MAX, |limit| self.part.of(limit).saturating_sub(self.asked.sum()));
        match self.asked.first() {
            Some(first) if left == 0 => Err(first + MINUTE),
            _ => Ok(left.max(1)),
        }
    }

    /// So many more, or fewer, were asked about than leave was taken for.
    pub(super) fn correct(&mut self, taken: usize, asked: usize) {
        self.asked.add(asked.saturating_sub(taken));
        self.asked.remove(taken.saturating_sub(asked));
    }

    /// Of those asked about together at `asked_at`, so many were answered, and so many refused for our pace. Returns the
    /// ceiling that this teaches, of all processes together.
    pub(super) fn heard(&mut self, asked_at: Instant, answered: usize, refused: usize) -> Option<usize> {
        self.answered.add(answered);
        let is_news = self.cut_at.is_none_or(|cut_at| asked_at >= cut_at);
        if !is_news {
            // They were under way when others told.
            return None;
        }
        if answered > 0 {
            (self.has_borne, self.refusals) = (true, 0);
        }
        if refused == 0 {
            return None;
        }
        let is_pace = std::mem::take(&mut self.has_borne);
        self.cut(is_pace)
    }

    /// Recipients a minute that are borne by now, of all processes together, where a limit was met.
    pub(super) fn ceiling(&mut self) -> Option<usize> {
        self.ceiling.as_mut().map(|ceiling| ceiling.at(Instant::now()))
    }

    /// Another process has learned this ceiling.
    pub(super) fn take_in(&mut self, height: usize) {
        let height = height.max(CEILING_MIN);
        self.ceiling = Some(Ceiling { height, grows_at: Instant::now() + HOLD, growth: GROWTH });
    }

    fn cut(&mut self, is_pace: bool) -> Option<usize> {
        let now = Instant::now();
        self.cut_at = Some(now);
        if is_pace || self.ceiling.is_none() {
            let height = self.part.whole(self.answered.sum() * CUT / 100).max(CEILING_MIN);
            self.ceiling = Some(Ceiling { height, grows_at: now + HOLD, growth: GROWTH });
            Some(height)
        } else {
            // Nothing was borne since the last time: it is not the pace alone.
            let pause = MINUTE * 2_u32.saturating_pow(self.refusals);
            self.refusals += 1;
            self.paused_until = Some(now + pause.min(PAUSE_MAX));
            None
        }
    }
}

impl LastMinute {
    fn add(&mut self, count: usize) {
        let now = Instant::now();
        while self.0.front().is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE) {
            self.0.pop_front();
        }
        if count > 0 {
            self.0.push_back((now, count));
        }
    }

    /// Takes off what was added last.
    fn remove(&mut self, mut count: usize) {
        while let Some((_, last)) = self.0.back_mut().filter(|_| count > 0) {
            let off = count.min(*last);
            *last -= off;
            count -= off;
            if *last == 0 {
                self.0.pop_back();
            }
        }
    }

    fn sum(&mut self) -> usize {
        self.add(0);
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn first(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }
}

impl Ceiling {
    /// How high it is by now.
    fn at(&mut self, now: Instant) -> usize {
        if now >= self.grows_at {
            self.height += (self.height * self.growth / 100).max(1);
            self.grows_at = now + HOLD;
            self.growth = (self.growth * 2).min(GROWTH_MAX);
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
    async fn of_what_all_may_do_each_does_its_part() {
        let mut pace = Pace::new(Some(100));
        pace.part = Part { held: 1, of: 4 };
        assert_eq!(granted(&mut pace, 200), 25);
        assert_eq!(pace.heard(Instant::now(), 20, 5), Some(76), "four times what one has borne");
        advance(MINUTE).await;
        assert_eq!(granted(&mut pace, 200), 19);
        assert_eq!(Part { held: 1, of: 9 }.of(5), 1);
        assert_eq!(Part { held: 2, of: 3 }.of(usize::MAX), usize::MAX / 3 * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_cuts_to_just_below_what_was_borne() {
        let mut pace = Pace::new(None);
        assert_eq!(granted(&mut pace, 120), 120);
        pace.heard(Instant::now(), 100, 20);
        assert!(pace.take(1).is_err(), "the minute is used up");
        advance(MINUTE).await;
        assert_eq!(granted(&mut pace, 120), 97);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_at_a_refusal_cuts_no_more() {
        let mut pace = Pace::new(None);
        let asked_at = Instant::now();
        granted(&mut pace, 200);
        advance(Duration::from_secs(1)).await;
        pace.heard(asked_at, 60, 40);
        pace.heard(asked_at, 0, 100);
        advance(MINUTE).await;
        assert_eq!(granted(&mut pace, 120), 58);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ceiling_that_holds_grows_faster_and_faster() {
        let mut pace = Pace::new(None);
        granted(&mut pace, 100);
        pace.heard(Instant::now(), 99, 1);
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
        pace.heard(Instant::now(), 0, 10);
        for minutes in [1, 2, 4, 8, 15, 15] {
            advance(MINUTE).await;
            assert!(granted(&mut pace, 1) > 0);
            pace.heard(Instant::now(), 0, 1);
            assert_eq!(pace.take(1), Err(Instant::now() + MINUTE * minutes));
            advance(MINUTE * (minutes - 1)).await;
        }
    }
}
