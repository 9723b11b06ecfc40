//! A person's candidates go through a pipeline, and one of them speaks for the person.

#![allow(clippy::unwrap_used)] // tests, and what they share

use std::{borrow::Cow, sync::Arc, time::Duration};

use mailsonde_engine::{
    Address, Batch, Candidate, CatchAll, CatchAllSource, Category, Check, Context, Deferral, DialogueStage,
    EgressId, Facts, FaultCause, Finding, Guess, MailboxState, Outcome, Pipeline, Policy, ProbeFailure, Pure,
    Reading, ReplyClass, Slot, Strength, Subject, Verdict,
};
use tokio::sync::mpsc;

/// `a b c` means a person with three candidates; whatever has an `@` is an address.
struct Expands;

impl Check for Expands {
    fn name(&self) -> &'static str {
        "expands"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["finder.candidate"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if subject.input().contains('@') {
            return;
        }
        let names: Vec<&str> = subject.input().split_whitespace().collect();
        let of = u16::try_from(names.len()).unwrap();
        let candidate = |(rank, name): (u16, &&str)| Candidate {
            address: Address::new(name, "example.com"),
            guess: Guess { format: (*name).into(), rank, of, chance: 0.5 },
        };
        outcome.expand((1..).zip(&names).map(candidate).collect());
    }
}

/// Answers by the local part: `yes`, `no`, `all`, `full`, `wait`, `mute`.
struct Asks;

impl Check for Asks {
    fn name(&self) -> &'static str {
        "asks"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["smtp.reply", "smtp.catch_all", "smtp.failed"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let local = subject.address().map(|address| address.local().to_owned()).unwrap_or_default();
        let word = local.trim_end_matches(|c: char| c.is_ascii_digit());
        let class = match word {
            "yes" | "all" => ReplyClass::Accepted,
            "no" => ReplyClass::NoSuchMailbox,
            "full" => ReplyClass::Full,
            "wait" => ReplyClass::Greylisted,
            "turn" => return outcome.found(Finding::ProbeFailed(ProbeFailure::NotItsTurn)),
            "mute" => return outcome.found(Finding::ProbeFailed(ProbeFailure::Timeout)),
            "poison" => panic!("as scripted"),
            _ => return,
        };
        outcome.found(Finding::Reply(Box::new(reading(class))));
        let source = CatchAllSource::Session;
        match word {
            "yes" => outcome.found(Finding::CatchAll(CatchAll::No { source })),
            "all" => outcome.found(Finding::CatchAll(CatchAll::Yes { source })),
            "wait" => outcome.defer(Deferral { wait: Duration::from_mins(5), egress: EgressId(3) }),
            _ => {}
        }
    }
}

fn reading(class: ReplyClass) -> Reading {
    Reading {
        class,
        strength: Strength::Code,
        rule: Cow::Borrowed("test"),
        stage: DialogueStage::Rcpt,
        code: 550,
        enhanced: None,
        text: "".into(),
        host: "mx.example.com".into(),
        agreed: false,
    }
}

fn pipeline() -> Pipeline {
    let slots = vec![Slot::new(Arc::new(Pure(Expands))), Slot::new(Arc::new(Pure(Asks)))];
    Pipeline::new("find", slots).unwrap()
}

async fn run(inputs: &[&str]) -> Vec<Subject> {
    let mut batch = Batch::new(inputs.iter().map(|input| Subject::new(*input)).collect());
    pipeline().run(&Context::within(Duration::from_secs(10)), &mut batch).await;
    batch.into_subjects()
}

async fn judged(person: &str) -> (MailboxState, Option<String>) {
    let subject = run(&[person]).await.pop().unwrap();
    let verdict = Verdict::of(subject, Policy::default().of_mailbox());
    (verdict.judgement.mailbox, verdict.address.map(|address| address.local().to_owned()))
}

#[tokio::test]
async fn the_candidate_that_says_most_speaks_for_the_person() {
    use MailboxState::{Accepted, CatchAll, Full, NotFound, Unanswered};
    for (person, state, speaker) in [
        ("no1 yes2 no3", Accepted, "yes2"),
        ("yes1 yes2", Accepted, "yes1"),
        ("mute1 no2 yes3", Accepted, "yes3"),
        ("all1 none2", CatchAll, "all1"),
        ("no1 full2 mute3", Unanswered, "mute3"),
        ("no1 full2 no3", Full, "full2"),
        ("mute1 turn2 no3", Unanswered, "turn2"),
        ("no1 mute2 wait3", Unanswered, "mute2"),
        ("no1 no2 no3", NotFound, "no1"),
        ("no1 poison2", Unanswered, "poison2"),
    ] {
        assert_eq!(judged(person).await, (state, Some(speaker.into())), "{person}");
    }
}

