//! The contract's decision list, words and scores, row by row.

use mailsonde_engine::{
    AliasType, Authority, CatchAllSource, Category, DialogueStage, FaultCause, Finding, HistoryFact,
    MailRoute, MailboxState, Policy, ProbeFailure, RandomPattern, RandomPolicy, Reason, ReplyClass,
    RiskSource, RolePolicy, RoleType, Signal, SignalName, Strength, SyntaxReason, Tier, judge,
};

use super::cases::{
    accepted, bounced, decides, failed, fault, mx, opinion, random_accepted, random_local_part,
    random_refused, random_unanswered, reply, reply_with, route, syntax, unanswered_dns,
};

/// Findings, and the category, sub-category, reason and score that they lead to.
pub(crate) type Row = (Vec<Finding>, (&'static str, &'static str, &'static str, f64));

const SAME: CatchAllSource = CatchAllSource::Session;

fn proven() -> Vec<Finding> {
    vec![mx(), accepted(), random_refused(SAME)]
}

fn catch_all() -> Vec<Finding> {
    vec![mx(), accepted(), random_accepted(SAME)]
}

fn with(mut findings: Vec<Finding>, more: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    findings.extend(more);
    findings
}

fn same(
    category: &'static str,
    word: &'static str,
    score: f64,
) -> (&'static str, &'static str, &'static str, f64) {
    (category, word, word, score)
}

/// Rule by rule in the order of the list, with what must not win over it.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![];
    rows.extend(before_the_mailbox());
    rows.extend(dead());
    rows.extend(risks());
    rows.extend(unknown());
    rows.extend(alive());
    rows.extend(decided_by_a_plugin());
    rows
}

fn before_the_mailbox() -> Vec<Row> {
    let invalid = |reason, word| (vec![syntax(reason)], same("invalid_syntax", word, 1.0));
    vec![
        invalid(SyntaxReason::Empty, "empty"),
        invalid(SyntaxReason::NoAt, "no_at"),
        invalid(SyntaxReason::BadLocalPart, "bad_local_part"),
        invalid(SyntaxReason::BadDomain, "bad_domain"),
        invalid(SyntaxReason::TooLong, "too_long"),
        invalid(SyntaxReason::ControlCharacter, "control_character"),
        (vec![syntax(SyntaxReason::NoAt), Finding::DuplicateOf(1)], same("invalid_syntax", "no_at", 1.0)),
        (with(proven(), [Finding::DuplicateOf(3)]), same("duplicate", "duplicate_of_row", 1.0)),
        (
            vec![Finding::DuplicateOf(3), Finding::Disposable(Tier::Curated)],
            same("duplicate", "duplicate_of_row", 1.0),
        ),
        (vec![Finding::Disposable(Tier::Curated)], same("disposable", "disposable_domain", 0.98)),
        (with(proven(), [Finding::Disposable(Tier::Curated)]), same("disposable", "disposable_domain", 0.98)),
        (vec![mx(), Finding::DisposableMx], same("disposable", "disposable_mx", 0.95)),
        (
            vec![Finding::Disposable(Tier::Curated), route(MailRoute::NoDomain)],
            same("disposable", "disposable_domain", 0.98),
        ),
        (
            vec![Finding::Disposable(Tier::Broad), route(MailRoute::NoDomain)],
            same("undeliverable", "domain_not_found", 0.99),
        ),
    ]
}

fn dead() -> Vec<Row> {
    use ReplyClass::{Disabled, NoSuchDomain, NoSuchMailbox, NonAsciiUnsupported, NotAcceptingMail};
    let dead = |class, strength, agreed, word, score| {
        (vec![mx(), reply_with(class, strength, agreed)], same("undeliverable", word, score))
    };
    vec![
        (vec![route(MailRoute::NoDomain)], same("undeliverable", "domain_not_found", 0.99)),
        (vec![route(MailRoute::NoMail)], same("undeliverable", "no_mx_record", 0.99)),
        (vec![route(MailRoute::NullMx)], same("undeliverable", "null_mx", 0.99)),
        (vec![mx(), failed(ProbeFailure::MxWithoutAddress)], same("undeliverable", "no_mx_record", 0.99)),
        dead(NoSuchMailbox, Strength::Operator, false, "mailbox_not_found", 0.98),
        dead(NoSuchMailbox, Strength::Code, false, "mailbox_not_found", 0.97),
        dead(NoSuchMailbox, Strength::Text, false, "mailbox_not_found", 0.95),
        dead(NoSuchMailbox, Strength::Operator, true, "mailbox_not_found", 0.99),
        dead(NoSuchMailbox, Strength::Bare, true, "mailbox_not_found", 0.94),
        dead(NoSuchDomain, Strength::Code, false, "mailbox_not_found", 0.97),
        dead(Disabled, Strength::Code, false, "mailbox_disabled", 0.97),
        dead(NotAcceptingMail, Strength::Code, false, "domain_not_accepting_mail", 0.97),
        dead(NonAsciiUnsupported, Strength::Code, false, "non_ascii_unsupported", 0.97),
        // One bare 550 is too weak to call a mailbox dead.
        (
            vec![mx(), reply_with(NoSuchMailbox, Strength::Bare, false)],
            same("unknown", "blocked_by_server", 0.0),
        ),
        // A fresh memory stands in for a probe, but never for one that was made.
        (vec![bounced(6)], same("undeliverable", "mailbox_not_found", 0.97)),
        (vec![mx(), bounced(6)], same("undeliverable", "mailbox_not_found", 0.97)),
        (
            vec![mx(), failed(ProbeFailure::NotProbed), bounced(6)],
            same("undeliverable", "mailbox_not_found", 0.97),
        ),
        // Nor does it need DNS, whose word on the domain comes first where there is one.
        (vec![bounced(6), unanswered_dns()], same("undeliverable", "mailbox_not_found", 0.97)),
        (
            vec![bounced(6), fault(FaultCause::Deadline, "dns.route")],
            same("undeliverable", "mailbox_not_found", 0.97),
        ),
        (vec![bounced(6), route(MailRoute::NoDomain)], same("undeliverable", "domain_not_found", 0.99)),
        // Rule 4 before rules 5, 6 and 8.
        (
            vec![
                mx(),
                reply(NoSuchMailbox),
                bounced(400),
                Finding::RiskList(RiskSource::SpamTrap),
                Finding::TypoTrap,
                random_local_part(),
            ],
            same("undeliverable", "mailbox_not_found", 0.97),
        ),
    ]
}

fn risks() -> Vec<Row> {
    let trap = || Finding::RiskList(RiskSource::SpamTrap);
    vec![
        (vec![trap()], same("high_risk", "spam_trap", 0.9)),
        (vec![Finding::RiskList(RiskSource::ComplaintSource)], same("high_risk", "complaint_source", 0.9)),
        (vec![bounced(7)], same("high_risk", "known_hard_bounce", 0.9)),
        (vec![mx(), failed(ProbeFailure::Timeout), bounced(1)], same("high_risk", "known_hard_bounce", 0.9)),
        (
            vec![mx(), fault(FaultCause::Error, "smtp.reply"), bounced(1)],
            same("high_risk", "known_hard_bounce", 0.9),
        ),
        (vec![mx(), reply(ReplyClass::Greylisted), bounced(1)], same("high_risk", "known_hard_bounce", 0.9)),
        // Everybody is accepted there, so this says nothing against the memory.
        (with(catch_all(), [bounced(1)]), same("high_risk", "known_hard_bounce", 0.9)),
        (with(catch_all(), [trap()]), same("high_risk", "spam_trap", 0.9)),
        // Accepted in this run: the old risk no longer decides.
        (with(proven(), [trap()]), ("deliverable", "", "", 0.98)),
        (with(proven(), [bounced(1)]), same("risky", "known_bounce_before", 0.9)),
        (with(proven(), [bounced(400)]), same("risky", "known_bounce_before", 0.9)),
        (with(proven(), [Finding::TypoTrap]), same("risky", "typo_domain", 0.9)),
        // Offline nobody knows whether the domain exists.
        (vec![Finding::TypoTrap], same("unknown", "no_smtp_check", 0.0)),
        (with(proven(), [Finding::Parked]), same("risky", "parked_domain", 0.9)),
        (vec![mx(), Finding::Parked, failed(ProbeFailure::Timeout)], same("risky", "parked_domain", 0.9)),
        (vec![mx(), reply(ReplyClass::Full)], same("risky", "mailbox_full", 0.9)),
        (vec![Finding::Disposable(Tier::Broad)], same("risky", "disposable_suspected", 0.9)),
        (with(proven(), [Finding::Disposable(Tier::Broad)]), same("risky", "disposable_suspected", 0.9)),
        // Flags that decide nothing.
        (
            with(
                proven(),
                [Finding::Role(RoleType::Info), Finding::FreeProvider, Finding::Alias(AliasType::PlusTag)],
            ),
            ("deliverable", "", "", 0.98),
        ),
    ]
}

fn unknown() -> Vec<Row> {
    let by_reply = |class, word| (vec![mx(), reply(class)], same("unknown", word, 0.0));
    let by_failure = |failure, word| (vec![mx(), failed(failure)], same("unknown", word, 0.0));
    let by_fault = |cause, word| (vec![mx(), fault(cause, "smtp.reply")], same("unknown", word, 0.0));
    vec![
        by_reply(ReplyClass::Greylisted, "greylisted"),
        by_reply(ReplyClass::Rate, "rate_limited_by_server"),
        by_reply(ReplyClass::Temporary, "rate_limited_by_server"),
        by_reply(ReplyClass::Policy, "blocked_by_server"),
        by_reply(ReplyClass::Blocked, "blocked_by_server"),
        by_reply(ReplyClass::Unclear, "blocked_by_server"),
        by_reply(ReplyClass::TlsRequired, "tls_required"),
        by_reply(ReplyClass::ProtocolError, "protocol_error"),
        by_failure(ProbeFailure::Timeout, "timeout"),
        by_failure(ProbeFailure::NotItsTurn, "timeout"),
        by_failure(ProbeFailure::Disconnected, "timeout"),
        by_failure(ProbeFailure::ConnectionRefused, "connection_refused"),
        by_failure(ProbeFailure::MxNotAllowed, "mx_not_allowed"),
        by_failure(ProbeFailure::DnsFailure, "dns_failure"),
        by_failure(ProbeFailure::ProtocolError, "protocol_error"),
        by_failure(ProbeFailure::Inconsistent, "inconsistent_answers"),
        by_fault(FaultCause::Deadline, "timeout"),
        by_fault(FaultCause::RequestDeadline, "deadline_passed"),
        by_fault(FaultCause::Canceled, "canceled"),
        by_fault(FaultCause::Error, "stage_fault"),
        by_fault(FaultCause::Panic, "stage_fault"),
        by_fault(FaultCause::Unsettled, "stage_fault"),
        // DNS that gives no answer says nothing of the domain, and without a probe nothing was wanted of it.
        (vec![unanswered_dns(), failed(ProbeFailure::DnsFailure)], same("unknown", "dns_failure", 0.0)),
        (vec![unanswered_dns()], same("unknown", "no_smtp_check", 0.0)),
        (
            vec![fault(FaultCause::Deadline, "dns.route"), failed(ProbeFailure::DnsFailure)],
            same("unknown", "timeout", 0.0),
        ),
        // Whose turn did not come before the deadline: that is the reason.
        (
            vec![mx(), failed(ProbeFailure::NotItsTurn), fault(FaultCause::RequestDeadline, "smtp.reply")],
            same("unknown", "deadline_passed", 0.0),
        ),
        // A fault that costs only a flag changes nothing.
        (with(proven(), [fault(FaultCause::Panic, "typo.suggestion")]), ("deliverable", "", "", 0.98)),
        (with(proven(), [fault(FaultCause::Error, "history")]), ("deliverable", "", "", 0.98)),
        (vec![mx(), fault(FaultCause::Error, "history")], same("unknown", "no_smtp_check", 0.0)),
        (
            vec![fault(FaultCause::Deadline, "history"), mx(), reply(ReplyClass::NoSuchMailbox)],
            same("undeliverable", "mailbox_not_found", 0.97),
        ),
        (vec![fault(FaultCause::Panic, "typo.suggestion")], same("unknown", "no_smtp_check", 0.0)),
        // The target was accepted, but whether everybody would be is not known.
        (vec![mx(), accepted(), random_unanswered(Reason::Greylisted)], same("unknown", "greylisted", 0.0)),
        (vec![mx(), accepted()], same("unknown", "inconsistent_answers", 0.0)),
        // Rule 7 before rule 8.
        (vec![mx(), failed(ProbeFailure::Timeout), random_local_part()], same("unknown", "timeout", 0.0)),
        (vec![], same("unknown", "no_smtp_check", 0.0)),
        (vec![mx()], same("unknown", "no_smtp_check", 0.0)),
        (vec![mx(), failed(ProbeFailure::NotProbed)], same("unknown", "no_smtp_check", 0.0)),
    ]
}

fn alive() -> Vec<Row> {
    let random = ("random_pattern", "random_local_part", "improbable_ngrams", 0.97);
    vec![
        (proven(), ("deliverable", "", "", 0.98)),
        (vec![mx(), accepted(), random_refused(CatchAllSource::Cache)], ("deliverable", "", "", 0.97)),
        (vec![route(MailRoute::Implicit), accepted(), random_refused(SAME)], ("deliverable", "", "", 0.96)),
        (with(catch_all(), [Finding::History(HistoryFact::Confirmed)]), ("deliverable", "", "", 0.9)),
        (catch_all(), same("accept_all", "catch_all", 0.98)),
        (
            vec![mx(), accepted(), random_accepted(CatchAllSource::Cache)],
            same("accept_all", "catch_all", 0.98),
        ),
        (
            vec![mx(), accepted(), random_accepted(CatchAllSource::Operator)],
            ("accept_all", "catch_all", "operator_accepts_all", 0.98),
        ),
        (vec![random_local_part()], random),
        (with(catch_all(), [random_local_part()]), random),
        (with(proven(), [random_local_part()]), ("deliverable", "", "", 0.98)),
        // Rule 9 before rule 10.
        (with(catch_all(), [Finding::Disposable(Tier::Broad)]), same("accept_all", "catch_all", 0.98)),
    ]
}

/// One row for each category that an opinion may name; which opinions take part is another table.
fn decided_by_a_plugin() -> Vec<Row> {
    let says = |category, score| (category, "plugin", "as_told", score);
    vec![
        (with(proven(), [decides(Category::Disposable, 0.9)]), says("disposable", 0.9)),
        (vec![mx(), decides(Category::Undeliverable, 0.9)], says("undeliverable", 0.9)),
        (with(catch_all(), [decides(Category::HighRisk, 0.8)]), says("high_risk", 0.8)),
        (vec![decides(Category::Unknown, 0.8), random_local_part()], says("unknown", 0.0)),
        (with(catch_all(), [decides(Category::RandomPattern, 0.7)]), says("random_pattern", 0.7)),
        (vec![mx(), decides(Category::AcceptAll, 1.0)], says("accept_all", 0.99)),
        (with(proven(), [decides(Category::Risky, 0.126)]), says("risky", 0.13)),
        (vec![mx(), decides(Category::Deliverable, 0.93)], ("deliverable", "", "", 0.93)),
        // Our own rule of the same place comes first, and so does every earlier one.
        (
            vec![decides(Category::Disposable, 0.9), Finding::DisposableMx],
            same("disposable", "disposable_mx", 0.95),
        ),
        (vec![bounced(8), decides(Category::Risky, 0.9)], same("high_risk", "known_hard_bounce", 0.9)),
        (
            vec![Finding::DuplicateOf(2), decides(Category::Disposable, 0.9)],
            same("duplicate", "duplicate_of_row", 1.0),
        ),
        // What only advises changes nothing.
        (with(proven(), [opinion(Category::Risky, 0.9, Authority::Advise)]), ("deliverable", "", "", 0.98)),
    ]
}

#[test]
fn every_rule_word_and_score() {
    for (findings, (category, sub_category, reason, score)) in rows() {
        let judged = judge(&findings, Policy::default());
        let words = (
            judged.category.word(),
            judged.reason.as_ref().map_or("", Reason::group),
            judged.reason.as_ref().map_or("", Reason::word),
            judged.confidence.as_f64(),
        );
        assert_eq!(words, (category, sub_category, reason, score), "{findings:#?}");
        let written = serde_json::json!([judged.category, judged.reason]);
        assert_eq!(
            written,
            serde_json::json!([category, judged.reason.as_ref().map(Reason::word)]),
            "{findings:#?}"
        );
    }
}

#[test]
fn the_operator_chooses_about_roles_and_random_names() {
    let role = with(proven(), [Finding::Role(RoleType::Sales)]);
    let risky = Policy { role: RolePolicy::Risky, ..Policy::default() };
    assert_eq!(judge(&role, risky).reason, Some(Reason::RoleBased));
    assert_eq!(judge(&role, Policy::default()).reason, None);

    let random = with(proven(), [random_local_part()]);
    let always = Policy { random: RandomPolicy::Always, ..Policy::default() };
    assert_eq!(judge(&random, always).category.word(), "random_pattern");
}

#[test]
fn the_reason_for_random_is_the_signal_that_adds_most() {
    let signal = |signal, value, weight| Signal { signal, value, threshold: 1.0, weight };
    let signals = vec![signal(SignalName::HexLike, 1.5, 4.0), signal(SignalName::NoVowels, 9.0, 1.0)];
    let found = RandomPattern { confidence: 0.9, entropy: 3.0, is_random: true, signals };
    let judged = judge(&[Finding::RandomPattern(found)], Policy::default());
    assert_eq!(judged.reason, Some(Reason::Signal(SignalName::NoVowels)));
}

#[test]
fn a_memory_is_trusted_for_as_long_as_the_operator_says() {
    let patient = Policy { history_trust_days: 30, ..Policy::default() };
    assert_eq!(judge(&[bounced(29)], patient).category.word(), "undeliverable");
    assert_eq!(judge(&[bounced(30)], patient).category.word(), "high_risk");
}

#[test]
fn flags_say_what_the_address_is_besides() {
    let findings = with(
        catch_all(),
        [
            Finding::Disposable(Tier::Broad),
            Finding::FreeProvider,
            Finding::Role(RoleType::Hr),
            Finding::Alias(AliasType::DotVariant),
            random_local_part(),
        ],
    );
    let flags = judge(&findings, Policy::default()).flags;
    assert!(flags.is_disposable && flags.is_free_provider && flags.is_catch_all && flags.is_random);
    assert_eq!((flags.role, flags.alias), (Some(RoleType::Hr), Some(AliasType::DotVariant)));
    assert_eq!(judge(&proven(), Policy::default()).flags, mailsonde_engine::Flags::default());
}

#[test]
fn a_suggestion_is_dropped_when_the_domain_takes_mail() {
    let slip = || Finding::TypoSuggestion("gmail.com".into());
    let suggestion = |findings: &[Finding]| judge(findings, Policy::default()).suggestion;
    assert_eq!(suggestion(&[slip()]).as_deref(), Some("gmail.com"));
    assert_eq!(suggestion(&[slip(), route(MailRoute::NoDomain)]).as_deref(), Some("gmail.com"));
    assert_eq!(suggestion(&[slip(), route(MailRoute::NoMail)]).as_deref(), Some("gmail.com"));
    assert_eq!(suggestion(&[slip(), mx()]), None);
    assert_eq!(suggestion(&[slip(), Finding::TypoTrap, mx()]).as_deref(), Some("gmail.com"));
    assert_eq!(suggestion(&[syntax(SyntaxReason::BadDomain), slip()]).as_deref(), Some("gmail.com"));
}

#[test]
fn a_refusal_of_us_is_never_a_word_on_the_mailbox() {
    for stage in [DialogueStage::Connect, DialogueStage::Hello, DialogueStage::Mail, DialogueStage::Rcpt] {
        for class in [ReplyClass::Policy, ReplyClass::Blocked, ReplyClass::Rate, ReplyClass::TlsRequired] {
            let Finding::Reply(mut reading) = reply_with(class, Strength::Operator, true) else {
                unreachable!()
            };
            reading.stage = stage;
            let judged = judge(&[mx(), Finding::Reply(reading)], Policy::default());
            assert_eq!(judged.mailbox, MailboxState::Unanswered, "{class:?} at {stage:?}");
        }
    }
}
