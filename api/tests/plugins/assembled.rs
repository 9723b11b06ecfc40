//! Plugins in a pipeline: several of one file, their opinions, and what those may do.

use std::{sync::Arc, time::Duration};

use mailsonde::{Inputs, Parts, Verified, Verifier};
use mailsonde_engine::{Category, Finding, Policy, Verdict};

use super::{Folder, accuser, witness};

/// Verifies addresses with the pipeline `signup`.
fn verify(folder: &Folder, toml: &str, inputs: &[&str]) -> Vec<Verdict> {
    let settings = folder.settings(toml);
    let parts = Parts::new(&settings).unwrap();
    let pipeline = mailsonde::pipeline(&settings, &parts, "signup", &[]).unwrap();
    let verifier = Arc::new(Verifier::new(pipeline, Policy::default(), Duration::from_mins(1)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
    let Verified { verdicts, .. } = runtime.block_on(verifier.verify(Inputs { first_row: 1, inputs }));
    verdicts
}

fn found_by<'v>(verdict: &'v Verdict, stage: &str) -> Vec<&'v Finding> {
    let findings = verdict.evidence.findings.iter().filter(|recorded| &*recorded.stage == stage);
    findings.map(|recorded| &recorded.finding).collect()
}

#[test]
fn several_tables_may_name_the_same_file() {
    let folder = Folder::new();
    folder.guest("accuser", &accuser("accuser"));
    let toml = "[stage.one]\nwasm = 'DIR/accuser.wat'\n\
        [stage.other]\nwasm = 'DIR/accuser.wat'\nauthority = 'decide'\ninstance = 'warm'\n\
        [pipeline.signup]\nstages = ['one', 'syntax', 'other']\n";
    let verdicts = verify(&folder, toml, &["xavier@a.example", "jane@a.example"]);
    for stage in ["one", "other"] {
        assert!(matches!(found_by(&verdicts[0], stage)[..], [Finding::Opinion(_)]), "{stage}");
        assert!(found_by(&verdicts[1], stage).is_empty(), "{stage}");
    }
}

#[test]
fn an_opinion_decides_where_the_operator_lets_it() {
    let folder = Folder::new();
    folder.guest("accuser", &accuser("accuser"));
    let category = |authority: &str, input| {
        let toml = format!(
            "[stage.accuser]\nwasm = 'DIR/accuser.wat'\n{authority}\n[pipeline.signup]\nstages = ['syntax', 'accuser']\n"
        );
        let verdict = verify(&folder, &toml, &[input]).remove(0);
        (verdict.judgement.category, verdict.judgement.reason.map(|reason| reason.word().to_owned()))
    };
    let decided = (Category::HighRisk, Some("begins_with_x".to_owned()));
    assert_eq!(category("authority = 'decide'", "xavier@a.example"), decided);
    for authority in ["", "authority = 'advise'"] {
        assert_eq!(category(authority, "xavier@a.example").0, Category::Unknown);
    }
    assert_eq!(category("authority = 'decide'", "jane@a.example").0, Category::Unknown);
    // No opinion makes an address of what is none.
    assert_eq!(category("authority = 'decide'", "xavier").0, Category::InvalidSyntax);
}

#[test]
fn an_opinion_stops_where_the_operator_wants_it() {
    let folder = Folder::new();
    folder.guest("accuser", &accuser("accuser"));
    folder.guest("seen", &witness("seen"));
    let toml = "[stage.accuser]\nwasm = 'DIR/accuser.wat'\n\
        [stage.seen]\nwasm = 'DIR/seen.wat'\nstop_on = ['accuser']\n\
        [pipeline.signup]\nstages = ['syntax', 'accuser', 'seen']\n";
    let verdicts = verify(&folder, toml, &["xavier@a.example", "jane@a.example"]);
    assert!(found_by(&verdicts[0], "seen").is_empty());
    assert_eq!(found_by(&verdicts[1], "seen").len(), 1);
}

#[test]
fn what_a_plugin_wrote_is_handed_to_the_next() {
    let folder = Folder::new();
    folder.guest("first", &witness("first"));
    // Says `seen` of those of whom it was told anything.
    let second = super::guest::Guest::named("second")
        .reads("first.seen")
        .check("(if (i32.load offset=32 (local.get $subject)) (then (call $see (local.get $outcome))))");
    folder.guest("second", &second);
    let toml = "[stage.first]\nwasm = 'DIR/first.wat'\n[stage.second]\nwasm = 'DIR/second.wat'\n\
        [pipeline.signup]\nstages = ['syntax', 'first', 'second']\n";
    let verdict = verify(&folder, toml, &["jane@a.example"]).remove(0);
    assert!(
        matches!(found_by(&verdict, "second")[..], [Finding::Opinion(opinion)] if &*opinion.reason == "seen")
    );
}
