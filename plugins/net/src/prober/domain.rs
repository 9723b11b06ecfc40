//! What an inquiry knows of one domain: whether it accepts everybody, how sure that is, and who waits to be told.

use mailsonde_engine::{CatchAll, CatchAllSource, Reading, Reason, ReplyClass};

/// Accepted recipients without a refused one after which a remembered "refuses unknown ones" is asked for anew.
const ACCEPTS_IN_DOUBT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Domain {
    /// Accepted recipients that wait for the random one.
    pub(super) waiting: usize,
    /// They have waited since an earlier session.
    pub(super) is_late: bool,
    /// Recipients accepted so far, whoever accepted them.
    pub(super) accepted: usize,
    /// Recipients that do not exist, as the hosts said.
    pub(super) unknown: usize,
    pub(super) known: Option<CatchAll>,
    /// Why the random recipient has no answer yet.
    pub(super) delayed: Option<Reason>,
    /// What a first random recipient got, when a second one has to confirm it.
    first_random: Option<bool>,
}

impl Domain {
    /// What was learned at one host is not known of the next.
    pub(super) fn enter_host(&mut self) {
        self.known = None;
        self.first_random = None;
    }

    /// What was learned in one session is from memory in the next.
    pub(super) fn enter_session(&mut self) {
        use CatchAllSource::{Cache, Session};
        self.is_late = self.waiting > 0;
        self.known = self.known.map(|known| match known {
            CatchAll::Yes { source: Session } => CatchAll::Yes { source: Cache },
            CatchAll::No { source: Session } => CatchAll::No { source: Cache },
            other => other,
        });
    }

    /// Whether what was heard in this inquiry makes a remembered fact doubtful.
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
