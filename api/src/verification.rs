//! The Verification object: a verdict in the shape that clients of the Email Verifier API know. The command line prints
//! the same. Field names and their order are the contract's; nothing is decided here.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use mailsonde_builtin::random_pattern;
use mailsonde_engine::{
    AliasType, Category, Confidence, DomainTrust, Evidence, Finding, MailRoute, Operator, RandomPattern,
    Reason, RoleType, Signal, SignalName, Verdict,
};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use uuid::Uuid;

/// What a caller may choose about the object.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Echo the address; without it there is no suggestion either.
    pub include_email: bool,
    /// Add the evidence, for `?explain=true` and `--explain`.
    pub explain: bool,
}

/// When a verdict was reached, and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Whole seconds.
    pub verified_at: Timestamp,
    /// From submission to verdict.
    pub took: Duration,
}

/// One verdict on the wire. Borrows everything.
#[derive(Debug, Serialize)]
pub struct Verification<'a> {
    email: Option<&'a str>,
    category: Category,
    sub_category: Option<&'a str>,
    reason: Option<&'a str>,
    confidence_score: Confidence,
    details: Details<'a>,
    suggestion: Option<Suggestion<'a>>,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Evidence>,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    syntax: Syntax<'a>,
    domain: Domain<'a>,
    mailbox: Mailbox,
    random_pattern: Random<'a>,
}

#[derive(Debug, Serialize)]
struct Syntax<'a> {
    is_valid: bool,
    is_ascii: bool,
    error: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names)] // the contract's names
struct Domain<'a> {
    name: &'a str,
    exists: bool,
    has_mx: bool,
    mx_records: MxRecords<'a>,
    is_disposable: bool,
    is_free_provider: bool,
    is_catch_all: bool,
    provider: Option<&'static str>,
    domain_trust: Option<&'a DomainTrust>,
}

#[derive(Debug, Serialize)]
struct Mailbox {
    is_role_based: bool,
    role_type: Option<RoleType>,
    is_alias: bool,
    alias_type: Option<AliasType>,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names)] // the contract's names
struct Random<'a> {
    is_random: bool,
    confidence: f64,
    signals: SignalNames<'a>,
    entropy: f64,
    signal_details: &'a [Signal],
}

#[derive(Debug, Serialize)]
struct Metadata {
    verification_id: Uuid,
    #[serde(serialize_with = "whole_seconds")]
    verified_at: Timestamp,
    processing_time_ms: u64,
}

/// The facts of a verdict's evidence that the object shows.
#[derive(Default)]
struct Shown<'a> {
    error: Option<&'a str>,
    route: Option<&'a MailRoute>,
    operator: Option<Operator>,
    trust: Option<&'a DomainTrust>,
    random: Option<&'a RandomPattern>,
}

impl<'a> Shown<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut shown = Self::default();
        for finding in evidence.findings() {
            match finding {
                Finding::SyntaxError(error) => shown.error = Some(&error.message),
                Finding::Route(route) => shown.route = Some(route),
                Finding::Operator(operator) => shown.operator = Some(*operator),
                Finding::DomainTrust(trust) => shown.trust = Some(trust),
                Finding::RandomPattern(random) => shown.random = Some(random),
                _ => {}
            }
        }
        shown
    }
}

impl<'a> Verification<'a> {
    /// The object for a verdict.
    pub fn of(verdict: &'a Verdict, moment: Moment, shape: Shape) -> Self {
        let judgement = &verdict.judgement;
        let shown = Shown::of(&verdict.evidence);
        Self {
            email: shape.include_email.then_some(&*verdict.input),
            category: judgement.category,
            sub_category: judgement.reason.as_ref().map(Reason::group),
            reason: judgement.reason.as_ref().map(Reason::word),
            confidence_score: judgement.confidence,
            details: Details::of(verdict, &shown),
            suggestion: Suggestion::of(verdict).filter(|_| shape.include_email),
            metadata: Metadata {
                verification_id: Uuid::now_v7(),
                verified_at: moment.verified_at,
                processing_time_ms: u64::try_from(moment.took.as_millis()).unwrap_or(u64::MAX),
            },
            evidence: shape.explain.then_some(&verdict.evidence),
        }
    }
}

