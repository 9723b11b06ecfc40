//! The way of what is learned to whoever tells it to other processes.

use std::{sync::OnceLock, time::Duration};

use tokio::sync::broadcast::{self, error::RecvError};

use super::{Fact, Learned, Lesson};

/// Lessons that wait to be fetched: minutes of a busy prober. Then the oldest are dropped, which costs other processes the
/// trouble of learning them too.
const LESSONS_MAX: usize = 4_096;

/// Where lessons go; nowhere until somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Outbox(OnceLock<broadcast::Sender<Lesson>>);

/// What a prober learns from now on.
#[derive(Debug)]
pub struct Lessons {
    receiver: broadcast::Receiver<Lesson>,
    missed: u64,
}

impl Outbox {
    pub(crate) fn tell(&self, life: Duration, fact: Fact) {
        if let Some(sender) = self.0.get() {
            // Nobody may listen any more.
            let _ = sender.send(Lesson { learned: Learned(fact), life });
        }
    }

    pub(crate) fn listen(&self) -> Lessons {
        let sender = self.0.get_or_init(|| broadcast::channel(LESSONS_MAX).0);
        Lessons { receiver: sender.subscribe(), missed: 0 }
    }
}

impl Lessons {
    /// The next one; `None` when the prober is gone.
    pub async fn next(&mut self) -> Option<Lesson> {
        loop {
            match self.receiver.recv().await {
                Ok(lesson) => return Some(lesson),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Lessons that were dropped since they were not fetched in time.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::EgressId;

    use super::*;
    use crate::budget::BudgetKey;

    fn pace(ceiling: usize) -> Fact {
        Fact::Pace { egress: EgressId(0), of: BudgetKey::Operator("google"), ceiling }
    }

    #[tokio::test]
    async fn the_oldest_are_dropped_and_counted() {
        let outbox = Outbox::default();
        outbox.tell(Duration::from_secs(1), pace(0));
        let mut lessons = outbox.listen();
        for ceiling in 1..=LESSONS_MAX + 10 {
            outbox.tell(Duration::from_secs(1), pace(ceiling));
        }
        assert_eq!(
            lessons.next().await.unwrap().learned,
            Learned(pace(11)),
            "what came before was for nobody"
        );
        assert_eq!(lessons.missed(), 10);
        drop(outbox);
        for _ in 1..LESSONS_MAX {
            assert!(lessons.next().await.is_some());
        }
        assert_eq!(lessons.next().await, None);
    }
}
