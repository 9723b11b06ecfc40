//! Keys and values of findings, as evidence and plugins have them.

use serde_json::{Value, json};

use super::*;
use crate::{
    Authority, CatchAllSource, Category, DialogueStage, DmarcPolicy, HistorySource, ReplyClass, Strength,
    TldRisk,
};

/// A finding of the kind that is declared after this one. Without a wildcard, so that no kind can be forgotten.
fn next(finding: &Finding) -> Option<Finding> {
    Some(match finding {
        Finding::SyntaxError(_) => Finding::TypoSuggestion("gmail.com".into()),
        Finding::TypoSuggestion(_) => Finding::TypoTrap,
        Finding::TypoTrap => Finding::Disposable(Tier::Broad),
        Finding::Disposable(_) => Finding::FreeProvider,
        Finding::FreeProvider => Finding::Role(RoleType::Hr),
        Finding::Role(_) => Finding::Alias(AliasType::PlusTag),
        Finding::Alias(_) => Finding::RandomPattern(pattern()),
        Finding::RandomPattern(_) => Finding::Route(Arc::new(route())),
        Finding::Route(_) => Finding::Operator(Operator::by_id("google").unwrap()),
        Finding::Operator(_) => Finding::DisposableMx,
        Finding::DisposableMx => Finding::Parked,
        Finding::Parked => Finding::ReverseDns,
        Finding::ReverseDns => Finding::DomainTrust(Arc::new(trust())),
        Finding::DomainTrust(_) => Finding::Reply(Box::new(reading())),
        Finding::Reply(_) => Finding::CatchAll(CatchAll::No { source: CatchAllSource::Cache }),
        Finding::CatchAll(_) => Finding::ProbeFailed(ProbeFailure::Timeout),
        Finding::ProbeFailed(_) => Finding::History(bounce(3)),
        Finding::History(_) => Finding::RiskList(RiskSource::SpamTrap),
        Finding::RiskList(_) => Finding::Candidate(guess()),
        Finding::Candidate(_) => Finding::DuplicateOf(2),
        Finding::DuplicateOf(_) => Finding::Fault(Fault {
            cause: FaultCause::Panic,
            message: "it broke".into(),
            lost: Arc::from([Box::from("role.type")]),
        }),
        Finding::Fault(_) => Finding::Opinion(opinion()),
        Finding::Opinion(_) => plugin("blocklist.rule", json!("*.example.net")),
        Finding::Plugin(_) => return None,
    })
}

/// One finding of each kind.
fn all() -> Vec<Finding> {
    let error = SyntaxError { reason: SyntaxReason::NoAt, message: "There is no @ in it.".into() };
    std::iter::successors(Some(Finding::SyntaxError(error)), next).collect()
}

fn guess() -> Guess {
    Guess { format: "first.last".into(), rank: 1, of: 20, chance: 0.375 }
}

fn pattern() -> RandomPattern {
    let signal = Signal { signal: SignalName::NoVowels, value: 1.0, threshold: 0.8, weight: 0.5 };
    RandomPattern { confidence: 0.9712, entropy: 3.25, is_random: true, signals: vec![signal] }
}

fn route() -> MailRoute {
    let host = MailHost { preference: 10, name: "mx.example.org".into() };
    MailRoute::Mx { hosts: vec![host], beside_null: false }
}

fn reading() -> Reading {
    Reading {
        class: ReplyClass::NoSuchMailbox,
        strength: Strength::Code,
        rule: "test".into(),
        stage: DialogueStage::Rcpt,
        code: 550,
        enhanced: Some([5, 1, 1]),
        text: "no \"such\" mailbox".into(),
        host: "mx.example.org".into(),
        agreed: false,
    }
}

fn trust() -> DomainTrust {
    DomainTrust {
        score: 0.85,
        has_spf: Some(true),
        has_dmarc: None,
        dmarc_policy: Some(DmarcPolicy::Reject),
        has_mta_sts: Some(false),
        has_tls_rpt: None,
        has_dnssec: Some(false),
        has_caa: Some(true),
        is_parked: Some(false),
        tld_risk: TldRisk::Low,
        blocklists: vec![],
        reasons: vec!["spf".into()],
    }
}

