//! Findings: what stages observe. Each has a stable dotted key and a value, which is also how it is written as
//! evidence and how plugins read and write it. The category is the judge's: built-in stages never name one, and what
//! a plugin holds to be the category is one more finding, which the judge weighs.

mod values;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::values::{
    AliasType, Fault, FaultCause, HistoryFact, MailHost, MailRoute, RandomPattern, RiskSource, RoleType,
    Signal, SignalName, SyntaxError, SyntaxReason, Tier,
};
use crate::{CatchAll, DomainTrust, Guess, Operator, Opinion, PluginFact, ProbeFailure, Reading};

/// One observed fact about a subject. Serialises as `{"key": "dns.route", "value": …}`; a key that is not built in is
/// read as a plugin's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "key", content = "value", expecting = "expected a finding: a key, and a value that fits it")]
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
    /// The address of the mail host has a name (a PTR record), as those of most mail hosts have.
    #[serde(rename = "dns.reverse")]
    ReverseDns,
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
    /// The address is one of those that a person may have.
    #[serde(rename = "finder.candidate")]
    Candidate(Guess),
    /// An earlier row of the same bulk input holds the same mailbox (row number from 1).
    #[serde(rename = "bulk.duplicate_of")]
    DuplicateOf(u64),
    /// A stage failed or ran out of time before it settled this subject.
    #[serde(rename = "fault")]
    Fault(Fault),
    /// What a plugin holds the address to be.
    #[serde(rename = "opinion")]
    Opinion(Opinion),
    /// What a plugin observed, under a key of its own.
    #[serde(untagged)]
    Plugin(PluginFact),
}

impl Finding {
    /// The keys of all built-in findings: what plugins may read, and never write.
    pub const KEYS: &'static [&'static str] = &[
        "syntax.error",
        "typo.suggestion",
        "typo.trap",
        "disposable.tier",
        "free_provider",
        "role.type",
        "alias.type",
        "random.pattern",
        "dns.route",
        "dns.operator",
        "dns.disposable_mx",
        "dns.parked",
        "dns.reverse",
        "domain.trust",
        "smtp.reply",
        "smtp.catch_all",
        "smtp.failed",
        "history",
        "risk.list",
        "finder.candidate",
        "bulk.duplicate_of",
        "fault",
        "opinion",
    ];

    /// The stable dotted key.
    pub fn key(&self) -> &str {
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
            Self::ReverseDns => "dns.reverse",
            Self::DomainTrust(_) => "domain.trust",
            Self::Reply(_) => "smtp.reply",
            Self::CatchAll(_) => "smtp.catch_all",
            Self::ProbeFailed(_) => "smtp.failed",
            Self::History(_) => "history",
            Self::RiskList(_) => "risk.list",
            Self::Candidate(_) => "finder.candidate",
            Self::DuplicateOf(_) => "bulk.duplicate_of",
            Self::Fault(_) => "fault",
            Self::Opinion(_) => "opinion",
            Self::Plugin(fact) => &fact.key,
        }
    }

    /// Appends the value as JSON text, as plugins read it; `true` for a finding that has none but to be there.
    pub fn value_json(&self, out: &mut String) {
        match self {
            Self::TypoTrap | Self::FreeProvider | Self::DisposableMx | Self::Parked | Self::ReverseDns => {
                out.push_str("true");
            }
            Self::SyntaxError(error) => push_json(error, out),
            Self::TypoSuggestion(domain) => push_json(domain, out),
            Self::Disposable(tier) => push_json(tier, out),
            Self::Role(role) => push_json(role, out),
            Self::Alias(alias) => push_json(alias, out),
            Self::RandomPattern(pattern) => push_json(pattern, out),
            Self::Route(route) => push_json(route, out),
            Self::Operator(operator) => push_json(operator, out),
            Self::DomainTrust(trust) => push_json(trust, out),
            Self::Reply(reading) => push_json(reading, out),
            Self::CatchAll(catch_all) => push_json(catch_all, out),
            Self::ProbeFailed(failure) => push_json(failure, out),
            Self::History(fact) => push_json(fact, out),
            Self::RiskList(source) => push_json(source, out),
            Self::Candidate(guess) => push_json(guess, out),
            Self::DuplicateOf(row) => push_json(row, out),
            Self::Fault(fault) => push_json(fault, out),
            Self::Opinion(opinion) => push_json(opinion, out),
            Self::Plugin(fact) => push_json(&fact.value, out),
        }
    }

    /// The word by which a slot's `stop_on` names this finding, if it can stop a subject's way. A memory can for as many
    /// days as it is trusted for.
    pub fn stop_word(&self, history_trust_days: u32) -> Option<&'static str> {
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
            Self::History(fact) if fact.stands_in(history_trust_days) => Some("remembered"),
            _ => None,
        }
    }
}

/// Writes into the text's own memory. Values of findings have string keys alone, so none fails to be JSON.
fn push_json(value: &(impl Serialize + ?Sized), out: &mut String) {
    let mut bytes = std::mem::take(out).into_bytes();
    let written = serde_json::to_writer(&mut bytes, value);
    debug_assert!(written.is_ok(), "a finding's value is JSON: {written:?}");
    *out = String::from_utf8(bytes).unwrap_or_default();
}

/// The words that a slot's `stop_on` may hold, besides the names of stages that give opinions.
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
    "remembered",
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

#[cfg(test)]
mod tests;
