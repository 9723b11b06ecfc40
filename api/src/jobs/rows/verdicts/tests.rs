//! Verdicts of all kinds, written and read back.

use std::sync::Arc;

use mailsonde_engine::{
    Address, AliasType, Authority, CatchAll, CatchAllSource, Category, DialogueStage, DmarcPolicy,
    DomainTrust, Fault, FaultCause, Guess, HistoryFact, HistorySource, LookupFailure, MailHost, Of, Operator,
    Opinion, PluginFact, Policy, ProbeFailure, RandomPattern, RandomPolicy, Reason, RiskSource, RolePolicy,
    RoleType, Signal, SignalName, Strength, Subject, SyntaxError, SyntaxReason, Tier, TldRisk,
};
use serde_json::{Value, json};

use super::*;
use crate::verification::{Moment, Shape, Verification};

/// Rows of the chunks whose size is measured: as many as a chunk has.
const ROWS: u32 = 500;

fn mx(hosts: &[&str]) -> Finding {
    let hosts = (1..).zip(hosts).map(|(preference, name)| MailHost { preference, name: (*name).into() });
    Finding::Route(Arc::new(MailRoute::Mx { hosts: hosts.collect(), beside_null: false }))
}

fn route_of(route: MailRoute) -> Finding {
    Finding::Route(Arc::new(route))
}

fn reply(class: ReplyClass, code: u16, host: &str, text: &str) -> Finding {
    Finding::Reply(Box::new(Reading {
        class,
        strength: Strength::Code,
        rule: "code-5.1.1".into(),
        stage: DialogueStage::Rcpt,
        code,
        enhanced: Some([code / 100, 1, 1]),
        text: text.into(),
        host: host.into(),
        agreed: code == 551,
    }))
}

fn trust(score: f64) -> Finding {
    Finding::DomainTrust(Arc::new(DomainTrust {
        score,
        has_spf: Some(true),
        has_dmarc: Some(score > 0.5),
        dmarc_policy: Some(DmarcPolicy::Reject),
        has_mta_sts: Some(false),
        has_tls_rpt: None,
        has_dnssec: Some(false),
        has_caa: Some(true),
        is_parked: Some(false),
        tld_risk: TldRisk::Low,
        blocklists: vec![],
        reasons: vec!["spf".into(), "dmarc".into(), "dns_failure:tls_rpt".into()],
    }))
}

fn random(confidence: f64) -> Finding {
    let signal = Signal { signal: SignalName::NoVowels, value: 6.5123, threshold: 4.0, weight: 1.5 };
    Finding::RandomPattern(RandomPattern {
        confidence,
        entropy: 3.1,
        is_random: confidence > 0.9,
        signals: vec![signal],
    })
}

fn opinion(category: Category, reason: &str, authority: Authority) -> Finding {
    Finding::Opinion(Opinion { category, reason: reason.into(), score: 0.95, authority })
}

fn fault(cause: FaultCause, lost: &str) -> Finding {
    Finding::Fault(Fault { cause, message: "it broke".into(), lost: Arc::from([Box::from(lost)]) })
}

