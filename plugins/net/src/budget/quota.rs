//! The quota of one key: how many sessions this process may have open at once. By configuration, by what was refused, and,
//! where processes share a ration, by what is leased.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{
    gate::Gate,
    holding::{Holding, IDLE_MAX, Scene},
    pace::Part,
    ration::{Claim, Portion, RationKey},
};

/// How long a learned number of sessions holds before one more is tried.
pub(super) const HOLD: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Quota {
    key: RationKey,
    pub(super) gate: Arc<Gate>,
    state: Mutex<State>,
    /// The steward has it on its list.
    is_enlisted: AtomicBool,
    /// Number of the last claim that the store answered, or did not.
    answered: watch::Sender<u64>,
}

/// What changes of it.
#[derive(Debug)]
struct State {
    /// By configuration.
    configured: usize,
    /// At most `configured`. Of all processes together, where they share.
    max: usize,
    grows_at: Instant,
    /// Where processes share.
    holding: Option<Holding>,
}

impl Quota {
    pub(super) fn new(key: RationKey, max: usize, is_rationed: bool) -> Self {
        let holding = is_rationed.then(Holding::new);
        let limit = if is_rationed { 0 } else { max };
        Self {
            key,
            gate: Arc::new(Gate::new(limit)),
            state: Mutex::new(State { configured: max, max, grows_at: Instant::now(), holding }),
            is_enlisted: AtomicBool::new(false),
            answered: watch::Sender::default(),
        }
    }

    /// Sessions that may be open at once by now, whoever has them.
    pub(super) fn max(&self) -> usize {
        self.state().max
    }

    /// Sessions that may be open at once by configuration.
    pub(super) fn configured(&self) -> usize {
        self.state().configured
    }

    /// One less than are open now, if that leaves one.
    pub(super) fn cut(&self) -> Option<usize> {
        let mut state = self.state();
        let others = state.holding.as_ref().map_or(0, Holding::others);
        let open = self.gate.open() + others;
        if open < 2 {
            return None;
        }
        let max = state.max.min(open - 1);
        (state.max, state.grows_at) = (max, Instant::now() + HOLD);
        if let Some(holding) = &mut state.holding {
            holding.make_room(max);
        }
        self.apply(&state);
        Some(max)
    }

    /// Another process has learned this number.
    pub(super) fn take_in(&self, max: usize) {
        let mut state = self.state();
        state.max = max.clamp(1, state.configured);
        state.grows_at = Instant::now() + HOLD;
        self.apply(&state);
    }

    pub(super) fn grow(&self) {
        let mut state = self.state();
        if state.max < state.configured && Instant::now() >= state.grows_at {
            state.max += 1;
            state.grows_at = Instant::now() + HOLD;
            self.apply(&state);
        }
    }

    /// Which part of what all processes may do is this one's.
    pub(super) fn part(&self) -> Part {
        let state = self.state();
        let Some(holding) = &state.holding else { return Part::WHOLE };
        let held = holding.leased().max(1);
        Part { held, of: held + holding.others() }
    }

    /// Sessions that other processes have.
    pub(super) fn others(&self) -> usize {
        self.state().holding.as_ref().map_or(0, Holding::others)
    }

    /// Whether a session is ours, at work or not.
    pub(super) fn has_any(&self) -> bool {
        self.state().holding.as_ref().is_none_or(|holding| holding.leased() > 0)
    }

    /// One session is wanted for work that will come back. Returns the number of the claim that will say so.
    pub(super) fn wish(&self) -> u64 {
        self.state().holding.as_mut().map_or(0, Holding::wish)
    }

    /// Ends when the store has answered this claim, or has not.
    pub(super) async fn is_answered(&self, claim: u64) {
        // The sender is in our own hands.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= claim).await;
    }

    /// Takes a place on the steward's list. `false` when it has one.
    pub(super) fn enlist(&self) -> bool {
        !self.is_enlisted.swap(true, SeqCst)
    }

    pub(super) fn is_enlisted(&self) -> bool {
        self.is_enlisted.load(SeqCst)
    }

    /// Gives up the place on the steward's list if the store need not know of this quota.
    pub(super) fn delist_if_nothing(&self) -> bool {
        if self.due().is_some() {
            return false;
        }
        self.is_enlisted.store(false, SeqCst);
        // Somebody may have come just before that, and may have put it on the list again just after it.
        self.due().is_none() || !self.enlist()
    }

    /// When the store is to be asked, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.state();
        state.holding.as_ref()?.due(state.max, self.scene())
    }

    /// Gives up what has been free for long. Returns when to look again.
    pub(super) fn look(&self) -> Option<Instant> {
        let mut state = self.state();
        let (scene, max) = (self.scene(), state.max);
        if state.holding.as_mut()?.trim(max, scene) {
            self.apply(&state);
        }
        let holding = state.holding.as_ref()?;
        let idle = self.gate.idle_for(IDLE_MAX).filter(|at| *at > Instant::now());
        [holding.due(max, self.scene()), holding.wished_until(), idle].into_iter().flatten().min()
    }

    /// Gives up what nobody uses, at once.
    pub(super) fn retire(&self) {
        let mut state = self.state();
        let (scene, max) = (Scene { needless: usize::MAX, ..self.scene() }, state.max);
        let Some(holding) = &mut state.holding else { return };
        holding.stop_wishing();
        if holding.trim(max, scene) {
            self.apply(&state);
        }
    }

    /// What to tell the store; nothing where there is none.
    pub(super) fn claim(&self) -> Option<Claim> {
        let mut state = self.state();
        let (max, scene) = (state.max, self.scene());
        state.holding.as_mut().map(|holding| holding.claim(&self.key, max, scene))
    }

    pub(super) fn settle(&self, claim: &Claim, portion: Portion, asked_at: Instant, life: Duration) {
        self.answer(|holding| holding.settle(claim, portion, asked_at, life));
    }

    pub(super) fn fail(&self) {
        self.answer(Holding::fail);
    }

    fn answer(&self, change: impl FnOnce(&mut Holding)) {
        let mut state = self.state();
        let Some(holding) = &mut state.holding else { return };
        change(holding);
        let answered = holding.last_claim();
        self.apply(&state);
        self.answered.send_replace(answered);
    }

    fn apply(&self, state: &State) {
        match &state.holding {
            Some(holding) => self.gate.set(holding.limit(state.max), Some(holding.until())),
            None => self.gate.set(state.max, None),
        }
    }

    fn scene(&self) -> Scene {
        let needless = self.gate.idle_since(IDLE_MAX);
        Scene { open: self.gate.open(), waiting: self.gate.waiting(), needless }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
