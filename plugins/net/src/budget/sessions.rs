//! Sessions: how many may be open at once, and who waits for one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// How long a learned number of sessions holds before one more is tried.
const HOLD: Duration = Duration::from_mins(10);

/// A number of places, and whether somebody waits for one.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Wakes one of those who hold a place and could do without.
    wanted: Notify,
}

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), wanted: Notify::new() }
    }

    async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Some(permit);
        }
        let _waiting = Waiting::at(self);
        self.places.clone().acquire_owned().await.ok()
    }

    /// Ends when somebody waits for a place.
    async fn is_wanted(&self) {
        while self.waiting.load(Relaxed) == 0 {
            self.wanted.notified().await;
        }
    }
}

/// Somebody who waits; counted until dropped.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn at(gate: &'a Gate) -> Self {
        gate.waiting.fetch_add(1, Relaxed);
        gate.wanted.notify_one();
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// The sessions of one share.
#[derive(Debug)]
pub(super) struct Sessions {
    process: Arc<Gate>,
    gate: Arc<Gate>,
    learned: Arc<Mutex<Learned>>,
}

#[derive(Debug)]
struct Learned {
    /// By configuration.
    configured: usize,
    /// At most `configured`.
    max: usize,
    open: usize,
    /// Places that vanish when they are given back.
    condemned: usize,
    grows_at: Instant,
}

/// Leave for one session; dropping it gives the session back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Grant {
    gate: Arc<Gate>,
    process: Arc<Gate>,
    learned: Arc<Mutex<Learned>>,
    place: Option<OwnedSemaphorePermit>,
    _process_place: OwnedSemaphorePermit,
}

impl Sessions {
    pub(super) fn new(max: usize, process: Arc<Gate>) -> Self {
        let learned = Learned { configured: max, max, open: 0, condemned: 0, grows_at: Instant::now() };
        Self { process, gate: Arc::new(Gate::new(max)), learned: Arc::new(Mutex::new(learned)) }
    }

    pub(super) async fn acquire(&self) -> Option<Grant> {
        self.grow();
        // The narrow gate first: who waits for a slow host holds no session that another host could use.
        let place = self.gate.enter().await?;
        let process_place = self.process.enter().await?;
        lock(&self.learned).open += 1;
        Some(Grant {
            gate: self.gate.clone(),
            process: self.process.clone(),
            learned: self.learned.clone(),
            place: Some(place),
            _process_place: process_place,
        })
    }

    pub(super) fn max(&self) -> usize {
        lock(&self.learned).max
    }

    /// One less than are open now, if that leaves one.
    pub(super) fn cut(&self) -> bool {
        let mut learned = lock(&self.learned);
        if learned.open < 2 {
            return false;
        }
        let max = learned.max.min(learned.open - 1);
        let surplus = learned.max - max;
        learned.condemned += surplus - self.gate.places.forget_permits(surplus);
        learned.max = max;
        learned.grows_at = Instant::now() + HOLD;
        true
    }

    fn grow(&self) {
        let mut learned = lock(&self.learned);
        if learned.max < learned.configured && Instant::now() >= learned.grows_at {
            learned.max += 1;
            learned.grows_at = Instant::now() + HOLD;
            if learned.condemned > 0 {
                learned.condemned -= 1;
            } else {
                self.gate.places.add_permits(1);
            }
        }
    }
}

impl Grant {
    /// Ends when somebody waits for a session that this one stands in the way of.
    pub(crate) async fn is_wanted(&self) {
        tokio::select! {
            () = self.gate.is_wanted() => {}
            () = self.process.is_wanted() => {}
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut learned = lock(&self.learned);
        learned.open -= 1;
        if learned.condemned > 0 {
            learned.condemned -= 1;
            if let Some(place) = self.place.take() {
                place.forget();
            }
        }
    }
}

fn lock(learned: &Mutex<Learned>) -> std::sync::MutexGuard<'_, Learned> {
    learned.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn sessions(max: usize) -> Sessions {
        Sessions::new(max, Arc::new(Gate::new(100)))
    }

    fn now(sessions: &Sessions) -> Option<Grant> {
        sessions.acquire().now_or_never().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_not_tried_again_soon() {
        let sessions = sessions(8);
        let mut open: Vec<_> = (0..6).map(|_| now(&sessions).unwrap()).collect();
        assert!(sessions.cut(), "the sixth was one too many");
        assert_eq!(sessions.max(), 5);
        assert!(now(&sessions).is_none());
        open.pop();
        assert!(now(&sessions).is_none(), "five are open");
        open.pop();
        open.push(now(&sessions).unwrap());
        tokio::time::advance(HOLD).await;
        open.push(now(&sessions).unwrap());
        assert!(now(&sessions).is_none(), "one more, and no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_session_is_never_too_many() {
        let sessions = sessions(2);
        let _open = now(&sessions).unwrap();
        assert!(!sessions.cut());
        assert_eq!(sessions.max(), 2);
    }

    #[tokio::test]
    async fn who_could_do_without_hears_of_those_who_wait() {
        let sessions = sessions(1);
        let idle = now(&sessions).unwrap();
        assert!(idle.is_wanted().now_or_never().is_none());
        let mut waits = Box::pin(sessions.acquire());
        assert!(waits.as_mut().now_or_never().is_none());
        idle.is_wanted().await;
        drop(idle);
        let _next = waits.await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_up_waits_no_more() {
        let sessions = sessions(1);
        let idle = now(&sessions).unwrap();
        let mut waits = Box::pin(sessions.acquire());
        assert!(waits.as_mut().now_or_never().is_none());
        drop(waits);
        assert!(idle.is_wanted().now_or_never().is_none());
    }
}
