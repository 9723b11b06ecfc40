//! The values of built-in findings, but for those that the resolver, the prober and the domain's standing bring along.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{HistorySource, LookupFailure};

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
        /// How that is known.
        source: HistorySource,
    },
    /// Evidence other than a RCPT reply proves the mailbox (mail to it was answered, say).
    Confirmed,
}

impl HistoryFact {
    /// Whether it stands in for a probe, where such memories are trusted for so many days.
    pub fn stands_in(self, trust_days: u32) -> bool {
        matches!(self, Self::HardBounce { age_days, .. } if age_days < trust_days)
    }
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

impl Fault {
    /// An answer about the mailbox was lost, which is unknown then; a lost flag does not make it so.
    pub fn hides_the_mailbox(&self) -> bool {
        self.lost.iter().any(|key| matches!(&**key, "dns.route" | "smtp.reply"))
    }
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