impl<'a> Details<'a> {
    fn of(verdict: &'a Verdict, shown: &Shown<'a>) -> Self {
        let flags = verdict.judgement.flags;
        let address = verdict.address.as_ref();
        let mx_records = match shown.route {
            Some(MailRoute::Mx { hosts, .. }) => hosts.as_slice(),
            _ => &[],
        };
        Self {
            syntax: Syntax {
                is_valid: address.is_some(),
                is_ascii: verdict.input.is_ascii(),
                error: shown.error,
            },
            domain: Domain {
                name: address.map_or("", |address| address.domain()),
                exists: address.is_some() && shown.route != Some(&MailRoute::NoDomain),
                has_mx: !mx_records.is_empty(),
                mx_records: MxRecords(mx_records),
                is_disposable: flags.is_disposable,
                is_free_provider: flags.is_free_provider,
                is_catch_all: flags.is_catch_all,
                provider: shown.operator.map(|operator| operator.row().name),
                domain_trust: shown.trust,
            },
            mailbox: Mailbox {
                is_role_based: flags.role.is_some(),
                role_type: flags.role,
                is_alias: flags.alias.is_some(),
                alias_type: flags.alias,
            },
            random_pattern: Random::of(verdict, shown.random),
        }
    }
}

impl<'a> Random<'a> {
    fn of(verdict: &'a Verdict, found: Option<&'a RandomPattern>) -> Self {
        match (found, &verdict.address) {
            (Some(found), _) => Self {
                is_random: found.is_random,
                confidence: found.confidence,
                signals: SignalNames(&found.signals),
                entropy: found.entropy,
                signal_details: &found.signals,
            },
            // The stage keeps quiet about ordinary names, but their entropy is still told.
            (None, Some(address)) => {
                Self { entropy: random_pattern::entropy(address.local()), ..Self::NOTHING }
            }
            (None, None) => Self::NOTHING,
        }
    }

    const NOTHING: Self = Self {
        is_random: false,
        confidence: 0.0,
        signals: SignalNames(&[]),
        entropy: 0.0,
        signal_details: &[],
    };
}

/// The address that the writer may have meant: the local part as submitted at another domain.
#[derive(Debug, Clone, Copy)]
pub struct Suggestion<'a> {
    local: &'a str,
    domain: &'a str,
}

impl<'a> Suggestion<'a> {
    /// The suggestion of a verdict, if it has one.
    pub fn of(verdict: &'a Verdict) -> Option<Self> {
        Some(Self::at(verdict.judgement.suggestion.as_deref()?, &verdict.input))
    }

    /// This domain instead of that of an input.
    pub fn at(domain: &'a str, input: &'a str) -> Self {
        let local = input.rsplit_once('@').map_or(input, |(local, _)| local);
        Self { local, domain }
    }
}

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl Serialize for Suggestion<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug)]
struct MxRecords<'a>(&'a [mailsonde_engine::MailHost]);

impl Serialize for MxRecords<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|host| &*host.name))
    }
}

#[derive(Debug)]
struct SignalNames<'a>(&'a [Signal]);

impl Serialize for SignalNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = serializer.serialize_seq(Some(self.0.len()))?;
        for signal in self.0 {
            names.serialize_element::<SignalName>(&signal.signal)?;
        }
        names.end()
    }
}

/// RFC 3339 in UTC with whole seconds, as the facade's clients expect.
fn whole_seconds<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{moment:.0}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::{Authority, Opinion, PluginFact, Policy, Subject};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verdict_by_a_plugin_has_its_word_in_the_group_of_plugins() {
        let mut subject = Subject::new("jane@example.net");
        let stage = Arc::from("blocklist");
        let rule = PluginFact { key: "blocklist.rule".into(), value: json!("*.example.net") };
        subject.note(&stage, Finding::Plugin(rule));
        subject.note(
            &stage,
            Finding::Opinion(Opinion {
                category: Category::HighRisk,
                reason: "blocked_domain".into(),
                score: 0.95,
                authority: Authority::Decide,
            }),
        );
        let verdict = Verdict::of(subject, Policy::default());
        let moment = Moment { verified_at: Timestamp::UNIX_EPOCH, took: Duration::ZERO };
        let shape = Shape { include_email: true, explain: true };
        let object = serde_json::to_value(Verification::of(&verdict, moment, shape)).unwrap();
        let words = ["category", "sub_category", "reason"].map(|key| object[key].as_str().unwrap());
        assert_eq!(words, ["high_risk", "plugin", "blocked_domain"]);
        assert_eq!(object["confidence_score"], json!(0.95));
        assert_eq!(
            object["evidence"]["findings"][0],
            json!({"stage": "blocklist", "key": "blocklist.rule", "value": "*.example.net"})
        );
        assert_eq!(object["evidence"]["opinions"], json!([{"stage": "blocklist", "weight": "decided"}]));
        assert_eq!(crate::row::cells(&verdict, &moment)[..3], words.map(str::to_owned));
    }
}
