//! The words of a verdict: category, group and cause, and the state of the mailbox behind them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{SignalName, SyntaxReason};

/// The ten categories. They exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the contract's words
pub enum Category {
    Deliverable,
    Undeliverable,
    Risky,
    Disposable,
    Unknown,
    Duplicate,
    InvalidSyntax,
    RandomPattern,
    HighRisk,
    AcceptAll,
}

impl Category {
    /// All of them, in the order in which verdicts are counted.
    pub const ALL: [Self; 10] = [
        Self::Deliverable,
        Self::Undeliverable,
        Self::Risky,
        Self::Disposable,
        Self::Unknown,
        Self::Duplicate,
        Self::InvalidSyntax,
        Self::RandomPattern,
        Self::HighRisk,
        Self::AcceptAll,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deliverable => "deliverable",
            Self::Undeliverable => "undeliverable",
            Self::Risky => "risky",
            Self::Disposable => "disposable",
            Self::Unknown => "unknown",
            Self::Duplicate => "duplicate",
            Self::InvalidSyntax => "invalid_syntax",
            Self::RandomPattern => "random_pattern",
            Self::HighRisk => "high_risk",
            Self::AcceptAll => "accept_all",
        }
    }
}

/// The observed cause of a verdict. Its [`group`](Reason::group) is the verdict's sub-category.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the contract's words
pub enum Reason {
    NoMxRecord,
    NullMx,
    DomainNotFound,
    MailboxNotFound,
    MailboxDisabled,
    DomainNotAcceptingMail,
    NonAsciiUnsupported,
    MailboxFull,
    RoleBased,
    ParkedDomain,
    TypoDomain,
    DisposableSuspected,
    KnownBounceBefore,
    Timeout,
    Greylisted,
    ConnectionRefused,
    TlsRequired,
    DnsFailure,
    BlockedByServer,
    RateLimitedByServer,
    ProtocolError,
    InconsistentAnswers,
    MxNotAllowed,
    DeadlinePassed,
    Canceled,
    StageFault,
    NoSmtpCheck,
    CatchAll,
    OperatorAcceptsAll,
    DisposableDomain,
    DisposableMx,
    KnownHardBounce,
    SpamTrap,
    ComplaintSource,
    DuplicateOfRow,
    #[serde(untagged)]
    Syntax(SyntaxReason),
    #[serde(untagged)]
    Signal(SignalName),
    /// A plugin's own word. One that is also a word of ours is read back as ours.
    #[serde(untagged)]
    Plugin(Arc<str>),
}

impl Reason {
    /// The cause's word on the wire.
    pub fn word(&self) -> &str {
        match self {
            Self::NoMxRecord => "no_mx_record",
            Self::NullMx => "null_mx",
            Self::DomainNotFound => "domain_not_found",
            Self::MailboxNotFound => "mailbox_not_found",
            Self::MailboxDisabled => "mailbox_disabled",
            Self::DomainNotAcceptingMail => "domain_not_accepting_mail",
            Self::NonAsciiUnsupported => "non_ascii_unsupported",
            Self::MailboxFull => "mailbox_full",
            Self::RoleBased => "role_based",
            Self::ParkedDomain => "parked_domain",
            Self::TypoDomain => "typo_domain",
            Self::DisposableSuspected => "disposable_suspected",
            Self::KnownBounceBefore => "known_bounce_before",
            Self::Timeout => "timeout",
            Self::Greylisted => "greylisted",
            Self::ConnectionRefused => "connection_refused",
            Self::TlsRequired => "tls_required",
            Self::DnsFailure => "dns_failure",
            Self::BlockedByServer => "blocked_by_server",
            Self::RateLimitedByServer => "rate_limited_by_server",
            Self::ProtocolError => "protocol_error",
            Self::InconsistentAnswers => "inconsistent_answers",
            Self::MxNotAllowed => "mx_not_allowed",
            Self::DeadlinePassed => "deadline_passed",
            Self::Canceled => "canceled",
            Self::StageFault => "stage_fault",
            Self::NoSmtpCheck => "no_smtp_check",
            Self::CatchAll => "catch_all",
            Self::OperatorAcceptsAll => "operator_accepts_all",
            Self::DisposableDomain => "disposable_domain",
            Self::DisposableMx => "disposable_mx",
            Self::KnownHardBounce => "known_hard_bounce",
            Self::SpamTrap => "spam_trap",
            Self::ComplaintSource => "complaint_source",
            Self::DuplicateOfRow => "duplicate_of_row",
            Self::Syntax(reason) => match reason {
                SyntaxReason::Empty => "empty",
                SyntaxReason::NoAt => "no_at",
                SyntaxReason::BadLocalPart => "bad_local_part",
                SyntaxReason::BadDomain => "bad_domain",
                SyntaxReason::TooLong => "too_long",
                SyntaxReason::ControlCharacter => "control_character",
            },
            Self::Signal(name) => name.word(),
            Self::Plugin(word) => word,
        }
    }

    /// The group's word: the same as the cause's, but for three groups that hold several causes.
    pub fn group(&self) -> &str {
        match self {
            Self::Plugin(_) => "plugin",
            Self::OperatorAcceptsAll => Self::CatchAll.word(),
            Self::Signal(_) => "random_local_part",
            other => other.word(),
        }
    }
}

/// What is known of the mailbox itself, whatever the address looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    /// Accepted on a domain that refuses unknown recipients.
    Accepted,
    /// Accepted on a domain that accepts every recipient: nothing is proven.
    CatchAll,
    /// On a domain that accepts every recipient, and proven by other evidence.
    CatchAllConfirmed,
    /// No such mailbox.
    NotFound,
    /// There, but switched off.
    Disabled,
    /// There, but full.
    Full,
    /// The domain does not exist.
    NoDomain,
    /// The domain has no mail host.
    NoMailHost,
    /// The domain says that it accepts no mail.
    NoMail,
    /// The mail host cannot carry the non-ASCII address.
    NonAsciiUnsupported,
    /// No address at all.
    Invalid,
    /// A probe was wanted and got no answer.
    Unanswered,
    /// No probe was wanted.
    Unchecked,
}
