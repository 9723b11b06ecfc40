//! What holds for all findings, whatever their mix.

use std::sync::Arc;

use mailsonde_engine::{
    Authority, CatchAllSource, Category, Evidence, FaultCause, Finding, Judgement, MailRoute, Of, Opinion,
    PluginFact, Policy, ProbeFailure, RandomPolicy, Reading, Reason, ReplyClass, RiskSource, RolePolicy,
    RoleType, Strength, Subject, SyntaxReason, Tier, Verdict, Weight, judge,
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    cases::{
        bounced, failed, fault, mx, random_accepted, random_local_part, random_refused, random_unanswered,
        reply_with, route, syntax, unanswered_dns,
    },
    table,
};

const CLASSES: [ReplyClass; 15] = [
    ReplyClass::Accepted,
    ReplyClass::NoSuchMailbox,
    ReplyClass::NoSuchDomain,
    ReplyClass::Disabled,
    ReplyClass::Full,
    ReplyClass::NotAcceptingMail,
    ReplyClass::NonAsciiUnsupported,
    ReplyClass::Greylisted,
    ReplyClass::Rate,
    ReplyClass::Policy,
    ReplyClass::Blocked,
    ReplyClass::TlsRequired,
    ReplyClass::Temporary,
    ReplyClass::ProtocolError,
    ReplyClass::Unclear,
];

const STRENGTHS: [Strength; 4] = [Strength::Operator, Strength::Code, Strength::Text, Strength::Bare];

fn some_reply() -> impl Strategy<Value = Finding> {
    (select(&CLASSES[..]), select(&STRENGTHS[..]), any::<bool>())
        .prop_map(|(class, strength, agreed)| reply_with(class, strength, agreed))
}

fn some_finding() -> impl Strategy<Value = Finding> {
    let fixed = vec![
        syntax(SyntaxReason::NoAt),
        Finding::TypoSuggestion("example.com".into()),
        Finding::TypoTrap,
        Finding::Disposable(Tier::Curated),
        Finding::Disposable(Tier::Broad),
        Finding::DisposableMx,
        Finding::Parked,
        Finding::ReverseDns,
        Finding::FreeProvider,
        Finding::Role(RoleType::Info),
        random_local_part(),
        mx(),
        route(MailRoute::Implicit),
        route(MailRoute::NoDomain),
        route(MailRoute::NoMail),
        route(MailRoute::NullMx),
        unanswered_dns(),
        random_refused(CatchAllSource::Session),
        random_refused(CatchAllSource::Cache),
        random_accepted(CatchAllSource::Session),
        random_accepted(CatchAllSource::Operator),
        random_unanswered(Reason::Timeout),
        failed(ProbeFailure::Timeout),
        failed(ProbeFailure::NotProbed),
        failed(ProbeFailure::DnsFailure),
        failed(ProbeFailure::MxWithoutAddress),
        fault(FaultCause::Deadline, "smtp.reply"),
        fault(FaultCause::Panic, "role.type"),
        bounced(1),
        bounced(100),
        Finding::RiskList(RiskSource::SpamTrap),
        Finding::DuplicateOf(7),
        Finding::Plugin(PluginFact {
            key: "crm.known".into(),
            value: serde_json::json!({"since": [2019.1, null]}),
        }),
    ];
    prop_oneof![3 => select(fixed), 1 => some_reply()]
}

fn some_opinion() -> impl Strategy<Value = Finding> {
    let reason = select(vec!["blocked_domain", "timeout", "catch_all"]);
    let score = prop_oneof![0.0..=1.0f64, 0.85..0.95f64];
    let authority = select(vec![Authority::Advise, Authority::Decide, Authority::Decide]);
    (select(&Category::ALL[..]), reason, score, authority).prop_map(|(category, reason, score, authority)| {
        Finding::Opinion(Opinion { category, reason: reason.into(), score, authority })
    })
}

/// Findings, opinions among them.
fn some_findings() -> impl Strategy<Value = Vec<Finding>> {
    vec(prop_oneof![3 => some_finding(), 1 => some_opinion()], 0..8)
}

fn some_policy() -> impl Strategy<Value = Policy> {
    (
        select(vec![RolePolicy::Flag, RolePolicy::Risky]),
        select(vec![RandomPolicy::Unproven, RandomPolicy::Always]),
        0..30u32,
    )
        .prop_map(|(role, random, history_trust_days)| Policy {
            role,
            random,
            history_trust_days,
            of: Of::Address,
        })
}

/// Records the findings, writes the verdict's evidence as JSON, reads it back and judges again.
fn judged_again(findings: &[Finding], policy: Policy) -> Judgement {
    let stage: Arc<str> = "some-stage".into();
    let mut subject = Subject::new("jane@example.com");
    for finding in findings {
        subject.note(&stage, finding.clone());
    }
    let Verdict { judgement, evidence, .. } = Verdict::of(subject, policy);
    assert_eq!(evidence.opinions.iter().map(|told| told.weight).collect::<Vec<_>>(), judgement.opinions);
    let text = serde_json::to_string(&evidence).expect("evidence is JSON");
    let read: Evidence = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(read, evidence, "the evidence survives being written down");
    read.judge_again()
}

#[test]
fn recorded_evidence_of_every_case_judges_alike() {
    for (findings, _) in table::rows() {
        let policy = Policy::default();
        assert_eq!(judged_again(&findings, policy), judge(&findings, policy));
    }
}

