//! The Verification object for the document, in the order of its keys. `crate::verification` writes it; a test holds the two
//! together.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::openapi::CategoryWord;

/// What is known of an address.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification)]
pub(super) struct VerificationObject {
    email: Option<String>,
    category: CategoryWord,
    sub_category: Option<String>,
    reason: Option<String>,
    #[schema(minimum = 0.0, maximum = 1.0)]
    confidence_score: f64,
    details: Details,
    suggestion: Option<String>,
    metadata: Metadata,
}

/// What the verdict rests on.
#[derive(Serialize, ToSchema)]
struct Details {
    syntax: Syntax,
    domain: Domain,
    mailbox: Mailbox,
    random_pattern: RandomPattern,
}

#[derive(Serialize, ToSchema)]
struct Syntax {
    is_valid: bool,
    is_ascii: bool,
    /// A sentence, where it is no address.
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct Domain {
    /// Empty where it is no address.
    name: String,
    exists: bool,
    has_mx: bool,
    /// In order of preference.
    mx_records: Vec<String>,
    is_disposable: bool,
    is_free_provider: bool,
    is_catch_all: bool,
    /// Who runs its mail servers, where that is known.
    provider: Option<String>,
    /// With the option `check_domain_trust`.
    domain_trust: Option<DomainTrust>,
}

/// The standing of a domain. What could not be found out is null.
#[derive(Serialize, ToSchema)]
struct DomainTrust {
    #[schema(minimum = 0.0, maximum = 1.0)]
    score: f64,
    has_spf: Option<bool>,
    has_dmarc: Option<bool>,
    /// `none`, `quarantine` or `reject`.
    dmarc_policy: Option<String>,
    has_mta_sts: Option<bool>,
    has_tls_rpt: Option<bool>,
    has_dnssec: Option<bool>,
    has_caa: Option<bool>,
    is_parked: Option<bool>,
    /// `low`, `medium` or `high`.
    tld_risk: String,
    /// Those that list it.
    blocklists: Vec<String>,
    /// What moved the score.
    reasons: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Mailbox {
    is_role_based: bool,
    role_type: Option<String>,
    is_alias: bool,
    alias_type: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct RandomPattern {
    is_random: bool,
    #[schema(minimum = 0.0, maximum = 1.0)]
    confidence: f64,
    signals: Vec<String>,
    /// Bits per character of what stands before the `@`.
    entropy: f64,
    signal_details: Vec<Signal>,
}

/// A sign of randomness.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct Signal {
    signal: String,
    /// What was measured.
    value: f64,
    /// Where it begins to count.
    threshold: f64,
    /// How much it counts.
    weight: f64,
}

#[derive(Serialize, ToSchema)]
struct Metadata {
    verification_id: Uuid,
    #[schema(format = DateTime)]
    verified_at: String,
    #[schema(minimum = 0)]
    processing_time_ms: i64,
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use jiff::Timestamp;
    use mailsonde_engine::{
        DomainTrust, Finding, Policy, RandomPattern, Signal, SignalName, Subject, TldRisk, Verdict,
    };
    use serde_json::{Value, json};

    use crate::{
        http::email_verifier::document,
        verification::{Moment, Shape, Verification},
    };

    /// With everything that there may be.
    fn written() -> Value {
        let mut subject = Subject::new("jane@example.com");
        let trust = DomainTrust {
            score: 0.5,
            has_spf: Some(true),
            has_dmarc: None,
            dmarc_policy: None,
            has_mta_sts: None,
            has_tls_rpt: None,
            has_dnssec: None,
            has_caa: None,
            is_parked: None,
            tld_risk: TldRisk::Low,
            blocklists: Vec::new(),
            reasons: Vec::new(),
        };
        let signal = Signal { signal: SignalName::NoVowels, value: 1.0, threshold: 0.5, weight: 0.5 };
        let random = RandomPattern { confidence: 0.5, entropy: 2.0, is_random: false, signals: vec![signal] };
        let stage: Arc<str> = "test".into();
        subject.note(&stage, Finding::DomainTrust(Arc::new(trust)));
        subject.note(&stage, Finding::RandomPattern(random));
        let verdict = Verdict::of(subject, Policy::default());
        let moment = Moment { verified_at: Timestamp::UNIX_EPOCH, took: Duration::ZERO };
        let shape = Shape { include_email: true, explain: false };
        serde_json::to_value(Verification::of(&verdict, moment, shape)).unwrap()
    }

    /// All objects of a value have the keys of their schemas, and no others. Returns how many objects there were.
    fn agrees(document: &Value, schema: &Value, value: &Value, place: &str) -> usize {
        let schema = schema["oneOf"]
            .as_array()
            .map_or(schema, |some| some.iter().find(|one| one["type"] != "null").unwrap());
        let schema = match schema["$ref"].as_str() {
            Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        match value {
            Value::Object(fields) => {
                let properties = schema["properties"].as_object();
                let properties = properties.unwrap_or_else(|| panic!("{place} has no schema: {schema}"));
                let keys =
                    |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
                assert_eq!(keys(fields), keys(properties), "{place}");
                let within = fields
                    .iter()
                    .map(|(key, value)| agrees(document, &properties[key], value, &format!("{place}.{key}")));
                1 + within.sum::<usize>()
            }
            Value::Array(list) => {
                let within = list.iter().map(|value| agrees(document, &schema["items"], value, place));
                within.sum()
            }
            _ => 0,
        }
    }

    #[test]
    fn the_document_has_the_keys_that_are_written() {
        let document = serde_json::to_value(document()).unwrap();
        let schema = json!({ "$ref": "#/components/schemas/Verification" });
        assert_eq!(agrees(&document, &schema, &written(), "verification"), 9);
    }
}
