//! Whether an operator has room for one more chunk. Where it had none a moment ago, nobody is asked again: a long line of
//! chunks would ask one by one, and each would come back as soon as the first.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long an operator that was found full is taken to be full.
const FULL: Duration = Duration::from_secs(5);

/// By how much longer each further chunk of it is put off: four of them come back in a second.
const STEP: Duration = Duration::from_millis(250);

/// The longest time for which a chunk is put off. More is tidier, but the operator may be free for that long.
const PUT_OFF_MAX: Duration = Duration::from_secs(30);

/// Operators that were found full, by their ids. There are as many as have a name.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<Box<str>, Full>>);

#[derive(Debug)]
struct Full {
    until: Instant,
    /// Chunks that were put off since it was found full, in the order of their deadlines: the queue hands them out so.
    line: u32,
}

impl Openings {
    /// Asks whether a chunk of this operator may begin, unless that is known not to be so.
    ///
    /// # Errors
    /// How long to put the chunk off.
    pub(super) async fn may_begin(
        &self,
        operator: &str,
        ask: impl Future<Output = Result<(), Duration>>,
    ) -> Result<(), Duration> {
        if let Some(wait) = self.known(operator) {
            return Err(wait);
        }
        match ask.await {
            Ok(()) => {
                self.lock().remove(operator);
                Ok(())
            }
            Err(wait) => Err(self.found_full(operator, wait)),
        }
    }

    fn known(&self, operator: &str) -> Option<Duration> {
        let mut all = self.lock();
        let full = all.get_mut(operator)?;
        let left = full.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| full.put_off(left))
    }

    /// The line goes on where it was found full before, and nobody has begun since.
    fn found_full(&self, operator: &str, wait: Duration) -> Duration {
        let (mut all, now) = (self.lock(), Instant::now());
        let wait = wait.max(FULL);
        let full = all.entry(operator.into()).or_insert(Full { until: now, line: 0 });
        if full.until <= now {
            // Whoever was put off comes back now, and stands in front again.
            *full = Full { until: now + wait, line: 0 };
        }
        full.put_off(wait)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Full>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Full {
    fn put_off(&mut self, least: Duration) -> Duration {
        let wait = least.max(FULL) + STEP * self.line;
        self.line = self.line.saturating_add(1).min(u32::MAX / 2);
        wait.min(PUT_OFF_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::advance;

    use super::*;

    const SNOOZE: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_long_line_asks_once_and_is_put_off_one_after_the_other() {
        let (openings, asked) = (Openings::default(), Cell::new(0));
        let full = async || {
            asked.set(asked.get() + 1);
            Err(SNOOZE)
        };
        let mut waits = Vec::new();
        for _ in 0..200 {
            waits.push(openings.may_begin("google", full()).await.unwrap_err());
        }
        assert_eq!((asked.get(), waits[0], waits[1]), (1, FULL, FULL + STEP));
        assert!(waits.is_sorted() && waits[199] == PUT_OFF_MAX);
        assert_eq!(openings.may_begin("yahoo", async { Ok(()) }).await, Ok(()), "others are not concerned");
        advance(FULL).await;
        assert_eq!(openings.may_begin("google", full()).await, Err(FULL));
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_begin_opens_the_way_for_others() {
        let openings = Openings::default();
        assert_eq!(openings.may_begin("google", async { Err(SNOOZE) }).await, Err(FULL));
        assert_eq!(openings.may_begin("google", async { Ok(()) }).await, Err(FULL + STEP), "it is not asked");
        advance(FULL).await;
        for _ in 0..3 {
            assert_eq!(openings.may_begin("google", async { Ok(()) }).await, Ok(()));
        }
    }
}