/// The same reading, as another host would have given it too.
fn agreeing(finding: &Finding) -> Finding {
    match finding {
        Finding::Reply(reading) => Finding::Reply(Box::new(Reading { agreed: true, ..(**reading).clone() })),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn recorded_evidence_judges_alike(findings in some_findings(), policy in some_policy()) {
        prop_assert_eq!(judged_again(&findings, policy), judge(&findings, policy));
    }

    #[test]
    fn a_live_mailbox_is_never_called_dead(
        findings in some_findings(),
        strength in select(&STRENGTHS[..]),
        policy in some_policy(),
    ) {
        // Whatever else was found, an accepted recipient of a domain that has a mail host is not undeliverable.
        let has_host = |f: &Finding| !matches!(f, Finding::SyntaxError(_) | Finding::Route(_) | Finding::Reply(_));
        let mut findings: Vec<_> = findings.into_iter().filter(has_host).collect();
        findings.extend([mx(), reply_with(ReplyClass::Accepted, strength, false)]);
        prop_assert_ne!(judge(&findings, policy).category, Category::Undeliverable);
    }

    #[test]
    fn undeliverable_needs_an_answer_and_a_good_one(findings in some_findings(), policy in some_policy()) {
        let judged = judge(&findings, policy);
        if judged.category == Category::Undeliverable {
            prop_assert!(judged.confidence.as_f64() >= 0.90);
            let is_answer = |f: &Finding| matches!(
                f,
                Finding::Route(_) | Finding::Reply(_) | Finding::History(_)
                    | Finding::ProbeFailed(ProbeFailure::MxWithoutAddress) | Finding::Opinion(_)
            );
            prop_assert!(findings.iter().any(is_answer));
        }
    }

    #[test]
    fn agreement_never_lowers_the_score(class in select(&CLASSES[..]), strength in select(&STRENGTHS[..])) {
        let findings = [mx(), reply_with(class, strength, false), random_refused(CatchAllSource::Session)];
        let once = judge(&findings, Policy::default());
        let twice = judge(&findings.each_ref().map(agreeing), Policy::default());
        prop_assert!(twice.confidence >= once.confidence, "{:?} then {:?}", once, twice);
    }

    #[test]
    fn scores_stay_in_bounds_and_unknown_claims_nothing(
        findings in some_findings(),
        policy in some_policy(),
    ) {
        let judged = judge(&findings, policy);
        let score = judged.confidence.as_f64();
        match judged.category {
            Category::Unknown => prop_assert_eq!(score, 0.0),
            Category::InvalidSyntax | Category::Duplicate => prop_assert_eq!(score, 1.0),
            _ => prop_assert!((0.01..=0.99).contains(&score)),
        }
        prop_assert_eq!(judged.reason.is_none(), judged.category == Category::Deliverable);
    }

    #[test]
    fn no_opinion_outweighs_what_a_server_said_of_the_mailbox(
        findings in vec(some_finding(), 0..8),
        class in select(&CLASSES[..]),
        strength in select(&STRENGTHS[..]),
        at in 0..8usize,
        opinions in vec(some_opinion(), 1..4),
        policy in some_policy(),
    ) {
        let mut findings = findings;
        findings.insert(at.min(findings.len()), reply_with(class, strength, false));
        let without = judge(&findings, policy);
        let with = judge(findings.iter().chain(&opinions), policy);
        let is_about_the_mailbox =
            |f: &Finding| matches!(f, Finding::Reply(reading) if reading.class.unknown_reason().is_none());
        let is_final = matches!(with.category, Category::Deliverable | Category::Undeliverable);
        if is_final && findings.iter().any(is_about_the_mailbox) {
            prop_assert_eq!(with.category, without.category);
        }
        if without.category == Category::Undeliverable {
            prop_assert!(matches!(with.category, Category::Undeliverable | Category::Disposable));
        }
    }

    #[test]
    fn opinions_touch_the_category_alone_and_one_of_them_at_most(
        findings in vec(some_finding(), 0..8),
        opinions in vec(some_opinion(), 0..5),
        policy in some_policy(),
    ) {
        let without = judge(&findings, policy);
        let with = judge(findings.iter().chain(&opinions), policy);
        prop_assert_eq!(with.opinions.len(), opinions.len());
        prop_assert_eq!(
            (with.mailbox, &with.mailbox_reason, with.flags, &with.suggestion),
            (without.mailbox, &without.mailbox_reason, without.flags, &without.suggestion)
        );
        let has_entered = |weight: &&Weight| matches!(weight, Weight::Decided | Weight::Outranked);
        let entered: Vec<_> = with.opinions.iter().filter(has_entered).collect();
        prop_assert!(entered.len() <= 1, "{:?}", with.opinions);
        if entered != [&Weight::Decided] {
            prop_assert_eq!(Judgement { opinions: vec![], ..with }, without);
        }
    }

    #[test]
    fn advice_never_changes_a_judgement(findings in some_findings(), policy in some_policy()) {
        let is_advice = |f: &&Finding| matches!(f, Finding::Opinion(o) if o.authority == Authority::Advise);
        let mut with = judge(&findings, policy);
        let without = judge(findings.iter().filter(|f| !is_advice(f)), policy);
        with.opinions.retain(|weight| *weight != Weight::Advised);
        prop_assert_eq!(with, without);
    }
}
