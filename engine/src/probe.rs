//! The SMTP seam: the `smtp-probe` stage hands asks to the process-wide [`Prober`]; `plugins/net` speaks to mail hosts.
//!
//! Also here: what a reply *means*, since the judge reads it. How replies are read is in `plugins/net`.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};

use crate::{MailHost, Reason};

/// Asks mail hosts about recipients. One per process, so that sessions can serve whoever asked.
pub trait Prober: Send + Sync {
    /// Begins to ask; answers arrive as they are known. Dropping the receiver cancels the ask.
    fn ask(&self, ask: Ask) -> Answers;
}

/// Answers to one [`Ask`], each as soon as it is known; closed after the last.
pub type Answers = mpsc::UnboundedReceiver<Answered>;

/// Mail hosts in the order in which they are tried. Domains with equal sets share sessions.
pub type MxSet = Arc<[MailHost]>;

/// Identity under which a probe leaves: bind address, hello name and proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EgressId(pub u16);

/// Recipients to be asked about at one MX set.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where to ask.
    pub mx: MxSet,
    /// Addresses in wire form; an answer names its index.
    pub recipients: Vec<crate::Address>,
    /// When to stop.
    pub stop: Stop,
    /// No answer is waited for longer than this.
    pub deadline: Instant,
    /// The identity of an earlier attempt, when this is a retry.
    pub egress: Option<EgressId>,
}

/// When an ask is satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// When every recipient has an answer.
    All,
    /// At the first accepted one (the finder needs only one).
    FirstAccepted,
}

/// The answer for one recipient of an ask.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Index in [`Ask::recipients`].
    pub recipient: usize,
    /// What is known now.
    pub answer: Answer,
    /// The identity under which it was asked: a retry comes back as the same.
    pub egress: EgressId,
}

/// What a probe learned about one recipient.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A mail host replied, to this recipient or to us before it.
    Replied {
        /// The reply as read.
        reading: Box<Reading>,
        /// Known when the recipient was accepted.
        catch_all: Option<CatchAll>,
    },
    /// No reply.
    Failed(ProbeFailure),
}

/// A reply as the rules read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What it means.
    pub class: ReplyClass,
    /// How much the meaning rests on.
    pub strength: Strength,
    /// Id of the rule that read it.
    pub rule: Cow<'static, str>,
    /// Where in the dialogue it came.
    pub stage: DialogueStage,
    /// Reply code, 200 to 599.
    pub code: u16,
    /// Enhanced status code (RFC 3463), when the server gave one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enhanced: Option<[u16; 3]>,
    /// The text, escaped, recipients as `<rcpt>`, at most [`crate::REPLY_TEXT_MAX`] octets.
    pub text: Box<str>,
    /// The mail host that said it.
    pub host: Arc<str>,
    /// Another host or another try said the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agreed: bool,
}

/// Where in the SMTP dialogue a reply came. There is nothing after RCPT: no mail is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the SMTP verbs are the definition
pub enum DialogueStage {
    Connect,
    Hello,
    StartTls,
    Mail,
    Rcpt,
}

/// What a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyClass {
    /// The recipient would be accepted now.
    Accepted,
    /// There is no such mailbox.
    NoSuchMailbox,
    /// The host says that there is no such domain.
    NoSuchDomain,
    /// The mailbox is there but switched off.
    Disabled,
    /// The mailbox is there but full.
    Full,
    /// The domain accepts no mail at all (RFC 7504: 521, 556; 5.1.10).
    NotAcceptingMail,
    /// The host cannot carry a non-ASCII local part (RFC 6531).
    NonAsciiUnsupported,
    /// Come back later: the host does not know us yet.
    Greylisted,
    /// We ask too much or too fast.
    Rate,
    /// A rule about us (sender, HELO, client) or about content refuses: no word on the mailbox.
    Policy,
    /// A blocklist or the host's own list refuses us.
    Blocked,
    /// The host wants TLS first.
    TlsRequired,
    /// The host has trouble of its own.
    Temporary,
    /// The reply breaks the protocol, or answers a command it does not know.
    ProtocolError,
    /// A refusal without a readable cause.
    Unclear,
}

impl ReplyClass {
    /// The reason of the `unknown` verdict that this class leads to, or `None` when it says something of the mailbox.
    pub fn unknown_reason(self) -> Option<Reason> {
        match self {
            Self::Accepted
            | Self::NoSuchMailbox
            | Self::NoSuchDomain
            | Self::Disabled
            | Self::Full
            | Self::NotAcceptingMail
            | Self::NonAsciiUnsupported => None,
            Self::Greylisted => Some(Reason::Greylisted),
            Self::Rate | Self::Temporary => Some(Reason::RateLimitedByServer),
            Self::Policy | Self::Blocked | Self::Unclear => Some(Reason::BlockedByServer),
            Self::TlsRequired => Some(Reason::TlsRequired),
            Self::ProtocolError => Some(Reason::ProtocolError),
        }
    }
}

/// What a reading rests on, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// A rule for this operator's known wording and code.
    Operator,
    /// An enhanced code that names the cause.
    Code,
    /// The text names the cause.
    Text,
    /// Only the three digits.
    Bare,
}

/// Whether a domain accepts every recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum CatchAll {
    /// A recipient that cannot exist was accepted.
    Yes {
        /// How that is known.
        source: CatchAllSource,
    },
    /// It was refused for good.
    No {
        /// How that is known.
        source: CatchAllSource,
    },
    /// It got no clear answer.
    Unknown {
        /// Why.
        reason: Reason,
    },
}

/// How a catch-all fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchAllSource {
    /// Asked in the same session as the recipient.
    Session,
    /// Asked before, and remembered.
    Cache,
    /// The operator is known to accept every recipient.
    Operator,
}

/// Why a recipient got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeFailure {
    /// No mail host answered in time.
    Timeout,
    /// Nobody was asked in time: all that may be asked at once, or in a minute, was used up by others. It says nothing of
    /// the mail hosts, and another time may do.
    NotItsTurn,
    /// Every mail host refused the connection, or could not be reached.
    ConnectionRefused,
    /// The connection broke before the answer.
    Disconnected,
    /// TLS was wanted and did not come about.
    TlsFailed,
    /// The mail hosts only resolve to addresses that may not be probed.
    MxNotAllowed,
    /// The mail hosts' names have no address.
    MxWithoutAddress,
    /// DNS did not answer for the domain or its mail hosts.
    DnsFailure,
    /// A host spoke something that is not SMTP.
    ProtocolError,
    /// The same recipient got contradictory answers.
    Inconsistent,
    /// We cannot reach mail hosts at all: outbound connections to them are blocked, or our proxy is down.
    EgressDown,
    /// The domain asked not to be probed (`[smtp] never`), or the address cannot be probed.
    NotProbed,
}

impl ProbeFailure {
    /// The reason of the `unknown` verdict that this failure leads to.
    pub fn reason(self) -> Reason {
        match self {
            Self::Timeout | Self::NotItsTurn | Self::Disconnected | Self::EgressDown => Reason::Timeout,
            Self::TlsFailed => Reason::TlsRequired,
            Self::ConnectionRefused => Reason::ConnectionRefused,
            Self::MxNotAllowed => Reason::MxNotAllowed,
            Self::MxWithoutAddress => Reason::NoMxRecord,
            Self::DnsFailure => Reason::DnsFailure,
            Self::ProtocolError => Reason::ProtocolError,
            Self::Inconsistent => Reason::InconsistentAnswers,
            Self::NotProbed => Reason::NoSmtpCheck,
        }
    }
}
