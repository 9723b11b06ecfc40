//! Findings: what stages observe. Each has a stable dotted key and a value, which is also how it is written as
//! evidence and how plugins read and write it. A finding is never an opinion about the category; that is the judge's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CatchAll, DomainTrust, LookupFailure, Operator, ProbeFailure, Reading};

/// One observed fact about a subject. Serialises as `{"key": "dns.route", "value": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "key", content = "value")]
#[non_exhaustive]
pub enum Finding {
    /// The input does not parse as an address under the policy.
    #[serde(rename = "syntax.error")]
    SyntaxError(SyntaxError),
    /// A domain the writer may have meant instead (an A-label, lower case).
    #[serde(rename = "typo.suggestion")]
    TypoSuggestion(Box<str>),
    /// The domain is a registered look-alike of a mail provider that collects mistyped mail.
    #[serde(rename = "typo.trap")]
    TypoTrap,
    /// The domain, or a parent of it, is on a list of disposable domains.
    #[serde(rename = "disposable.tier")]
    Disposable(Tier),
    /// The domain belongs to a provider where anyone can open a mailbox.
    #[serde(rename = "free_provider")]
    FreeProvider,
    /// The local part names a function, not a person.
    #[serde(rename = "role.type")]
    Role(RoleType),
    /// The address forwards to, or is a variant of, another one.
    #[serde(rename = "alias.type")]
    Alias(AliasType),
    /// The local part looks more random than every ordinary name does.
    #[serde(rename = "random.pattern")]
    RandomPattern(RandomPattern),
    /// Where mail for the domain goes, as DNS says. Shared by all subjects of the domain.
    #[serde(rename = "dns.route")]
    Route(Arc<MailRoute>),
    /// Who runs the mail hosts.
    #[serde(rename = "dns.operator")]
    Operator(Operator),
    /// The mail hosts belong to a fleet that serves disposable addresses.
    #[serde(rename = "dns.disposable_mx")]
    DisposableMx,
    /// The mail hosts belong to a service that parks domains for sale.
    #[serde(rename = "dns.parked")]
    Parked,
    /// What DNS says about the domain's standing.
    #[serde(rename = "domain.trust")]
    DomainTrust(Arc<DomainTrust>),
    /// How a mail host answered for this recipient, or refused us before we could ask.
    #[serde(rename = "smtp.reply")]
    Reply(Box<Reading>),
    /// Whether the domain accepts every recipient.
    #[serde(rename = "smtp.catch_all")]
    CatchAll(CatchAll),
    /// The probe got no answer for this recipient.
    #[serde(rename = "smtp.failed")]
    ProbeFailed(ProbeFailure),
    /// What is remembered of this mailbox.
    #[serde(rename = "history")]
    History(HistoryFact),
    /// The address is on a list that the operator imported.
    #[serde(rename = "risk.list")]
    RiskList(RiskSource),
    /// An earlier row of the same bulk input holds the same mailbox (row number from 1).
    #[serde(rename = "bulk.duplicate_of")]
    DuplicateOf(u64),
    /// A stage failed or ran out of time before it settled this subject.
    #[serde(rename = "fault")]
    Fault(Fault),
}

impl Finding {
    /// The stable dotted key.
    pub fn key(&self) -> &'static str {
        match self {
            Self::SyntaxError(_) => "syntax.error",
            Self::TypoSuggestion(_) => "typo.suggestion",
            Self::TypoTrap => "typo.trap",
            Self::Disposable(_) => "disposable.tier",
            Self::FreeProvider => "free_provider",
            Self::Role(_) => "role.type",
            Self::Alias(_) => "alias.type",
            Self::RandomPattern(_) => "random.pattern",
            Self::Route(_) => "dns.route",
            Self::Operator(_) => "dns.operator",
            Self::DisposableMx => "dns.disposable_mx",
            Self::Parked => "dns.parked",
            Self::DomainTrust(_) => "domain.trust",
            Self::Reply(_) => "smtp.reply",
            Self::CatchAll(_) => "smtp.catch_all",
            Self::ProbeFailed(_) => "smtp.failed",
            Self::History(_) => "history",
            Self::RiskList(_) => "risk.list",
            Self::DuplicateOf(_) => "bulk.duplicate_of",
            Self::Fault(_) => "fault",
        }
    }

    /// The word by which a slot's `stop_on` names this finding, if it can stop a subject's way.
    pub fn stop_word(&self) -> Option<&'static str> {
        match self {
            Self::Disposable(Tier::Curated) => Some("disposable"),
            Self::Disposable(Tier::Broad) => Some("disposable_suspected"),
            Self::DisposableMx => Some("disposable_mx"),
            Self::FreeProvider => Some("free_provider"),
            Self::Role(_) => Some("role"),
            Self::Alias(_) => Some("alias"),
            Self::RandomPattern(pattern) if pattern.is_random => Some("random"),
            Self::TypoTrap => Some("typo_trap"),
            Self::TypoSuggestion(_) => Some("typo"),
            _ => None,
        }
    }
}

/// The words that a slot's `stop_on` may hold.
pub const STOP_WORDS: &[&str] = &[
    "disposable",
    "disposable_suspected",
    "disposable_mx",
    "free_provider",
    "role",
    "alias",
    "random",
    "typo_trap",
    "typo",
];

