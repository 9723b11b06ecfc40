//! The judge's first step: the state of the mailbox, from what this run, or else a fresh memory, says of it. What the
//! address looks like, and what plugins hold it to be, is not heard here.

use super::{Place, Policy, RandomPolicy, Seen};
use crate::{
    CatchAll, CatchAllSource, Confidence, FaultCause, MailRoute, MailboxState, ProbeFailure, Reading, Reason,
    ReplyClass, Strength, confidence::Evidence,
};

/// The mailbox's state, its cause, and how sure the claim is that follows from it.
pub(super) struct Mailbox {
    pub(super) state: MailboxState,
    pub(super) reason: Option<Reason>,
    pub(super) confidence: Confidence,
}

impl Mailbox {
    fn new(state: MailboxState, reason: impl Into<Option<Reason>>, confidence: Confidence) -> Self {
        Self { state, reason: reason.into(), confidence }
    }

    fn unanswered(reason: Reason) -> Self {
        Self::new(MailboxState::Unanswered, reason, Confidence::NOTHING)
    }

    /// Nothing can be delivered; an answer too weak to say so is no answer.
    fn dead(state: MailboxState, reason: Reason, confidence: Confidence) -> Self {
        if confidence < Confidence::UNDELIVERABLE_MIN {
            return Self::unanswered(Reason::BlockedByServer);
        }
        Self::new(state, reason, confidence)
    }

    pub(super) fn is_dead(&self) -> bool {
        use MailboxState::{Disabled, NoDomain, NoMail, NoMailHost, NonAsciiUnsupported, NotFound};
        matches!(self.state, NotFound | Disabled | NoDomain | NoMailHost | NoMail | NonAsciiUnsupported)
    }

    pub(super) fn is_proven(&self) -> bool {
        matches!(self.state, MailboxState::Accepted | MailboxState::CatchAllConfirmed)
    }

    /// Where the state stands in the decision list, when nothing else is judged.
    pub(super) fn place(&self) -> Place {
        use MailboxState::{Accepted, CatchAll, CatchAllConfirmed, Full, Invalid, Unanswered, Unchecked};
        match self.state {
            Invalid => Place::Syntax,
            Unanswered => Place::Unanswered,
            CatchAll => Place::AcceptAll,
            Full => Place::Risky,
            Accepted | CatchAllConfirmed => Place::Deliverable,
            Unchecked => Place::Unchecked,
            _ => Place::Undeliverable,
        }
    }

    /// Whether a random-looking local part may decide. Where there is no answer at all, or the mailbox is dead, an
    /// earlier rule has.
    pub(super) fn may_be_random(&self, policy: Policy) -> bool {
        let is_known = self.is_proven() || self.state == MailboxState::Full;
        !is_known || policy.random == RandomPolicy::Always
    }
}