#[tokio::test]
async fn a_person_is_one_subject_with_what_was_found_of_the_speaker() {
    let subjects = run(&["a@example.com", "no1 yes2", "no3 no4"]).await;
    assert_eq!(
        subjects.iter().map(Subject::input).collect::<Vec<_>>(),
        ["a@example.com", "no1 yes2", "no3 no4"]
    );
    let keys: Vec<&str> = subjects[1].findings().map(Finding::key).collect();
    assert_eq!(keys, ["finder.candidate", "smtp.reply", "smtp.catch_all"]);
    let guess = subjects[1].findings().find_map(|finding| match finding {
        Finding::Candidate(guess) => Some((guess.rank, guess.of)),
        _ => None,
    });
    assert_eq!(guess, Some((2, 2)));
    let tried: Vec<&str> = subjects[2].candidates().iter().map(Subject::input).collect();
    assert_eq!(tried, ["no3@example.com", "no4@example.com"]);
    assert!(subjects[0].candidates().is_empty());
}

#[tokio::test]
async fn whoever_was_put_off_puts_the_person_off_unless_another_is_found() {
    let subjects = run(&["wait1 no2", "wait1 yes2", "full1 wait2"]).await;
    assert_eq!(subjects[0].deferral().map(|deferral| deferral.egress), Some(EgressId(3)));
    assert_eq!((subjects[1].deferral(), subjects[2].deferral()), (None, subjects[0].deferral()));
    // Candidates come back as whom the server knows.
    let mut batch = Batch::new(vec![subjects[0].again()]);
    pipeline().run(&Context::within(Duration::from_secs(10)), &mut batch).await;
    let again = batch.into_subjects().pop().unwrap();
    let earlier = again.candidates()[0].earlier().map(|earlier| earlier.egress);
    assert_eq!(earlier, Some(EgressId(3)));
}

#[tokio::test]
async fn without_candidates_a_person_goes_no_further() {
    let subject = run(&[" "]).await.pop().unwrap();
    assert_eq!((subject.stopped_by(), subject.findings().count()), (Some(0), 0));
    let verdict = Verdict::of(subject, Policy::default().of_mailbox());
    assert_eq!(verdict.judgement.category, Category::Unknown);
}

/// Settles its subjects one by one, with what [`Asks`] says of them.
struct OneByOne;

impl mailsonde_engine::Stage for OneByOne {
    fn name(&self) -> &'static str {
        "asks"
    }

    fn facts(&self) -> Facts {
        Asks.facts()
    }

    fn run<'a>(
        &'a self,
        _: &'a Context,
        batch: &'a mut Batch,
    ) -> mailsonde_engine::BoxFuture<'a, Result<(), mailsonde_engine::StageError>> {
        Box::pin(async move {
            let ids: Vec<_> = batch.open().map(|(id, _)| id).collect();
            for id in ids {
                let mut outcome = Outcome::default();
                Asks.check(batch.subject(id), &mut outcome);
                batch.settle(id, outcome);
            }
            Ok(())
        })
    }
}

#[tokio::test]
async fn who_watches_hears_of_a_person_once_when_the_last_candidate_is_known() {
    let slots = vec![Slot::new(Arc::new(Pure(Expands))), Slot::new(Arc::new(OneByOne))];
    let pipeline = Pipeline::new("find", slots).unwrap();
    let (watcher, mut heard) = mpsc::unbounded_channel();
    let subjects = ["no1 yes2", "a@example.com", "no3 no4"].map(Subject::new);
    let mut batch = Batch::new(subjects.into()).watched(watcher);
    pipeline.run(&Context::within(Duration::from_secs(10)), &mut batch).await;
    drop(batch);
    let mut told = Vec::new();
    while let Some((id, subject)) = heard.recv().await {
        told.push((id.index(), subject.address().map(|address| address.local().to_owned())));
    }
    assert_eq!(told, [(1, None), (0, Some("yes2".into())), (2, Some("no3".into()))]);
}

#[tokio::test]
async fn a_fault_of_the_stage_strikes_each_person_that_it_left_open() {
    struct Fails;
    impl mailsonde_engine::Stage for Fails {
        fn name(&self) -> &'static str {
            "fails"
        }

        fn facts(&self) -> Facts {
            Facts::new(&[], &["smtp.reply"])
        }

        fn run<'a>(
            &'a self,
            _: &'a Context,
            _: &'a mut Batch,
        ) -> mailsonde_engine::BoxFuture<'a, Result<(), mailsonde_engine::StageError>> {
            Box::pin(async { Err(mailsonde_engine::StageError { message: "broken".into() }) })
        }
    }
    let slots = vec![Slot::new(Arc::new(Pure(Expands))), Slot::new(Arc::new(Fails))];
    let pipeline = Pipeline::new("find", slots).unwrap();
    let mut batch = Batch::new(vec![Subject::new("a b")]);
    pipeline.run(&Context::within(Duration::from_secs(10)), &mut batch).await;
    let subject = batch.into_subjects().pop().unwrap();
    let fault = subject.findings().find_map(|finding| match finding {
        Finding::Fault(fault) => Some(fault.cause),
        _ => None,
    });
    assert_eq!(fault, Some(FaultCause::Error));
}
