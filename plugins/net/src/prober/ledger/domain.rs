//! What a ledger knows of one domain at one host: whether it accepts everybody, how that is known, and who waits to be
//! told.

use std::time::Duration;

use mailsonde_engine::{Address, CatchAll, CatchAllSource, Reading, Reason, ReplyClass};
use tokio::time::Instant;

use super::{SessionId, TargetId};

/// Accepted recipients without a refused one after which a remembered "refuses unknown ones" is asked for anew.
const ACCEPTS_IN_DOUBT: usize = 8;

/// Random recipients that may go unanswered before we do without.
const RANDOMS_MAX: usize = 3;

/// How long what was heard just now is beyond doubt.
const FRESH: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Domain {
    /// Accepted recipients that wait for the random one.
    pub(super) waiting: Vec<TargetId>,
    /// A random one is due, or in flight.
    pub(super) is_asked: bool,
    /// The host puts strangers off, and does not know the random one yet.
    pub(super) is_greylisting: bool,
    /// The random recipient, until it has told.
    pub(super) random: Option<Address>,
    /// When somebody was accepted last, by the ledger's numbers.
    pub(super) accepted_at: u64,
    /// Recipients accepted since it was learned whether everybody is.
    pub(super) accepted: usize,
    /// Recipients that do not exist, as the host said since then.
    pub(super) unknown: usize,
    /// Replies in a row that say nothing of any mailbox.
    pub(super) mute: usize,
    /// Why the random recipient has no answer yet.
    pub(super) delayed: Option<Reason>,
    known: Option<Known>,
    /// What a first random recipient got, when a second one has to confirm it.
    first_random: Option<bool>,
    unanswered: usize,
}

/// What a random recipient told.
#[derive(Debug)]
struct Known {
    catch_all: CatchAll,
    session: SessionId,
    at: Instant,
}

impl Domain {
    /// What a random recipient told, as a recipient of `session` hears it.
    pub(super) fn known(&self, session: SessionId) -> Option<CatchAll> {
        let known = self.known.as_ref().filter(|known| known.at.elapsed() < FRESH)?;
        let catch_all = known.catch_all.clone();
        Some(if known.session == session { catch_all } else { from_memory(catch_all) })
    }

    /// A random recipient has told.
    pub(super) fn learn(&mut self, catch_all: CatchAll, session: SessionId) {
        // What is unclear may be clear the next time.
        let is_fact = !matches!(catch_all, CatchAll::Unknown { .. });
        self.known = is_fact.then(|| Known { catch_all, session, at: Instant::now() });
        // From here on, doubts begin anew.
        (self.accepted, self.unknown) = (0, 0);
        (self.is_asked, self.first_random, self.unanswered, self.delayed) = (false, None, 0, None);
    }

    /// The random recipient got no answer; `false` when it is not worth another one.
    pub(super) fn delay(&mut self, reason: Option<Reason>) -> bool {
        self.delayed = reason.or(self.delayed.take());
        self.unanswered += 1;
        self.unanswered < RANDOMS_MAX
    }

    /// Whether what was heard makes a remembered fact doubtful.
    pub(super) fn contradicts(&self, accepts_all: bool) -> bool {
        if accepts_all { self.unknown > 0 } else { self.unknown == 0 && self.accepted >= ACCEPTS_IN_DOUBT }
    }

    /// What the reply about a random recipient says of the domain; `None` when a second one has to confirm it.
    pub(super) fn hear_random(&mut self, reading: &Reading) -> Option<CatchAll> {
        let accepts_all = match reading.class {
            ReplyClass::Accepted => true,
            ReplyClass::NoSuchMailbox
            | ReplyClass::NoSuchDomain
            | ReplyClass::Disabled
            | ReplyClass::Unclear => false,
            other => {
                // That somebody who does not exist has a full mailbox makes no sense.
                let reason = other.unknown_reason().unwrap_or(Reason::InconsistentAnswers);
                return Some(CatchAll::Unknown { reason });
            }
        };
        match self.first_random {
            Some(first) if first != accepts_all => {
                Some(CatchAll::Unknown { reason: Reason::InconsistentAnswers })
            }
            // It accepts one that does not exist, and has refused another: chance, or a rule that we do not see.
            None if accepts_all && self.unknown > 0 => {
                self.first_random = Some(true);
                None
            }
            _ => Some(verdict(accepts_all, CatchAllSource::Session)),
        }
    }
}

pub(super) fn verdict(accepts_all: bool, source: CatchAllSource) -> CatchAll {
    if accepts_all { CatchAll::Yes { source } } else { CatchAll::No { source } }
}

/// What was learned in one session is from memory in another.
fn from_memory(catch_all: CatchAll) -> CatchAll {
    use CatchAllSource::{Cache, Session};
    match catch_all {
        CatchAll::Yes { source: Session } => CatchAll::Yes { source: Cache },
        CatchAll::No { source: Session } => CatchAll::No { source: Cache },
        other => other,
    }
}