impl Seen<'_> {
    /// What this run, or else a fresh memory, says of the mailbox.
    pub(super) fn mailbox(&self, policy: Policy) -> Mailbox {
        use MailboxState::{Invalid, NoDomain, NoMail, NoMailHost, NotFound, Unchecked};
        let gone = |state, reason| Mailbox::dead(state, reason, Evidence::DomainGone.score(false, false));
        if let Some(error) = self.syntax {
            return Mailbox::new(Invalid, Reason::Syntax(error.reason), Confidence::CERTAIN);
        }
        match self.route {
            Some(MailRoute::NoDomain) => return gone(NoDomain, Reason::DomainNotFound),
            Some(MailRoute::NoMail) => return gone(NoMailHost, Reason::NoMxRecord),
            Some(MailRoute::NullMx) => return gone(NoMail, Reason::NullMx),
            Some(MailRoute::Mx { .. } | MailRoute::Implicit | MailRoute::Unanswered { .. }) | None => {}
        }
        if let Some(reading) = self.reply {
            return self.by_reply(reading);
        }
        match (self.failed, self.fault) {
            (Some(ProbeFailure::MxWithoutAddress), _) => gone(NoMailHost, Reason::NoMxRecord),
            _ if self.is_remembered(policy) => {
                Mailbox::dead(NotFound, Reason::MailboxNotFound, Evidence::RefusedByCode.score(false, false))
            }
            // Why nobody was asked is told by what kept us from asking.
            (Some(ProbeFailure::DnsFailure | ProbeFailure::NotItsTurn) | None, Some(fault)) => {
                Mailbox::unanswered(fault_reason(fault.cause))
            }
            (Some(failure), _) if failure != ProbeFailure::NotProbed => Mailbox::unanswered(failure.reason()),
            _ => Mailbox::new(Unchecked, Reason::NoSmtpCheck, Confidence::NOTHING),
        }
    }

    /// A fresh memory stands in for a probe that was not made; not for one that came to nothing.
    fn is_remembered(&self, policy: Policy) -> bool {
        let was_asked = !matches!(self.failed, None | Some(ProbeFailure::NotProbed))
            || self.fault.is_some_and(|fault| fault.lost.iter().any(|key| **key == *"smtp.reply"));
        !was_asked && self.bounced.is_some_and(|fact| fact.stands_in(policy.history_trust_days))
    }

    fn by_reply(&self, reading: &Reading) -> Mailbox {
        use MailboxState::{Disabled, Full, NoMail, NonAsciiUnsupported, NotFound};
        let refused = match reading.strength {
            Strength::Operator => Evidence::RefusedByOperatorRule,
            Strength::Code => Evidence::RefusedByCode,
            Strength::Text => Evidence::RefusedByText,
            Strength::Bare => Evidence::RefusedBare,
        }
        .score(reading.agreed, false);
        match reading.class {
            ReplyClass::Accepted => self.accepted(),
            ReplyClass::NoSuchMailbox | ReplyClass::NoSuchDomain => {
                Mailbox::dead(NotFound, Reason::MailboxNotFound, refused)
            }
            ReplyClass::Disabled => Mailbox::dead(Disabled, Reason::MailboxDisabled, refused),
            ReplyClass::NotAcceptingMail => Mailbox::dead(NoMail, Reason::DomainNotAcceptingMail, refused),
            ReplyClass::NonAsciiUnsupported => {
                Mailbox::dead(NonAsciiUnsupported, Reason::NonAsciiUnsupported, refused)
            }
            ReplyClass::Full => Mailbox::new(Full, Reason::MailboxFull, Evidence::Risky.score(false, false)),
            other => Mailbox::unanswered(other.unknown_reason().unwrap_or(Reason::ProtocolError)),
        }
    }

    /// An accepted recipient proves a mailbox only where another one was refused.
    fn accepted(&self) -> Mailbox {
        let implicit = matches!(self.route, Some(MailRoute::Implicit));
        match self.catch_all {
            Some(CatchAll::Yes { .. }) if self.confirmed => {
                let confidence = Evidence::CatchAllConfirmed.score(false, implicit);
                Mailbox::new(MailboxState::CatchAllConfirmed, None, confidence)
            }
            Some(CatchAll::Yes { source }) => {
                let reason = match source {
                    CatchAllSource::Operator => Reason::OperatorAcceptsAll,
                    CatchAllSource::Session | CatchAllSource::Cache => Reason::CatchAll,
                };
                Mailbox::new(MailboxState::CatchAll, reason, Evidence::RandomAccepted.score(false, false))
            }
            Some(CatchAll::No { source }) => {
                let evidence = match source {
                    CatchAllSource::Session => Evidence::AcceptedRandomRefused,
                    CatchAllSource::Cache | CatchAllSource::Operator => Evidence::AcceptedRandomRefusedBefore,
                };
                Mailbox::new(MailboxState::Accepted, None, evidence.score(false, implicit))
            }
            Some(CatchAll::Unknown { reason }) => Mailbox::unanswered(reason.clone()),
            None => {
                Mailbox::unanswered(self.fault.map_or(Reason::InconsistentAnswers, |f| fault_reason(f.cause)))
            }
        }
    }
}

fn fault_reason(cause: FaultCause) -> Reason {
    match cause {
        FaultCause::Deadline => Reason::Timeout,
        FaultCause::RequestDeadline => Reason::DeadlinePassed,
        FaultCause::Canceled => Reason::Canceled,
        FaultCause::Error | FaultCause::Panic | FaultCause::Unsettled => Reason::StageFault,
    }
}
