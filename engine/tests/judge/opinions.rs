//! What becomes of plugins' opinions: every category against every state of the mailbox, and against each other.

use std::sync::Arc;

use mailsonde_engine::{
    Authority, CatchAllSource, Category, Evidence, Finding, HistoryFact, MailRoute, MailboxState, Policy,
    ProbeFailure, RandomPolicy, Reason, ReplyClass, Strength, Subject, SyntaxReason, Verdict, WeighedOpinion,
    Weight, judge,
};

use super::cases::{
    accepted, decides, failed, mx, opinion, random_accepted, random_refused, random_unanswered, reply,
    reply_with, route, syntax,
};

/// Findings for each state of the mailbox, in the order of the table's columns.
fn states() -> Vec<(MailboxState, Vec<Finding>)> {
    let refused = |class| vec![mx(), reply(class)];
    let accepts_all = || vec![mx(), accepted(), random_accepted(CatchAllSource::Session)];
    let confirmed = || [accepts_all(), vec![Finding::History(HistoryFact::Confirmed)]].concat();
    vec![
        (MailboxState::Accepted, vec![mx(), accepted(), random_refused(CatchAllSource::Session)]),
        (MailboxState::CatchAllConfirmed, confirmed()),
        (MailboxState::CatchAll, accepts_all()),
        (MailboxState::Full, refused(ReplyClass::Full)),
        (MailboxState::NotFound, refused(ReplyClass::NoSuchMailbox)),
        (MailboxState::Disabled, refused(ReplyClass::Disabled)),
        (MailboxState::NoMail, refused(ReplyClass::NotAcceptingMail)),
        (MailboxState::NonAsciiUnsupported, refused(ReplyClass::NonAsciiUnsupported)),
        (MailboxState::NoDomain, vec![route(MailRoute::NoDomain)]),
        (MailboxState::NoMailHost, vec![route(MailRoute::NoMail)]),
        (MailboxState::Unanswered, vec![mx(), failed(ProbeFailure::Timeout)]),
        (MailboxState::Unchecked, vec![mx()]),
        (MailboxState::Invalid, vec![syntax(SyntaxReason::NoAt)]),
    ]
}

/// For each category and state, in the order of [`states`]: the opinion (D)ecides, is (o)utranked or is (b)arred.
/// Alive, open and full; dead; without an answer, unasked and no address.
const TABLE: [(Category, &str); 10] = [
    (Category::Deliverable, "oobb bbbbbb bDb"),
    (Category::Undeliverable, "bbbb oooooo DDb"),
    (Category::Risky, "DDoo oooooo oDb"),
    (Category::Disposable, "DDDD DDDDDD DDb"),
    (Category::Unknown, "bbbb bbbbbb oDb"),
    (Category::RandomPattern, "bbDb oooooo oDb"),
    (Category::HighRisk, "bbDD oooooo DDb"),
    (Category::AcceptAll, "bbob bbbbbb oDb"),
    (Category::Duplicate, "bbbb bbbbbb bbb"),
    (Category::InvalidSyntax, "bbbb bbbbbb bbb"),
];

fn weight(letter: char) -> Weight {
    match letter {
        'D' => Weight::Decided,
        'o' => Weight::Outranked,
        'b' => Weight::Barred,
        other => panic!("{other} is no weight"),
    }
}

#[test]
fn every_category_against_every_state_of_the_mailbox() {
    for (category, letters) in TABLE {
        let letters = letters.chars().filter(|letter| *letter != ' ');
        for ((state, mut findings), letter) in states().into_iter().zip(letters) {
            let before = judge(&findings, Policy::default());
            assert_eq!(before.mailbox, state);
            findings.push(decides(category, 0.95));
            let judged = judge(&findings, Policy::default());
            assert_eq!(judged.opinions, [weight(letter)], "{category:?} while {state:?}");
            let expected = if letter == 'D' { category } else { before.category };
            assert_eq!((judged.category, judged.mailbox), (expected, state), "{category:?} while {state:?}");
        }
    }
}

