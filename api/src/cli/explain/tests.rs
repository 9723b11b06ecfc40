//! Plugins' facts and opinions in the trace.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::{
    Authority, Batch, CatchAllSource, Category, Check, Context, Facts, MailHost, Opinion, Outcome, Pipeline,
    Policy, Pure, Slot, Subject, SyntaxError, SyntaxReason,
};

use super::*;

/// A stage that finds what it was given.
struct Finds(&'static str, Vec<Finding>);

impl Check for Finds {
    fn name(&self) -> &str {
        self.0
    }

    fn facts(&self) -> Facts {
        let writes = self.1.iter().map(|finding| finding.key().to_owned().into()).collect();
        Facts { writes, ..Facts::default() }
    }

    fn check(&self, _: &Subject, outcome: &mut Outcome) {
        for finding in &self.1 {
            outcome.found(finding.clone());
        }
    }
}

fn opinion(category: Category, reason: &str, score: f64, authority: Authority) -> Finding {
    Finding::Opinion(Opinion { category, reason: reason.into(), score, authority })
}

fn decides(category: Category, score: f64) -> Finding {
    opinion(category, "as_told", score, Authority::Decide)
}

fn fact(key: &str, value: serde_json::Value) -> Finding {
    Finding::Plugin(PluginFact { key: key.into(), value })
}

fn replied(class: ReplyClass) -> Vec<Finding> {
    let reading = Reading {
        class,
        strength: Strength::Code,
        rule: "test".into(),
        stage: DialogueStage::Rcpt,
        code: 250,
        enhanced: None,
        text: "as scripted".into(),
        host: "mx.example.org".into(),
        agreed: false,
    };
    let refused = CatchAll::No { source: CatchAllSource::Session };
    vec![Finding::Reply(Box::new(reading)), Finding::CatchAll(refused)]
}

/// The trace of a run of these stages, without colours and times.
async fn trace(stages: Vec<(&'static str, Vec<Finding>)>) -> Vec<String> {
    let slots = stages.into_iter().map(|(name, finds)| Slot::new(Arc::new(Pure(Finds(name, finds)))));
    let pipeline = Pipeline::new("test", slots.collect()).unwrap();
    let mut batch = Batch::new(vec![Subject::new("jane@example.com")]);
    let reports = pipeline.run(&Context::within(Duration::from_secs(1)), &mut batch).await;
    let verdict = Verdict::of(batch.into_subjects().remove(0), Policy::default());
    let mut out = Vec::new();
    write_trace(&mut out, &verdict, &reports).unwrap();
    let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
    text.lines().map(|line| line.get(INDENT..).unwrap_or(line).to_owned()).collect()
}

/// What became of one opinion, beside these findings.
async fn outcome(category: Category, score: f64, findings: Vec<Finding>) -> String {
    let trace = trace(vec![("found", findings), ("acme", vec![decides(category, score)])]).await;
    let line = trace.iter().find(|line| line.contains("holds it to be")).expect("the opinion is told");
    line.rsplit_once(": ").expect("and what became of it").1.to_owned()
}

#[tokio::test]
async fn facts_and_opinions_of_plugins_are_told() {
    let blocked = opinion(Category::HighRisk, "blocked_domain", 0.95, Authority::Decide);
    let found = trace(vec![
        ("adviser", vec![opinion(Category::Risky, "new_domain", 0.5, Authority::Advise)]),
        ("blocklist", vec![fact("blocklist.rule", "*.example.net".into()), blocked]),
        ("crm", vec![decides(Category::Deliverable, 0.9)]),
    ])
    .await;
    let expected = [
        "holds it to be risky (new_domain), 0.50: advised only",
        r#"blocklist.rule = "*.example.net""#,
        "holds it to be high_risk (blocked_domain), 0.95: decided",
        "holds it to be deliverable (as_told), 0.90: overruled by blocklist",
        "A plugin decided so, and nothing that was observed speaks against it.",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_verdict_that_a_plugin_made_deliverable_is_not_said_to_be_the_servers() {
    let found = trace(vec![("crm", vec![decides(Category::Deliverable, 0.9)])]).await;
    assert_eq!(
        found.last().unwrap(),
        "A plugin decided so, and nothing that was observed speaks against it."
    );
}

#[tokio::test]
async fn what_speaks_against_an_opinion_is_told() {
    let no_address = SyntaxError { reason: SyntaxReason::NoAt, message: "There is no @ in it.".into() };
    let no_domain = || vec![Finding::Route(Arc::new(MailRoute::NoDomain))];
    let host = MailHost { preference: 10, name: "mx.example.org".into() };
    let mx = Finding::Route(Arc::new(MailRoute::Mx { hosts: vec![host], beside_null: false }));
    for (category, score, findings, expected) in [
        (Category::Risky, 0.9, no_domain(), "another rule came first"),
        (Category::Deliverable, 0.9, no_domain(), "set aside, against what was found"),
        (Category::Undeliverable, 0.8, vec![mx], "set aside, too unsure to call a mailbox dead"),
        (
            Category::Undeliverable,
            0.95,
            replied(ReplyClass::Accepted),
            "set aside, against what the server said",
        ),
        (
            Category::Deliverable,
            0.95,
            vec![Finding::ProbeFailed(ProbeFailure::Timeout)],
            "set aside, the server was asked and did not say so",
        ),
        (Category::Disposable, 0.9, vec![Finding::SyntaxError(no_address)], "set aside, it is no address"),
    ] {
        assert_eq!(outcome(category, score, findings).await, expected);
    }
}

#[tokio::test]
async fn what_a_plugin_says_moves_no_cursor() {
    let evil = "\u{1b}[2J\n\u{202e}\u{9b}";
    let found = trace(vec![(
        "acme",
        vec![
            fact(&format!("acme.{evil}"), serde_json::json!([evil, "é"])),
            opinion(Category::Risky, evil, 0.9, Authority::Decide),
        ],
    )])
    .await;
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.concat().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{found:#?}");
    assert!(found[0].contains('é'), "{found:#?}");
}

#[tokio::test]
async fn a_long_value_is_cut() {
    let found = trace(vec![("acme", vec![fact("acme.list", "é".repeat(1_000).into())])]).await;
    assert_eq!(found[0].chars().count(), "acme.list = ".len() + VALUE_CHARS_MAX + 1);
    assert!(found[0].ends_with('…'));
}
