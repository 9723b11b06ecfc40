//! A recipient, and what is known of it.

use mailsonde_engine::{Address, ProbeFailure, Reading, ReplyClass};
use tokio::time::Instant;

use super::{AskId, SessionId};
use crate::memory::Rest;

pub(super) struct Target {
    pub(super) address: Address,
    /// Who wants to know, each with the recipient's index in the ask.
    pub(super) askers: Vec<(AskId, usize)>,
    pub(super) state: State,
    /// When it began to wait for its present host.
    pub(super) since: Instant,
    /// Hosts that were asked, or cannot be, a bit for each.
    tried: u32,
    /// Hosts that said that the recipient gets no mail there ([`is_denial`]).
    pub(super) denials: usize,
    /// Sessions with the present host that broke at this recipient, or refused it for our pace.
    pub(super) setbacks: usize,
    /// Commands about it that were written.
    pub(super) asked: usize,
    /// The most telling reason why a host could not be asked.
    pub(super) failure: Option<ProbeFailure>,
    /// The host that refused it has been asked once more, or is about to be.
    pub(super) second_look: bool,
}

/// What is known of a recipient.
pub(super) enum State {
    /// No final answer; perhaps a reply that a better one may replace.
    Open(Option<Box<Reading>>),
    /// Refused by the three digits alone: a second voice is wanted. `at` is the ledger's number of that moment.
    Refused { reading: Box<Reading>, host: usize, session: SessionId, at: u64 },
    /// Accepted, but perhaps everything is.
    Accepted { reading: Box<Reading>, host: usize, session: SessionId },
}

impl Target {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            askers: Vec::new(),
            state: State::Open(None),
            since: Instant::now(),
            tried: 0,
            denials: 0,
            setbacks: 0,
            asked: 0,
            failure: None,
            second_look: false,
        }
    }

    pub(super) fn is_wanted_by(&self, ask: AskId) -> bool {
        self.askers.iter().any(|(other, _)| *other == ask)
    }

    pub(super) fn has_tried(&self, host: usize) -> bool {
        self.tried & (1 << host) != 0
    }

    pub(super) fn try_host(&mut self, host: usize) {
        self.tried |= 1 << host;
        self.setbacks = 0;
    }

    /// The host is passed over, for a reason that is worth keeping.
    pub(super) fn try_without(&mut self, host: usize, why: &Rest) {
        self.try_host(host);
        match why {
            Rest::Failed(failure) => self.note_failure(*failure),
            Rest::Refused(reading) => self.keep(reading.clone()),
        }
    }

    /// Keeps the better of two replies that settle nothing: the first one, unless it only denies.
    pub(super) fn keep(&mut self, reading: Box<Reading>) {
        self.denials += usize::from(is_denial(&reading));
        if let State::Open(earlier) = &mut self.state
            && earlier.as_ref().is_none_or(|earlier| is_denial(earlier))
        {
            *earlier = Some(reading);
        }
    }

    pub(super) fn note_failure(&mut self, failure: ProbeFailure) {
        if self.failure.is_none_or(|earlier| telling(earlier) < telling(failure)) {
            self.failure = Some(failure);
        }
    }
}

/// Says what this host does not serve: the domain, or addresses that are not ASCII. Another host may, so every one has
/// to say it before it counts.
pub(super) fn is_denial(reading: &Reading) -> bool {
    use ReplyClass::{NoSuchDomain, NonAsciiUnsupported, NotAcceptingMail};
    matches!(reading.class, NotAcceptingMail | NoSuchDomain | NonAsciiUnsupported)
}

/// How much a failure tells about the hosts. One host without an address must not hide another that did not answer.
fn telling(failure: ProbeFailure) -> u8 {
    match failure {
        ProbeFailure::NotProbed | ProbeFailure::NotItsTurn => 0,
        ProbeFailure::MxWithoutAddress => 1,
        ProbeFailure::MxNotAllowed => 2,
        ProbeFailure::DnsFailure => 3,
        ProbeFailure::ConnectionRefused => 4,
        ProbeFailure::Timeout => 5,
        ProbeFailure::Disconnected => 6,
        ProbeFailure::TlsFailed => 7,
        ProbeFailure::ProtocolError => 8,
        ProbeFailure::Inconsistent => 9,
        ProbeFailure::EgressDown => 10,
    }
}