/// Findings of every kind, with what differs within a kind and matters.
fn all() -> Vec<Finding> {
    let long = format!("5.1.1 <rcpt> unknown {}", "é".repeat(200));
    let error = |reason| SyntaxError { reason, message: "It is no address.".into() };
    vec![
        Finding::SyntaxError(error(SyntaxReason::NoAt)),
        Finding::SyntaxError(error(SyntaxReason::BadDomain)),
        Finding::TypoSuggestion("gmail.com".into()),
        Finding::TypoTrap,
        Finding::Disposable(Tier::Curated),
        Finding::Disposable(Tier::Broad),
        Finding::FreeProvider,
        Finding::Role(RoleType::Info),
        Finding::Role(RoleType::Hr),
        Finding::Alias(AliasType::PlusTag),
        random(0.9712),
        random(0.51),
        mx(&["mx1.example.org", "mx2.example.org"]),
        mx(&["elsewhere.example"]),
        route_of(MailRoute::Mx { hosts: vec![], beside_null: true }),
        route_of(MailRoute::Implicit),
        route_of(MailRoute::NoDomain),
        route_of(MailRoute::Unanswered { failure: LookupFailure::Timeout }),
        Finding::Operator(Operator::by_id("google").unwrap()),
        Finding::DisposableMx,
        Finding::Parked,
        Finding::ReverseDns,
        trust(0.85),
        trust(0.1),
        reply(ReplyClass::Accepted, 250, "mx1.example.org", "2.1.5 OK"),
        reply(ReplyClass::NoSuchMailbox, 550, "mx2.example.org", "5.1.1 <rcpt> unknown"),
        reply(ReplyClass::NoSuchMailbox, 551, "mx2.example.org", "5.1.1 <rcpt> unknown"),
        reply(ReplyClass::NoSuchMailbox, 550, "mx9.example.org", ""),
        reply(ReplyClass::Full, 452, "mx1.example.org", &long),
        reply(ReplyClass::Greylisted, 450, "mx1.example.org", "4.7.1 \"later\"\\n"),
        Finding::CatchAll(CatchAll::No { source: CatchAllSource::Session }),
        Finding::CatchAll(CatchAll::No { source: CatchAllSource::Cache }),
        Finding::CatchAll(CatchAll::Yes { source: CatchAllSource::Operator }),
        Finding::CatchAll(CatchAll::Unknown { reason: Reason::Timeout }),
        Finding::ProbeFailed(ProbeFailure::Timeout),
        Finding::ProbeFailed(ProbeFailure::MxWithoutAddress),
        Finding::History(HistoryFact::HardBounce { age_days: 3, source: HistorySource::Bounce }),
        Finding::History(HistoryFact::Confirmed),
        Finding::RiskList(RiskSource::SpamTrap),
        Finding::Candidate(Guess { format: "first.last".into(), rank: 2, of: 20, chance: 0.125 }),
        Finding::DuplicateOf(7),
        fault(FaultCause::Deadline, "smtp.reply"),
        fault(FaultCause::Panic, "role.type"),
        opinion(Category::HighRisk, "blocked_domain", Authority::Decide),
        opinion(Category::Risky, "timeout", Authority::Decide),
        opinion(Category::Deliverable, "known", Authority::Advise),
        Finding::Plugin(PluginFact { key: "crm.known".into(), value: json!({"since": [2019.1, null]}) }),
    ]
}

fn verdict(input: &str, findings: impl IntoIterator<Item = Finding>, policy: Policy) -> Verdict {
    let mut subject = Subject::new(input);
    for finding in findings {
        let stage = match finding.key().split_once('.') {
            Some(("smtp", _)) => "smtp-probe",
            Some(("domain", _)) => "domain-trust",
            Some((stage, _)) => stage,
            None => "some-stage",
        };
        subject.note(&stage.into(), finding);
    }
    let address = input.split_once('@').map(|(local, domain)| Address::new(local, domain));
    Verdict { address, last_slot: Some(9), ..Verdict::of(subject, policy) }
}

fn judged(row: u32, verdict: Verdict) -> Judged {
    let verified_at = Timestamp::from_millisecond(1_767_225_600_123 + i64::from(row) * 250).unwrap();
    Judged { row, verdict, verified_at, took: Duration::from_millis(842), is_final: !row.is_multiple_of(5) }
}

fn read_back(verdicts: &[Judged]) -> Vec<Judged> {
    let input = |row| verdicts.iter().find(|it| it.row == row).map(|it| it.verdict.input.clone());
    read(&write(verdicts), input).expect("what was written can be read")
}

/// The object that a client sees, evidence and all.
fn object(judged: &Judged) -> Value {
    let moment = Moment { verified_at: judged.verified_at, took: judged.took };
    let shape = Shape { include_email: true, explain: true };
    let mut object = serde_json::to_value(Verification::of(&judged.verdict, moment, shape)).unwrap();
    object["metadata"]["verification_id"].take();
    object
}

/// The same verdict with what is kept of replies.
fn shortened(judged: &Judged) -> Judged {
    let mut judged = judged.clone();
    for recorded in &mut judged.verdict.evidence.findings {
        if let Finding::Reply(reading) = &mut recorded.finding {
            reading.text = kept_text(reading).into();
        }
    }
    judged
}

#[track_caller]
fn assert_same(written: &[Judged], read: &[Judged]) {
    assert_eq!(written.len(), read.len());
    for (written, read) in written.iter().map(shortened).zip(read) {
        let (verdict, back) = (&written.verdict, &read.verdict);
        assert_eq!((&back.input, &back.address), (&verdict.input, &verdict.address));
        assert_eq!((&back.judgement, &back.evidence), (&verdict.judgement, &verdict.evidence));
        assert_eq!(back.evidence.judge_again(), verdict.judgement, "the evidence leads to the judgement");
        assert_eq!(
            (read.row, read.is_final, back.last_slot),
            (written.row, written.is_final, verdict.last_slot)
        );
        assert_eq!((read.verified_at, read.took), (written.verified_at, written.took));
        assert_eq!(object(read), object(&written));
    }
}

#[test]
fn every_kind_of_finding_is_tried() {
    let tried: Vec<_> = all();
    assert!(Finding::KEYS.iter().all(|key| tried.iter().any(|finding| finding.key() == *key)));
}