fn bounce(age_days: u32) -> HistoryFact {
    HistoryFact::HardBounce { age_days, source: HistorySource::Bounce }
}

fn opinion() -> Opinion {
    Opinion {
        category: Category::HighRisk,
        reason: "blocked_domain".into(),
        // Needs all its digits, and a reader that heeds them.
        score: 0.100_000_000_000_000_02,
        authority: Authority::Decide,
    }
}

fn plugin(key: &str, value: Value) -> Finding {
    Finding::Plugin(PluginFact { key: key.into(), value })
}

fn recorded(finding: Finding) -> Recorded {
    Recorded { stage: "some-stage".into(), finding }
}

#[test]
fn keys_name_every_built_in_finding_once() {
    let found = all();
    let keys: Vec<&str> = found.iter().map(Finding::key).collect();
    let (plugins, built_in) = keys.split_last().unwrap();
    assert_eq!((*plugins, built_in), ("blocklist.rule", Finding::KEYS));
}

#[test]
fn every_finding_is_written_with_its_key_and_value_and_read_back() {
    for finding in all() {
        let text = serde_json::to_string(&recorded(finding.clone())).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["stage"], "some-stage");
        assert_eq!(written["key"], finding.key());
        // Exactly what plugins read, in the very text.
        let mut value = String::new();
        finding.value_json(&mut value);
        match written.get("value") {
            Some(_) => assert!(text.ends_with(&format!(r#""value":{value}}}"#)), "{text} {value}"),
            None => assert_eq!(value, "true"),
        }
        let read: Recorded = serde_json::from_str(&text).unwrap();
        assert_eq!(read.finding, finding);
    }
}

#[test]
fn a_value_is_appended_to_what_is_there() {
    let mut text = "[".to_owned();
    Finding::Role(RoleType::Sales).value_json(&mut text);
    Finding::TypoTrap.value_json(&mut text);
    assert_eq!(text, r#"["sales"true"#);
}

#[test]
fn a_key_of_nobody_we_know_is_a_plugins_fact() {
    for value in [json!(null), json!(-1), json!(0.1), json!("é\n"), json!([[], {"key": "dns.route"}])] {
        let text = format!(r#"{{"stage":"acme","key":"acme.seen","value":{value}}}"#);
        let read: Recorded = serde_json::from_str(&text).unwrap();
        assert_eq!(read.finding, plugin("acme.seen", value));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
    let bare: Recorded = serde_json::from_str(r#"{"stage":"acme","key":"acme.seen"}"#).unwrap();
    assert_eq!(bare.finding, plugin("acme.seen", Value::Null));
}

#[test]
fn a_built_in_key_with_a_foreign_value_is_refused() {
    for text in [
        r#"{"stage":"dns","key":"dns.route","value":"somewhere"}"#,
        r#"{"stage":"role","key":"role.type","value":"king"}"#,
        r#"{"stage":"x","key":"opinion","value":{"category":"great"}}"#,
        r#"{"stage":"x","value":1}"#,
    ] {
        let error = serde_json::from_str::<Recorded>(text).unwrap_err().to_string();
        assert!(error.contains("expected a finding"), "{error}");
    }
}

/// Subjects hold many of them; what is large stands behind a pointer.
#[test]
fn findings_stay_small() {
    assert!(size_of::<Finding>() <= 56, "{}", size_of::<Finding>());
}

#[test]
fn every_stop_word_names_a_finding() {
    let mut words: Vec<_> = all().iter().filter_map(|finding| finding.stop_word(7)).collect();
    words.push(Finding::Disposable(Tier::Curated).stop_word(7).unwrap());
    words.sort_unstable();
    let mut known = STOP_WORDS.to_vec();
    known.sort_unstable();
    assert_eq!(words, known);
}

#[test]
fn only_a_trusted_memory_stops_a_way() {
    for (fact, days, word) in [
        (bounce(6), 7, Some("remembered")),
        (bounce(7), 7, None),
        (bounce(0), 0, None),
        (HistoryFact::Confirmed, 7, None),
    ] {
        assert_eq!(Finding::History(fact).stop_word(days), word, "{fact:?} trusted for {days} days");
    }
}
