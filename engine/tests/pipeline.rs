//! A pipeline keeps what is settled, whatever happens to a stage.

#![allow(clippy::unwrap_used)] // tests, and what they share

use std::{sync::Arc, time::Duration};

use mailsonde_engine::{
    Authority, Batch, BoxFuture, Category, Check, Context, Deferral, EgressId, Facts, FaultCause, Finding,
    HistoryFact, HistorySource, OnFault, Opinion, Outcome, Pipeline, PipelineError, PluginFact, Pure,
    RoleType, Slot, Stage, StageError, Subject, Tier,
};
use tokio::{sync::watch, time::sleep};

/// What a scripted stage does after it has settled the subjects whose input begins with `quick`.
#[derive(Clone, Copy)]
enum End {
    Returns,
    Errs,
    Panics,
    Hangs,
}

/// Settles the quick subjects with a role finding, then ends as told.
struct Scripted(&'static str, End);

impl Stage for Scripted {
    fn name(&self) -> &str {
        self.0
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["role.type"])
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let quick: Vec<_> =
                batch.open().filter(|(_, s)| s.input().starts_with("quick")).map(|(id, _)| id).collect();
            for id in quick {
                sleep(Duration::from_millis(1)).await;
                batch.settle(id, Outcome::of([Finding::Role(RoleType::Info)]));
            }
            match self.1 {
                End::Returns => Ok(()),
                End::Errs => Err(StageError { message: "the cable is out".into() }),
                End::Panics => panic!("as scripted"),
                End::Hangs => std::future::pending().await,
            }
        })
    }
}