#[test]
fn every_two_findings_are_read_back_in_their_order() {
    let all = all();
    let pairs = all.iter().flat_map(|one| all.iter().map(move |two| [one.clone(), two.clone()]));
    let verdicts: Vec<_> = (1..)
        .zip(pairs)
        .map(|(row, pair)| judged(row, verdict("jane@example.com", pair, Policy::default())))
        .collect();
    assert_same(&verdicts, &read_back(&verdicts));
}

/// Mixtures that a fixed sequence draws: up to eight findings, every policy in one text.
#[test]
fn mixtures_under_different_policies_are_read_back() {
    let all = all();
    let mut state = 7_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let verdicts: Vec<_> = (0..2_000)
        .map(|row| {
            let policy = Policy {
                role: [RolePolicy::Flag, RolePolicy::Risky][draw(2)],
                random: [RandomPolicy::Unproven, RandomPolicy::Always][draw(2)],
                history_trust_days: [0, 7][draw(2)],
                of: [Of::Address, Of::Mailbox][draw(2)],
            };
            let findings: Vec<_> = (0..draw(9)).map(|_| all[draw(all.len())].clone()).collect();
            judged(
                row,
                verdict(["jane@example.com", "no address", "Jo@EXAMPLE.org"][draw(3)], findings, policy),
            )
        })
        .collect();
    assert_same(&verdicts, &read_back(&verdicts));
}

#[test]
fn a_text_of_nothing_is_one() {
    assert_same(&[], &read_back(&[]));
    let nothing = [judged(0, Verdict { last_slot: None, ..verdict("", [], Policy::default()) })];
    assert_same(&nothing, &read_back(&nothing));
}

#[test]
fn what_is_the_same_stands_once() {
    let verdicts: Vec<_> = (1..=ROWS)
        .map(|row| {
            let typo = if row % 2 == 0 { "gmail.com" } else { "gmx.de" };
            let (class, text) = match row % 3 {
                0 => (ReplyClass::Disabled, "5.1.1 <rcpt> switched off"),
                _ => (ReplyClass::NoSuchMailbox, "5.1.1 no such user"),
            };
            let found = [
                Finding::TypoSuggestion(typo.into()),
                mx(&["mx1.example.org"]),
                reply(class, 550, "mx1.example.org", text),
            ];
            judged(row, verdict("jane@example.com", found, Policy::default()))
        })
        .collect();
    let text: Value = serde_json::from_slice(&write(&verdicts)).unwrap();
    let lengths = ["judges", "judgements", "opinions", "findings", "texts", "rows"]
        .map(|list| text[list].as_array().unwrap().len());
    assert_eq!(lengths, [1, 2, 0, 5, 2, ROWS as usize]);
    assert_eq!(text["rows"][1], json!([2, 1, 0, [3, 1, [2, 0, 0]], 842, 250, 9]));
}

#[test]
fn of_a_reply_little_is_kept() {
    let text = format!("{}é{}", "x".repeat(TEXT_OCTETS_MAX - 1), "y".repeat(100));
    let found =
        [ReplyClass::Accepted, ReplyClass::Full].map(|class| reply(class, 250, "mx.example.org", &text));
    let verdicts = [judged(1, verdict("jane@example.com", found, Policy::default()))];
    let read = read_back(&verdicts);
    let texts = read[0].verdict.evidence.findings().map(|finding| match finding {
        Finding::Reply(reading) => reading.text.len(),
        _ => unreachable!(),
    });
    assert_eq!(texts.collect::<Vec<_>>(), [0, TEXT_OCTETS_MAX - 1]);
    assert_same(&verdicts, &read);
}

#[test]
fn a_word_of_ours_stays_the_plugins_that_said_it() {
    let plugins = verdict(
        "jane@example.com",
        [opinion(Category::Risky, "timeout", Authority::Decide)],
        Policy::default(),
    );
    let ours = Verdict {
        judgement: Judgement { reason: Some(Reason::Timeout), ..plugins.judgement.clone() },
        ..plugins.clone()
    };
    let read = read_back(&[judged(1, plugins), judged(2, ours)]);
    assert_eq!(object(&read[0])["sub_category"], "plugin");
    assert_eq!(read[0].verdict.judgement.reason, Some(Reason::Plugin("timeout".into())));
    assert_eq!(read[1].verdict.judgement.reason, Some(Reason::Timeout));
}

