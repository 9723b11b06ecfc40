//! A gate: so many places, first come first served. Their number may change at any time; whoever is inside stays.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// Wakes those who hold a place and could do without.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    limit: usize,
    /// Nobody enters from then on.
    until: Option<Instant>,
    open: usize,
    /// Since when each free place is free. The one that was freed last is taken first, so that the others can be told
    /// to be needless.
    idle: VecDeque<Instant>,
    queue: VecDeque<(u64, oneshot::Sender<Place>)>,
    entries: u64,
}

/// A place inside; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Gate>>);

/// Somebody who waits for a place. Dropping it is to wait no more.
pub(super) struct Entry {
    gate: Arc<Gate>,
    id: u64,
    place: oneshot::Receiver<Place>,
}

impl Gate {
    pub(super) fn new(limit: usize) -> Self {
        let gate = Self { state: Mutex::default(), wanted: Notify::new() };
        gate.lock().limit = limit;
        gate
    }

    /// Takes a place in the queue, or inside if there is one.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let (sender, place) = oneshot::channel();
        let mut state = self.lock();
        state.entries += 1;
        let id = state.entries;
        state.queue.push_back((id, sender));
        self.admit(&mut state);
        if !state.queue.is_empty() {
            self.wanted.notify_one();
        }
        Entry { gate: self.clone(), id, place }
    }

    /// From now on there are so many places, until then if it is said.
    pub(super) fn set(self: &Arc<Self>, limit: usize, until: Option<Instant>) {
        let mut state = self.lock();
        (state.limit, state.until) = (limit, until);
        // What goes is what has been free for longest.
        let needless = state.idle.len().saturating_sub(limit.saturating_sub(state.open));
        state.idle.drain(..needless);
        self.admit(&mut state);
        if state.open > limit {
            self.wanted.notify_waiters();
            self.wanted.notify_one();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    /// When a place that stays free will have been so for this long.
    pub(super) fn idle_for(&self, time: Duration) -> Option<Instant> {
        self.lock().idle.front().map(|since| *since + time)
    }

    /// Places that have been free for this long.
    pub(super) fn idle_since(&self, time: Duration) -> usize {
        let now = Instant::now();
        self.lock().idle.iter().take_while(|since| now.duration_since(**since) >= time).count()
    }

    /// Ends when somebody waits for a place, or more are inside than may be.
    pub(super) async fn is_wanted(&self) {
        loop {
            let notified = self.wanted.notified();
            let is_wanted = {
                let state = self.lock();
                !state.queue.is_empty() || state.open > state.limit
            };
            if is_wanted {
                return;
            }
            notified.await;
        }
    }

    /// Lets in who waits, as far as there are places.
    fn admit(self: &Arc<Self>, state: &mut State) {
        let is_valid = state.until.is_none_or(|until| Instant::now() < until);
        while is_valid && state.open < state.limit {
            let Some((_, sender)) = state.queue.pop_front() else { break };
            state.open += 1;
            if let Err(mut place) = sender.send(Place(Some(self.clone()))) {
                // Who waited has just gone. The place is not dropped in the ordinary way, which would wait for this lock.
                place.0 = None;
                state.open -= 1;
            }
        }
        let free = state.limit.saturating_sub(state.open);
        state.idle.truncate(free);
        state.idle.resize(free, Instant::now());
    }

    fn leave(self: &Arc<Self>) {
        let mut state = self.lock();
        state.open -= 1;
        self.admit(&mut state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Entry {
    type Output = Option<Place>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.place).poll(cx).map(Result::ok)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.queue.retain(|(id, _)| *id != self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn gate(limit: usize) -> Arc<Gate> {
        Arc::new(Gate::new(limit))
    }

    fn now(gate: &Arc<Gate>) -> Option<Place> {
        gate.enter().now_or_never().flatten()
    }

    #[tokio::test]
    async fn who_came_first_is_first() {
        let gate = gate(1);
        let inside = now(&gate).unwrap();
        let (first, second) = (gate.enter(), gate.enter());
        drop(inside);
        let place = first.await.unwrap();
        assert!(second.now_or_never().is_none());
        drop(place);
        assert!(now(&gate).is_some());
    }

    #[tokio::test]
    async fn who_leaves_the_queue_takes_no_place_along() {
        let gate = gate(1);
        let inside = now(&gate).unwrap();
        let (gone, stays) = (gate.enter(), gate.enter());
        drop(gone);
        drop(inside);
        let place = stays.await.unwrap();
        // And one that was let in, and does not look.
        let lets_be = gate.enter();
        drop(place);
        drop(lets_be);
        assert_eq!((gate.open(), gate.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn fewer_places_send_nobody_away_and_let_nobody_in() {
        let gate = gate(3);
        let mut inside: Vec<_> = (0..3).map(|_| now(&gate).unwrap()).collect();
        gate.set(1, None);
        gate.is_wanted().now_or_never().unwrap();
        inside.truncate(1);
        assert!(now(&gate).is_none() && gate.is_wanted().now_or_never().is_none());
        gate.set(2, None);
        assert!(now(&gate).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_enters_when_time_is_up() {
        let gate = gate(0);
        let second = Duration::from_secs(1);
        gate.set(2, Some(Instant::now() + second));
        let inside = now(&gate).unwrap();
        tokio::time::advance(second).await;
        assert!(now(&gate).is_none());
        drop(inside);
        assert!(now(&gate).is_none());
        gate.set(2, Some(Instant::now() + second));
        assert!(now(&gate).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_needless_is_told_from_what_is_used_now_and_then() {
        let gate = gate(3);
        let second = Duration::from_secs(1);
        for _ in 0..5 {
            let _inside = now(&gate).unwrap();
            tokio::time::advance(second).await;
        }
        assert_eq!(gate.idle_since(5 * second), 2, "one was enough");
    }
}
