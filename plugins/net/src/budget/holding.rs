//! What a process holds of one key's ration, and when it has to ask again. No waiting here, and no store.

use std::time::Duration;

use tokio::time::Instant;

use super::ration::{Claim, Portion, RationKey};

/// Leased places that nobody has used for so long are given back.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(5);

/// Who waits asks again after this time. Others are heard of those who wait when they renew, which is seldomer.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Who has given up his last session for others asks again after so long, when they have had their turn to ask.
const YIELD: Duration = Duration::from_secs(2);

/// For how long a session is wanted for work that was put off since there was none: longer than it is put off.
const WISH: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Holding {
    /// Places that the store has given us, as far as we count on them.
    leased: usize,
    /// As sessions end, places go down to so many.
    keep: usize,
    /// Others wait for what is given up.
    is_pressed: bool,
    /// Sessions of other processes, as the store said last.
    others: usize,
    until: Instant,
    renew_at: Instant,
    /// The store did not answer: it is let alone until then.
    not_before: Instant,
    /// Nothing more is asked for until then.
    yields_until: Instant,
    /// One session is wanted until then, though nobody waits for it in person.
    wished_until: Instant,
    /// When the store was asked last, and how many sessions it believes that we want.
    asked: Option<(Instant, usize)>,
    /// Claims so far.
    claims: u64,
}

/// What is going on at the gate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    pub(super) open: usize,
    pub(super) waiting: usize,
    /// Places that have been free for [`IDLE_MAX`].
    pub(super) needless: usize,
}

impl Holding {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            leased: 0,
            keep: 0,
            is_pressed: false,
            others: 0,
            until: now,
            renew_at: now,
            not_before: now,
            yields_until: now,
            wished_until: now,
            asked: None,
            claims: 0,
        }
    }

    /// Places that may be taken, of `max`.
    pub(super) fn limit(&self, max: usize) -> usize {
        self.leased.min(self.keep).min(max)
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Places that are ours now.
    pub(super) fn leased(&self) -> usize {
        if Instant::now() < self.until { self.leased } else { 0 }
    }

    /// There are fewer by now: those of others come first.
    pub(super) fn make_room(&mut self, max: usize) {
        self.keep = self.keep.min(max.saturating_sub(self.others));
    }

    /// Sessions of other processes.
    pub(super) fn others(&self) -> usize {
        self.others
    }

    /// Number of the last claim.
    pub(super) fn last_claim(&self) -> u64 {
        self.claims
    }

    /// One session is wanted for work that will come back. Returns the number of the claim that says so: the next one,
    /// unless one has just said it.
    pub(super) fn wish(&mut self) -> u64 {
        let now = Instant::now();
        self.wished_until = now + WISH;
        let is_said = self.asked.is_some_and(|(at, told)| told > 0 && now < at + RETRY);
        if is_said { self.claims } else { self.claims + 1 }
    }

    /// Nothing is wanted but for those who wait in person.
    pub(super) fn stop_wishing(&mut self) {
        self.wished_until = Instant::now();
    }

    /// When the wish ends, if there is one.
    pub(super) fn wished_until(&self) -> Option<Instant> {
        self.is_wishing().then_some(self.wished_until)
    }

    fn is_wishing(&self) -> bool {
        Instant::now() < self.wished_until
    }

    /// Sessions that could be used.
    fn wanted(&self, max: usize, scene: Scene) -> usize {
        (scene.open + scene.waiting).max(usize::from(self.is_wishing())).min(max.max(scene.open))
    }

    /// Gives up what is needless. `true` when that changes the number of places.
    pub(super) fn trim(&mut self, max: usize, scene: Scene) -> bool {
        let before = self.limit(max);
        let kept = before.saturating_sub(scene.needless).max(self.wanted(max, scene).min(before));
        self.keep = self.keep.min(kept);
        self.limit(max) < before
    }

    /// Places that we count on: who is inside, and who may still come in.
    fn held(&self, max: usize, scene: Scene) -> usize {
        self.leased.min(self.limit(max).max(scene.open))
    }

    /// When the store is to be asked, if ever.
    pub(super) fn due(&self, max: usize, scene: Scene) -> Option<Instant> {
        self.wants(max, scene).map(|at| at.max(self.not_before))
    }

    fn wants(&self, max: usize, scene: Scene) -> Option<Instant> {
        let now = Instant::now();
        let wanted = self.wanted(max, scene);
        let Some((asked_at, told)) = self.asked else { return (wanted > 0).then_some(now) };
        if self.held(max, scene) < self.leased || (self.leased == 0 && wanted == 0 && told > 0) {
            return Some(now);
        }
        if self.leased == 0 && wanted == 0 {
            return None;
        }
        if wanted <= self.leased() || self.leased() >= max {
            return Some(self.renew_at);
        }
        let retry = if wanted > told { now } else { asked_at + RETRY };
        let at = retry.max(self.yields_until);
        Some(if self.leased > 0 { at.min(self.renew_at) } else { at })
    }

    /// A claim for what is wanted. What it gives back is ours no more.
    pub(super) fn claim(&mut self, key: &RationKey, max: usize, scene: Scene) -> Claim {
        let now = Instant::now();
        let (held, wanted) = (self.held(max, scene), self.wanted(max, scene));
        if held == 0 && self.leased > 0 && self.is_pressed {
            self.yields_until = now + YIELD;
        }
        self.leased = held;
        self.asked = Some((now, wanted));
        self.claims += 1;
        Claim { key: key.clone(), held, wanted, max, yields: now < self.yields_until }
    }

    /// What the store said to a claim that was put in at `asked_at`.
    pub(super) fn settle(&mut self, claim: &Claim, portion: Portion, asked_at: Instant, life: Duration) {
        self.leased = portion.sessions;
        self.others = portion.others;
        self.is_pressed = portion.keep < portion.sessions;
        // What has just been given is used once before it is given up.
        self.keep = if portion.sessions > claim.held { portion.sessions } else { portion.keep };
        self.until = asked_at + life;
        self.renew_at = asked_at + life / 3;
    }

    /// The store did not answer. What it may have given is not counted on.
    pub(super) fn fail(&mut self) {
        self.not_before = Instant::now() + RETRY;
        if self.leased() == 0 {
            self.leased = 0;
        }
    }
}