/// Probed addresses: most are accepted, and each refusal has a text of its own, as large providers have.
fn probed(name: impl Fn(u32) -> [String; 3]) -> Vec<Judged> {
    let probed = |row| {
        let [domain, host, host_2] = name(row);
        let (class, code, text) = if row % 5 < 3 {
            (ReplyClass::Accepted, 250, format!("2.1.5 OK {row}-20020a05600c.4 - gsmtp"))
        } else {
            let text = "5.4.1 Recipient address rejected: Access denied. For more information see the page";
            let text =
                format!("{text} [DB1PEPF{row:08}.eurprd03.prod.outlook.com 2026-01-01T00:00:00.{row:03}Z]");
            (ReplyClass::NoSuchMailbox, 550, text)
        };
        let found = [
            mx(&[&host, &host_2]),
            Finding::Operator(Operator::by_id("microsoft365").unwrap()),
            trust(f64::from(row % 10) / 10.0),
            reply(class, code, &host, &text),
            Finding::CatchAll(CatchAll::No { source: CatchAllSource::Session }),
        ];
        judged(row, verdict(&format!("jane.doe{row}@{domain}"), found, Policy::default()))
    };
    (1..=ROWS).map(probed).collect()
}

#[test]
fn a_probed_row_has_at_most_256_octets() {
    let at_one =
        |_| ["gmail.com", "gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"].map(Into::into);
    let at_many = |row| {
        let name = format!("company-{row:05}");
        let host = |no: u32| format!("{name}-com.mail{no}.example");
        [format!("{name}.com"), host(1), host(2)]
    };
    for verdicts in [probed(at_one), probed(at_many)] {
        let octets = write(&verdicts).len();
        assert!(octets <= 256 * ROWS as usize, "{} octets a row", octets / ROWS as usize);
        assert_same(&verdicts, &read_back(&verdicts));
    }
}

#[test]
fn in_brief_the_same_is_read() {
    let at_one = |_| ["gmail.com", "mx1.example", "mx2.example"].map(Into::into);
    let mut verdicts = probed(at_one);
    verdicts[7].is_final = false;
    let text = write(&verdicts);
    let briefs = brief::read(&text).unwrap();
    assert_eq!(briefs.rows.len(), verdicts.len());
    for (brief, judged) in briefs.rows.iter().zip(read_back(&verdicts)) {
        let judgement = &briefs.judgements[brief.judgement];
        assert_eq!((brief.row, brief.verified_at), (judged.row, judged.verified_at));
        assert_eq!(brief.is_final, judged.is_final);
        assert_eq!(*judgement, judged.verdict.judgement);
    }
    let mut text: Value = serde_json::from_slice(&text).unwrap();
    let mut told = |column: usize, wrong: Value| {
        text["rows"][1][column] = wrong;
        brief::read(text.to_string().as_bytes()).unwrap_err()
    };
    assert_eq!(told(2, json!(700)), RowsError::Dangling(2));
    assert_eq!(told(5, json!(i64::MAX)), RowsError::Dangling(2));
    text["v"] = json!(2);
    assert_eq!(brief::read(text.to_string().as_bytes()).unwrap_err(), RowsError::Newer(2));
}

fn small() -> Vec<Judged> {
    vec![judged(1, verdict("jane@example.com", [Finding::FreeProvider], Policy::default()))]
}

fn read_text(text: &Value) -> Result<Vec<Judged>, RowsError> {
    read(text.to_string().as_bytes(), |_| Some("jane@example.com".into()))
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let mut text: Value = serde_json::from_slice(&write(&small())).unwrap();
    text["scores"] = json!([{"of": "later"}]);
    text["judgements"][0]["second_thought"] = json!("risky");
    text["rows"][0].as_array_mut().unwrap().push(json!({"provisional": false, "score": 3}));
    assert!(!text["rows"][0][7].is_null(), "an object ends the row");
    let read = read_text(&text).unwrap();
    assert_eq!(read[0].verdict.evidence, small()[0].verdict.evidence);
    text["v"] = json!(2);
    assert_eq!(read_text(&text).unwrap_err(), RowsError::Newer(2));
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let text: Value = serde_json::from_slice(&write(&small())).unwrap();
    for (column, wrong) in
        [(2, json!(7)), (3, json!([1])), (3, json!([[0, 0]])), (3, json!([[0, "mx"]])), (5, json!(i64::MAX))]
    {
        let mut text = text.clone();
        text["rows"][0][column] = wrong;
        assert_eq!(read_text(&text).unwrap_err(), RowsError::Dangling(1), "{text}");
    }
    let no_input = read(text.to_string().as_bytes(), |_| None);
    assert_eq!(no_input.unwrap_err(), RowsError::NoInput(1));
    let another = read(text.to_string().as_bytes(), |_| Some("a\r\nb".into()));
    assert_eq!(another.unwrap_err(), RowsError::NoAddress(1));
    let whole = write(&small());
    for cut in 0..whole.len() {
        let error = read(&whole[..cut], |_| Some("jane@example.com".into())).unwrap_err();
        assert!(matches!(error, RowsError::Malformed { .. }), "{error:?}");
    }
}