#[test]
fn an_answer_too_weak_to_count_still_bars_a_word_about_the_mailbox() {
    let bare = || reply_with(ReplyClass::NoSuchMailbox, Strength::Bare, false);
    for answer in [vec![bare()], vec![accepted()], vec![accepted(), random_unanswered(Reason::Timeout)]] {
        for category in [Category::Undeliverable, Category::Deliverable] {
            let findings = [vec![mx(), decides(category, 0.99)], answer.clone()].concat();
            let judged = judge(&findings, Policy::default());
            assert_eq!((judged.category, &judged.opinions[..]), (Category::Unknown, &[Weight::Barred][..]));
        }
    }
    // A reply that is about us leaves the question open.
    let judged =
        judge(&[mx(), reply(ReplyClass::Blocked), decides(Category::Undeliverable, 0.95)], Policy::default());
    assert_eq!(judged.category, Category::Undeliverable);
}

#[test]
fn who_is_unsure_calls_no_mailbox_dead() {
    for (score, expected) in [(0.89, Weight::Barred), (f64::NAN, Weight::Barred), (0.9, Weight::Decided)] {
        let judged = judge(&[decides(Category::Undeliverable, score)], Policy::default());
        assert_eq!(judged.opinions, [expected], "{score}");
    }
}

#[test]
fn a_policy_that_lets_random_names_decide_lets_opinions_about_them_decide_too() {
    let always = Policy { random: RandomPolicy::Always, ..Policy::default() };
    for (state, mut findings) in states() {
        findings.push(decides(Category::RandomPattern, 0.95));
        let is_known =
            matches!(state, MailboxState::Accepted | MailboxState::CatchAllConfirmed | MailboxState::Full);
        let judged = judge(&findings, always);
        if is_known {
            assert_eq!(judged.opinions, [Weight::Decided], "{state:?}");
        } else {
            assert_eq!(judged, judge(&findings, Policy::default()), "{state:?}");
        }
    }
}

/// Notes findings of these stages and judges them.
fn verdict(findings: impl IntoIterator<Item = (&'static str, Finding)>) -> Verdict {
    let mut subject = Subject::new("jane@example.com");
    for (stage, finding) in findings {
        subject.note(&Arc::from(stage), finding);
    }
    Verdict::of(subject, Policy::default())
}

#[test]
fn the_evidence_says_that_the_earlier_slot_won() {
    let verdict = verdict([
        ("adviser", opinion(Category::HighRisk, 0.9, Authority::Advise)),
        ("hopeful", decides(Category::Duplicate, 0.9)),
        ("crm", decides(Category::Deliverable, 0.9)),
        ("dns", mx()),
        ("blocklist", decides(Category::HighRisk, 0.9)),
    ]);
    assert_eq!(verdict.judgement.category, Category::Deliverable);
    let told = |stage: &str, weight| WeighedOpinion { stage: stage.into(), weight, overruled_by: None };
    let expected = [
        told("adviser", Weight::Advised),
        told("hopeful", Weight::Barred),
        told("crm", Weight::Decided),
        WeighedOpinion { overruled_by: Some("crm".into()), ..told("blocklist", Weight::Overruled) },
    ];
    assert_eq!(verdict.evidence.opinions, expected);
    let written = serde_json::to_value(&verdict.evidence).unwrap();
    assert_eq!(
        written["opinions"],
        serde_json::json!([
            {"stage": "adviser", "weight": "advised"},
            {"stage": "hopeful", "weight": "barred"},
            {"stage": "crm", "weight": "decided"},
            {"stage": "blocklist", "weight": "overruled", "overruled_by": "crm"},
        ])
    );
    let read: Evidence = serde_json::from_value(written).unwrap();
    assert_eq!((read.judge_again(), read), (verdict.judgement, verdict.evidence));
}

#[test]
fn an_outranked_opinion_overrules_later_ones_all_the_same() {
    let verdict = verdict([
        ("lists", Finding::Disposable(mailsonde_engine::Tier::Curated)),
        ("first", decides(Category::Risky, 0.9)),
        ("second", decides(Category::Disposable, 0.9)),
    ]);
    assert_eq!(verdict.judgement.opinions, [Weight::Outranked, Weight::Overruled]);
    assert_eq!(verdict.evidence.opinions[1].overruled_by.as_deref(), Some("first"));
}

#[test]
fn without_opinions_nothing_is_weighed_or_written() {
    let verdict = verdict([("dns", mx())]);
    assert_eq!(verdict.judgement.opinions.capacity(), 0);
    assert!(!serde_json::to_string(&verdict.evidence).unwrap().contains("opinions"));
    let before: Evidence =
        serde_json::from_str(r#"{"judge":1,"policy":{},"findings":[{"stage":"typo","key":"typo.trap"}]}"#)
            .unwrap();
    assert!(before.opinions.is_empty());
}