/// A finding and the stage that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Name of the stage, as the pipeline's configuration has it.
    pub stage: Arc<str>,
    /// What it found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Why an input is no address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxError {
    /// The stable word.
    pub reason: SyntaxReason,
    /// One English sentence for a person.
    pub message: std::borrow::Cow<'static, str>,
}

/// The stable words for syntax errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyntaxReason {
    /// Nothing but white space.
    Empty,
    /// No `@` that parts a mailbox from a domain.
    NoAt,
    /// The part before the `@` breaks the policy's grammar.
    BadLocalPart,
    /// The part after the `@` is no domain under the policy.
    BadDomain,
    /// A length limit of RFC 5321 §4.5.3.1 is passed.
    TooLong,
    /// A control character, or an invisible one that changes how text reads.
    ControlCharacter,
}

/// How sure a list of disposable domains is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Reviewed entry by entry.
    Curated,
    /// Collected widely; some entries are wrong or old.
    Broad,
}

/// Functions that role addresses stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the words are the definition
pub enum RoleType {
    Admin,
    Support,
    Sales,
    Info,
    Billing,
    Abuse,
    Postmaster,
    Hr,
    Security,
    Noreply,
    Other,
}

/// How an address is a variant of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AliasType {
    /// `jane+news@…`: a tag after a separator.
    PlusTag,
    /// Dots between every letter or two where the provider ignores dots.
    DotVariant,
    /// `anything@jane.provider.example`: the mailbox is the subdomain.
    Subdomain,
    /// A relay service's address that forwards to a hidden mailbox.
    ProviderAlias,
}

/// How much a local part looks like random characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomPattern {
    /// Calibrated probability of being random, 0 to 1, 4 decimals.
    pub confidence: f64,
    /// Shannon bits per character of the input that was looked at, 2 decimals.
    pub entropy: f64,
    /// Whether `confidence` reaches the threshold that at most 1 % of real names reach.
    pub is_random: bool,
    /// The signals past their threshold, greatest weight first.
    pub signals: Vec<Signal>,
}

/// One measured sign of randomness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Which sign.
    pub signal: SignalName,
    /// What was measured, 4 decimals.
    pub value: f64,
    /// Where the sign begins to count, 4 decimals.
    pub threshold: f64,
    /// How much it counts, 4 decimals.
    pub weight: f64,
}

/// Names of the signs of randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the words are the definition
pub enum SignalName {
    ImprobableNgrams,
    HighEntropy,
    NoVowels,
    ConsonantRun,
    DigitRatio,
    KeyboardWalk,
    HexLike,
    UuidLike,
    RepeatedNgram,
}

impl Signal {
    /// How much the sign adds: its weight times what it is past its threshold.
    pub fn contribution(&self) -> f64 {
        self.weight * (self.value - self.threshold)
    }
}

impl SignalName {
    /// The stable word, which is also the `reason` of a `random_pattern` verdict.
    pub fn word(self) -> &'static str {
        match self {
            Self::ImprobableNgrams => "improbable_ngrams",
            Self::HighEntropy => "high_entropy",
            Self::NoVowels => "no_vowels",
            Self::ConsonantRun => "consonant_run",
            Self::DigitRatio => "digit_ratio",
            Self::KeyboardWalk => "keyboard_walk",
            Self::HexLike => "hex_like",
            Self::UuidLike => "uuid_like",
            Self::RepeatedNgram => "repeated_ngram",
        }
    }
}

/// Where DNS sends mail for a domain (RFC 5321 §5.1, RFC 7505).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum MailRoute {
    /// MX records, best preference first.
    Mx {
        /// At most [`crate::MX_HOSTS_MAX`] hosts.
        hosts: Vec<MailHost>,
        /// A null MX stood beside real ones, against RFC 7505 §3.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        beside_null: bool,
    },
    /// No MX, but an address record: the domain is its own mail host.
    Implicit,
    /// `MX 0 .`: the domain accepts no mail.
    NullMx,
    /// The domain exists and has neither MX nor address records.
    NoMail,
    /// The domain does not exist (NXDOMAIN).
    NoDomain,
    /// DNS gave no answer: this says nothing about the domain.
    Unanswered {
        /// What went wrong.
        failure: LookupFailure,
    },
}

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MailHost {
    /// Lower is tried first.
    pub preference: u16,
    /// Host name: A-label, lower case, no final dot.
    pub name: Box<str>,
}

/// What an installation remembers of a mailbox from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum HistoryFact {
    /// The mailbox was refused for good, so many days ago.
    HardBounce {
        /// Whole days since then.
        age_days: u32,
    },
    /// Evidence other than a RCPT reply proves the mailbox (mail to it was answered, say).
    Confirmed,
}

/// Kinds of risk lists that operators import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskSource {
    /// Addresses that exist to catch senders of unsolicited mail.
    SpamTrap,
    /// People who reported mail as unsolicited.
    ComplaintSource,
}

/// A failure of ours, or of a stage: it says nothing about the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happened.
    pub cause: FaultCause,
    /// For a person; never holds an address.
    pub message: Box<str>,
    /// Keys of the findings that the stage would have made, so that the judge knows what is missing.
    pub lost: Arc<[Box<str>]>,
}

/// Ways in which a stage fails a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCause {
    /// The slot's deadline passed first.
    Deadline,
    /// The whole request's or job's deadline passed first.
    RequestDeadline,
    /// The caller no longer wants the answer.
    Canceled,
    /// The stage returned an error.
    Error,
    /// The stage panicked.
    Panic,
    /// The stage ended without settling the subject.
    Unsettled,
}
