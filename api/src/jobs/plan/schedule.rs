//! When the chunks of a job are due: their virtual deadlines, by which the queue orders all work.
//!
//! Chunk `i` of the `n` that one operator has in a job gets its share of the window, so a large job is paced, a small one
//! slips in between its chunks, and all operators begin at once. What the window leaves free at its end is for
//! those whom greylisting servers ask to come back.

use jiff::{SignedDuration, Timestamp};

use super::cut::CHUNK_MAX;

/// Time for one more round of a chunk's greylisted items, and for what a crash repeats: a lease of 30 s that runs out, and
/// the sessions of one chunk.
pub const ROUND: SignedDuration = SignedDuration::from_secs(60);

/// What is kept free at the end of a short window: for the ends of chunks, when few of their sessions have anything left
/// to ask.
const TAIL: SignedDuration = SignedDuration::from_secs(20);

/// Windows with so many times [`Window::slack`] have a second round for sure. In shorter ones it would cost more than a
/// sixth of the time, and jobs would be refused that can be done.
const SECOND_ROUND_PARTS: i32 = 6;

/// Recipients of a full chunk.
#[allow(clippy::cast_precision_loss)]
const CHUNK: f64 = CHUNK_MAX as f64;

/// The window of products without deadlines: a day.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The time that a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it was submitted.
    pub created: Timestamp,
    /// When it ends, whatever is left.
    pub deadline: Timestamp,
    /// How long a greylisting server that does not say how long it wants is left alone.
    pub greylist_wait: SignedDuration,
}

/// The share of its job's window that a chunk may use up: the one at `i`, from 0, of the `n` that one operator has. A chunk
/// that is alone has less the fewer it asks about: a few delay nobody, and should not wait for half a day because they may.
pub fn share(i: u32, n: u32, asks: u32) -> f64 {
    if n > 1 { f64::from(i + 1) / f64::from(n) } else { (f64::from(asks) / CHUNK).min(1.0) }
}

/// When greylisted items are asked about again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Not before.
    pub due: Timestamp,
    /// The virtual deadline of their chunk.
    pub at: Timestamp,
}

impl Window {
    /// The same job with another deadline.
    #[must_use]
    pub fn until(self, deadline: Timestamp) -> Self {
        Self { deadline, ..self }
    }

    /// What is kept free at the end for greylisted items: one wait and one round, but at most half of the window.
    pub fn slack(&self) -> SignedDuration {
        self.round().min(self.length() / 2)
    }

    /// The virtual deadline of the chunk with this [`share`].
    pub fn due(&self, share: f64) -> Timestamp {
        let millis = (self.length() - self.slack()).as_millis();
        // A window has far fewer milliseconds than a double has exact numbers.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let millis = (millis as f64 * share).round() as i64;
        later(self.created, SignedDuration::from_millis(millis))
    }

    /// When first rounds must be done, so that the job keeps its deadline: later than the last virtual deadline where the
    /// window is too short for a second round. Never earlier for a later deadline.
    pub fn latest(&self) -> Timestamp {
        let first_round = self.round() * (SECOND_ROUND_PARTS - 1);
        let reserve = (self.length() - first_round).clamp(TAIL, self.round());
        later(self.deadline, -reserve)
    }

    /// The least deadline with which [`Window::latest`] is no earlier than `moment`.
    pub fn deadline_for(&self, moment: Timestamp) -> Timestamp {
        let used = moment.duration_since(self.created).max(SignedDuration::ZERO);
        let short = used <= self.round() * (SECOND_ROUND_PARTS - 1);
        later(self.created, used + if short { TAIL } else { self.round() })
    }

    /// Whether greylisted items can count on a second round.
    pub fn has_second_round(&self) -> bool {
        self.length() >= self.round() * SECOND_ROUND_PARTS
    }