/// Marks every subject it sees; panics at `poison`.
struct Mark(&'static str);

impl Check for Mark {
    fn name(&self) -> &str {
        self.0
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["disposable.tier"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        assert_ne!(subject.input(), "poison", "as scripted");
        outcome.found(Finding::Disposable(Tier::Curated));
    }
}

/// Remembers that the mailbox refused us as many days ago as the input says.
struct Memory;

impl Check for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["history"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let age_days = subject.input().parse().unwrap();
        outcome.found(Finding::History(HistoryFact::HardBounce { age_days, source: HistorySource::Probe }));
    }
}

fn scripted(end: End) -> Slot {
    Slot::new(Arc::new(Scripted("scripted", end)))
}

fn mark(name: &'static str) -> Slot {
    Slot::new(Arc::new(Pure(Mark(name))))
}

fn batch(inputs: &[&str]) -> Batch {
    Batch::new(inputs.iter().map(|input| Subject::new(*input)).collect())
}

/// Runs the slots and tells, for each subject, the keys of its findings.
async fn keys(slots: Vec<Slot>, inputs: &[&str]) -> Vec<Vec<String>> {
    let pipeline = Pipeline::new("test", slots).unwrap();
    let mut batch = batch(inputs);
    pipeline.run(&Context::within(Duration::from_mins(1)), &mut batch).await;
    let keys = |subject: &Subject| subject.findings().map(|finding| finding.key().to_owned()).collect();
    batch.subjects().iter().map(keys).collect()
}

fn cause(batch: &Batch, at: usize) -> Option<FaultCause> {
    batch.subjects()[at].findings().find_map(|finding| match finding {
        Finding::Fault(fault) => Some(fault.cause),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_costs_only_the_unsettled() {
    for (end, expected) in [
        (End::Returns, FaultCause::Unsettled),
        (End::Errs, FaultCause::Error),
        (End::Panics, FaultCause::Panic),
        (End::Hangs, FaultCause::Deadline),
    ] {
        let slot = scripted(end).deadline(Some(Duration::from_secs(5)));
        let pipeline = Pipeline::new("test", vec![slot, mark("mark")]).unwrap();
        let mut batch = batch(&["quick 1", "slow", "quick 2"]);
        let reports = pipeline.run(&Context::within(Duration::from_mins(1)), &mut batch).await;

        assert_eq!([0, 1, 2].map(|at| cause(&batch, at)), [None, Some(expected), None]);
        assert_eq!((reports[0].entered, reports[0].faults, reports[0].cause), (3, 1, Some(expected)));
        // The next slot took all three.
        assert_eq!((reports[1].entered, reports[1].faults), (3, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_requests_deadline_and_the_slots_are_told_apart() {
    let pipeline =
        Pipeline::new("test", vec![scripted(End::Hangs).deadline(Some(Duration::from_secs(9)))]).unwrap();
    let mut batch = batch(&["slow"]);
    pipeline.run(&Context::within(Duration::from_secs(3)), &mut batch).await;
    assert_eq!(cause(&batch, 0), Some(FaultCause::RequestDeadline));
}

#[tokio::test(start_paused = true)]
async fn who_cancels_is_served_at_once() {
    let (cancel, canceled) = watch::channel(false);
    let cx = Context { canceled: Some(canceled), ..Context::within(Duration::from_mins(1)) };
    let pipeline = Pipeline::new("test", vec![scripted(End::Hangs)]).unwrap();
    let mut batch = batch(&["quick", "slow"]);
    let began = tokio::time::Instant::now();
    let (_, ()) = tokio::join!(pipeline.run(&cx, &mut batch), async {
        sleep(Duration::from_secs(1)).await;
        cancel.send(true).unwrap();
    });
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!([cause(&batch, 0), cause(&batch, 1)], [None, Some(FaultCause::Canceled)]);
}

#[tokio::test(start_paused = true)]
async fn on_fault_stop_ends_the_way_of_those_it_struck() {
    let slot = scripted(End::Errs).on_fault(OnFault::Stop);
    let found = keys(vec![slot, mark("mark")], &["quick", "slow"]).await;
    assert_eq!(found, [vec!["role.type", "disposable.tier"], vec!["fault"]]);
}

#[tokio::test]
async fn a_poison_subject_loses_one_check_alone() {
    let found = keys(vec![mark("one")], &["fine", "poison", "fine"]).await;
    assert_eq!(found, [["disposable.tier"], ["fault"], ["disposable.tier"]]);
}

#[tokio::test(start_paused = true)]
async fn stop_on_keeps_answered_subjects_out_of_a_slot_and_all_later_ones() {
    let second = scripted(End::Returns).stop_on(["disposable"]);
    let found = keys(vec![mark("one"), second, mark("two")], &["quick"]).await;
    assert_eq!(found, [["disposable.tier"]]);
}

/// A plugin's stage that has an opinion on subjects whose input begins with its name.
struct Plugin(&'static str, Authority);

impl Check for Plugin {
    fn name(&self) -> &str {
        self.0
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["opinion", "plugin.seen"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        outcome.found(Finding::Plugin(PluginFact { key: "plugin.seen".into(), value: true.into() }));
        if subject.input().starts_with(self.0) {
            let category = Category::HighRisk;
            outcome.found(Finding::Opinion(Opinion {
                category,
                reason: "as_told".into(),
                score: 0.9,
                authority: self.1,
            }));
        }
    }
}

#[tokio::test]
async fn a_memory_keeps_a_subject_out_for_as_long_as_it_is_trusted() {
    let slots = |asking: Slot| vec![Slot::new(Arc::new(Pure(Memory))), asking.stop_on(["remembered"])];
    let remembered = vec!["history".to_owned()];
    let asked = vec!["history".to_owned(), "disposable.tier".to_owned()];
    let week = keys(slots(mark("mark")), &["0", "6", "7"]).await;
    assert_eq!(week, [remembered.clone(), remembered.clone(), asked.clone()]);
    let day = keys(slots(mark("mark").history_trust_days(1)), &["0", "6", "7"]).await;
    assert_eq!(day, [remembered, asked.clone(), asked]);
}

#[tokio::test]
async fn stop_on_names_a_stage_whose_opinions_stop_whatever_their_authority() {
    for authority in [Authority::Advise, Authority::Decide] {
        let plugin = |name| Slot::new(Arc::new(Pure(Plugin(name, authority))));
        let slots = vec![plugin("one"), plugin("two"), mark("mark").stop_on(["disposable", "one"])];
        let found = keys(slots, &["one of them", "two of them", "nobody"]).await;
        let seen = "plugin.seen";
        assert_eq!(found[0], [seen, "opinion", seen]);
        assert_eq!(found[1], [seen, seen, "opinion", "disposable.tier"]);
        assert_eq!(found[2], [seen, seen, "disposable.tier"]);
    }
}

#[tokio::test]
async fn the_first_word_on_a_subject_counts() {
    struct Twice;
    impl Stage for Twice {
        fn name(&self) -> &'static str {
            "twice"
        }
        fn facts(&self) -> Facts {
            Facts::new(&[], &["free_provider", "typo.trap"])
        }
        fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
            let ids: Vec<_> = batch.open().map(|(id, _)| id).collect();
            for id in ids {
                batch.settle(id, Outcome::of([Finding::FreeProvider]));
                batch.settle(id, Outcome::of([Finding::TypoTrap]));
            }
            Box::pin(std::future::ready(Ok(())))
        }
    }
    assert_eq!(keys(vec![Slot::new(Arc::new(Twice))], &["a"]).await, [["free_provider"]]);
}

#[tokio::test]
async fn the_longest_wait_serves_all_who_defer() {
    struct Later(&'static str, u64);
    impl Check for Later {
        fn name(&self) -> &str {
            self.0
        }
        fn check(&self, _: &Subject, outcome: &mut Outcome) {
            outcome.defer(Deferral { wait: Duration::from_secs(self.1), egress: EgressId(2) });
        }
    }
    let slots =
        [("a", 60), ("b", 300), ("c", 30)].map(|(name, wait)| Slot::new(Arc::new(Pure(Later(name, wait)))));
    let pipeline = Pipeline::new("test", slots.to_vec()).unwrap();
    let mut batch = batch(&["someone"]);
    pipeline.run(&Context::within(Duration::from_secs(1)), &mut batch).await;
    let deferral = Deferral { wait: Duration::from_mins(5), egress: EgressId(2) };
    assert_eq!(batch.subjects()[0].deferral(), Some(deferral));
}

#[test]
fn an_order_that_cannot_work_is_refused() {
    struct Reader;
    impl Check for Reader {
        fn name(&self) -> &'static str {
            "reader"
        }
        fn facts(&self) -> Facts {
            Facts::new(&["role.type"], &[])
        }
        fn check(&self, _: &Subject, _: &mut Outcome) {}
    }
    let reader = || Slot::new(Arc::new(Pure(Reader)));
    assert!(Pipeline::new("test", vec![scripted(End::Returns), reader()]).is_ok());
    let missing = PipelineError::MissingFact { stage: "reader".into(), fact: "role.type".into() };
    assert_eq!(Pipeline::new("test", vec![reader(), scripted(End::Returns)]).err(), Some(missing));
    let twice = PipelineError::Twice { stage: "mark".into() };
    assert_eq!(Pipeline::new("test", vec![mark("mark"), mark("mark")]).err(), Some(twice));
}

#[tokio::test]
async fn what_is_switched_off_does_not_run() {
    let pipeline = Pipeline::new("test", vec![mark("one"), mark("two")]).unwrap().without(&["one"]);
    let mut batch = batch(&["a"]);
    let reports = pipeline.run(&Context::within(Duration::from_secs(1)), &mut batch).await;
    assert_eq!(reports.iter().map(|report| &*report.stage).collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn a_stage_can_run_alone() {
    let pipeline = Pipeline::new("test", vec![mark("one"), mark("two"), mark("three")]).unwrap();
    let mut batch = batch(&["a"]);
    let cx = Context::within(Duration::from_secs(1));
    let reports = pipeline.only("two").run(&cx, &mut batch).await;
    assert_eq!(reports.iter().map(|report| &*report.stage).collect::<Vec<_>>(), ["two"]);
    assert!(pipeline.only("four").run(&cx, &mut batch).await.is_empty());
}

#[test]
fn who_reads_what_is_switched_off_is_switched_off_too() {
    struct Link(&'static str, &'static [&'static str], &'static [&'static str]);
    impl Check for Link {
        fn name(&self) -> &str {
            self.0
        }
        fn facts(&self) -> Facts {
            Facts::new(self.1, self.2)
        }
        fn check(&self, _: &Subject, _: &mut Outcome) {}
    }
    let link = |name, reads, writes| Slot::new(Arc::new(Pure(Link(name, reads, writes))));
    let slots = vec![
        link("dns", &[], &["dns.route"]),
        link("other-dns", &[], &["dns.operator"]),
        link("plugin", &["dns.route"], &["plugin.seen"]),
        link("both", &["dns.operator", "plugin.seen"], &["both.seen"]),
        link("last", &["both.seen"], &[]),
        link("apart", &["dns.operator"], &[]),
    ];
    let pipeline = Pipeline::new("test", slots).unwrap();
    let bereft = |pipeline: &Pipeline| pipeline.bereft().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(pipeline.bereft().is_empty());
    assert_eq!(bereft(&pipeline.without(&["apart"])), [] as [&str; 0]);
    assert_eq!(bereft(&pipeline.without(&["dns"])), ["plugin", "both", "last"]);
    // Who is named is not among them, and what was lost before stays told.
    assert_eq!(bereft(&pipeline.without(&["both", "dns"])), ["plugin", "last"]);
    assert_eq!(bereft(&pipeline.without(&["both"]).without(&["other-dns"])), ["last", "apart"]);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_stage_that_writes_what_it_did_not_declare_is_caught_in_tests() {
    struct Liar;
    impl Check for Liar {
        fn name(&self) -> &'static str {
            "liar"
        }
        fn check(&self, _: &Subject, outcome: &mut Outcome) {
            outcome.found(Finding::TypoTrap);
        }
    }
    assert_eq!(keys(vec![Slot::new(Arc::new(Pure(Liar)))], &["a"]).await, [["fault"]]);
}
