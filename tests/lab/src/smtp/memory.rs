//! What a server remembers from one session to the next.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::{Flow, Pace, Window};

/// The memory of one server.
#[derive(Debug)]
pub(super) struct Memory {
    pace: Option<Pace>,
    flow: Option<Flow>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: u64,
    /// When each triplet of client, sender and recipient was seen first.
    triplets: HashMap<(IpAddr, String, String), Instant>,
    /// How often each thing was asked.
    asked: HashMap<String, u64>,
    /// When recipients were asked, the last ones.
    recent: VecDeque<Instant>,
    transactions: u64,
}

impl Memory {
    pub(super) fn new(pace: Option<Pace>, flow: Option<Flow>) -> Self {
        Self { pace, flow, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new session, from 1.
    pub(super) fn begin_session(&self) -> u64 {
        let mut known = self.known();
        known.sessions += 1;
        known.sessions
    }

    /// How long a triplet has to wait yet.
    pub(super) fn wait(&self, client: IpAddr, sender: &str, recipient: &str, delay: Duration) -> Duration {
        let triplet = (client, sender.to_owned(), recipient.to_ascii_lowercase());
        let first_seen = *self.known().triplets.entry(triplet).or_insert_with(Instant::now);
        delay.saturating_sub(first_seen.elapsed())
    }

    /// How often `what` was asked before.
    pub(super) fn times_asked(&self, what: &str) -> u64 {
        let mut known = self.known();
        let times = known.asked.entry(what.to_ascii_lowercase()).or_default();
        *times += 1;
        *times - 1
    }

    /// Whether the pace allows one recipient more.
    pub(super) fn allows_recipient(&self) -> bool {
        let Some(pace) = &self.pace else { return true };
        let (now, mut known) = (Instant::now(), self.known());
        let recent = &mut known.recent;
        match pace.window {
            Window::Sliding => {
                while recent.front().is_some_and(|first| now - *first >= pace.per) {
                    recent.pop_front();
                }
            }
            Window::Fixed => {
                if recent.front().is_some_and(|first| now - *first >= pace.per) {
                    recent.clear();
                }
            }
        }
        let allows = (recent.len() as u64) < pace.recipients;
        if allows {
            recent.push_back(now);
        }
        allows
    }

    /// What a transaction costs that has just got its first recipient.
    pub(super) fn transaction_cost(&self) -> Duration {
        let Some(flow) = &self.flow else { return Duration::ZERO };
        let mut known = self.known();
        known.transactions += 1;
        if known.transactions > flow.tokens { flow.delay } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn paced(window: Window) -> Memory {
        Memory::new(Some(Pace { recipients: 2, per: MINUTE, window, ..Pace::default() }), None)
    }

    #[tokio::test(start_paused = true)]
    async fn sliding_window_counts_the_last_minute() {
        let memory = paced(Window::Sliding);
        assert!(memory.allows_recipient());
        tokio::time::advance(MINUTE / 2).await;
        assert!(memory.allows_recipient());
        assert!(!memory.allows_recipient());
        tokio::time::advance(MINUTE / 2).await;
        assert!(memory.allows_recipient());
        assert!(!memory.allows_recipient());
    }

    #[tokio::test(start_paused = true)]
    async fn fixed_window_begins_again() {
        let memory = paced(Window::Fixed);
        assert!(memory.allows_recipient());
        tokio::time::advance(MINUTE / 2).await;
        assert!(memory.allows_recipient());
        assert!(!memory.allows_recipient());
        tokio::time::advance(MINUTE / 2).await;
        assert!(memory.allows_recipient());
        assert!(memory.allows_recipient());
        assert!(!memory.allows_recipient());
    }

    #[tokio::test(start_paused = true)]
    async fn triplet_waits_once() {
        let memory = Memory::new(None, None);
        let client = IpAddr::from([192, 0, 2, 1]);
        let wait = |sender| memory.wait(client, sender, "jane@a.test", MINUTE);
        assert_eq!(wait("probe@lab.test"), MINUTE);
        tokio::time::advance(MINUTE).await;
        assert_eq!(wait("probe@lab.test"), Duration::ZERO);
        assert_eq!(wait("other@lab.test"), MINUTE);
    }
}
