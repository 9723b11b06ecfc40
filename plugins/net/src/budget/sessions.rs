//! Sessions: leave for one, waited for first come first served.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    gate::{Gate, Place},
    pace::Part,
    quota::Quota,
    steward::Steward,
};

/// How long work is put off for which there is no session at all. Others give back in that time what they do not use.
pub(super) const SNOOZE: Duration = Duration::from_secs(3);

/// How long a store may take to say that there is none.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The sessions of one share.
pub(super) struct Sessions {
    process: Arc<Gate>,
    quota: Arc<Quota>,
    /// Where processes share.
    steward: Option<Arc<Steward>>,
}

/// Leave for one session; dropping it gives the session back.
#[must_use]
pub(crate) struct Grant {
    _place: Place,
    _process_place: Place,
    gate: Arc<Gate>,
    process: Arc<Gate>,
    /// Last: it looks at what the others have left.
    _told: Told,
}

/// Tells the steward, when dropped, that something has changed.
struct Told(Arc<Quota>, Option<Arc<Steward>>);

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(steward) = &self.1 {
            steward.look_at(&self.0);
        }
    }
}

impl Sessions {
    pub(super) fn new(process: Arc<Gate>, quota: Quota, steward: Option<Arc<Steward>>) -> Self {
        Self { process, quota: Arc::new(quota), steward }
    }

    pub(super) async fn acquire(&self) -> Option<Grant> {
        self.quota.grow();
        // However this ends, a place may be free or taken by then.
        let told = self.told();
        let entry = self.quota.gate.enter();
        drop(self.told());
        // The narrow gate first: who waits for a slow host holds no session that another host could use.
        let place = entry.await?;
        let process_place = self.process.enter().await?;
        Some(Grant {
            _place: place,
            _process_place: process_place,
            gate: self.quota.gate.clone(),
            process: self.process.clone(),
            _told: told,
        })
    }

    /// Whether a session is there for work that is about to begin, now or as soon as the store has answered.
    ///
    /// # Errors
    /// When to try again. Meanwhile one is asked for.
    pub(super) async fn may_begin(&self) -> Result<(), Duration> {
        if self.steward.is_none() {
            return Ok(());
        }
        let claim = self.quota.wish();
        drop(self.told());
        if self.quota.has_any() {
            return Ok(());
        }
        // A store that is silent has given none.
        let _ = timeout(ANSWER_MAX, self.quota.is_answered(claim)).await;
        if self.quota.has_any() { Ok(()) } else { Err(SNOOZE) }
    }

    pub(super) fn max(&self) -> usize {
        self.quota.max()
    }

    /// By configuration.
    pub(super) fn configured(&self) -> usize {
        self.quota.configured()
    }

    pub(super) fn cut(&self) -> Option<usize> {
        self.quota.cut()
    }

    pub(super) fn take_in(&self, max: usize) {
        self.quota.take_in(max);
    }

    pub(super) fn others(&self) -> usize {
        self.quota.others()
    }

    pub(super) fn part(&self) -> Part {
        self.quota.part()
    }

    /// Whether the store knows of these sessions, or is to.
    pub(super) fn is_leased(&self) -> bool {
        self.quota.is_enlisted()
    }

    fn told(&self) -> Told {
        Told(self.quota.clone(), self.steward.clone())
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