    /// When items that are to wait for `wait` are asked about again. `None`: the window has no time for that, and they are
    /// judged by what is known.
    pub fn again(&self, now: Timestamp, wait: SignedDuration) -> Option<Again> {
        let due = later(now, wait);
        let at = later(due, ROUND);
        (at <= self.deadline).then_some(Again { due, at })
    }

    /// One wait and one round; no shorter than the end of a chunk.
    fn round(&self) -> SignedDuration {
        (self.greylist_wait + ROUND).max(TAIL)
    }

    fn length(&self) -> SignedDuration {
        self.deadline.duration_since(self.created).max(SignedDuration::ZERO)
    }
}

/// A moment so much later; the last there is, where it would be beyond.
pub(super) fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::simulation::Random, *};

    fn window(seconds: i64) -> Window {
        let created = Timestamp::UNIX_EPOCH;
        let deadline = created + SignedDuration::from_secs(seconds);
        Window { created, deadline, greylist_wait: SignedDuration::from_mins(5) }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn chunks_of_a_large_job_are_spread_over_its_window() {
        let day = window(24 * 3600);
        let due: Vec<_> = (0..4).map(|i| day.due(share(i, 4, 500))).collect();
        let quarter = (24 * 3600 - 360) / 4;
        assert_eq!(due, [1, 2, 3, 4].map(|i| after(i * quarter)));
    }

    #[test]
    fn a_few_items_are_due_soon() {
        assert_eq!(window(10_360).due(share(0, 1, 5)), after(100));
        assert_eq!(window(24 * 3600).due(share(0, 1, 500)), after(24 * 3600 - 360));
    }

    #[test]
    fn greylisted_items_have_half_of_a_tiny_window_at_most() {
        assert_eq!(window(300).slack(), SignedDuration::from_secs(150));
        assert_eq!(window(3600).slack(), SignedDuration::from_secs(360));
        assert_eq!((window(0).slack(), window(-5).slack()), (SignedDuration::ZERO, SignedDuration::ZERO));
    }

    #[test]
    fn a_second_round_is_due_after_its_wait_if_there_is_time() {
        let hour = window(3600);
        let again = Again { due: after(1_300), at: after(1_360) };
        assert_eq!(hour.again(after(1_000), SignedDuration::from_mins(5)), Some(again));
        assert!(hour.again(after(3_240), SignedDuration::from_mins(5)).is_some());
        assert_eq!(hour.again(after(3_241), SignedDuration::from_mins(5)), None);
        assert_eq!(hour.again(after(1_000), SignedDuration::MAX), None);
    }

    #[test]
    fn a_window_that_has_a_second_round_leaves_time_for_it() {
        for seconds in 1..10_000 {
            let (one, next) = (window(seconds), window(seconds + 1));
            assert!(one.latest() <= next.latest(), "never earlier for a later deadline");
            if one.has_second_round() {
                assert!(one.again(one.latest(), one.greylist_wait).is_some());
            }
        }
    }

    #[test]
    fn deadlines_suit_the_moment_and_no_earlier_one_does() {
        for seconds in 0..5_000 {
            let deadline = window(0).deadline_for(after(seconds));
            assert!(window(0).until(deadline).latest() >= after(seconds), "{seconds}");
            let earlier = window(0).until(deadline - SignedDuration::from_secs(1));
            assert!(earlier.latest() < after(seconds), "{seconds}");
        }
    }

    #[test]
    fn virtual_deadlines_ascend_and_lie_in_the_window() {
        let mut random = Random::new(1);
        for _ in 0..2_000 {
            let (n, window) = (
                1 + u32::try_from(random.below(300)).unwrap(),
                window(1 + i64::try_from(random.below(90_000)).unwrap()),
            );
            let due: Vec<_> = (0..n).map(|i| window.due(share(i, n, 500))).collect();
            assert!(due.is_sorted());
            assert!(
                due.iter().all(|due| (window.created..=window.deadline.max(window.created)).contains(due))
            );
        }
    }
}
