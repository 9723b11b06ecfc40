//! The laws, each held by all stages.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use mailsonde_engine::{Batch, Context, FaultCause, Finding, Pipeline, Pure, Slot, Stage, Subject};
use tokio::runtime::Runtime;

use crate::{
    stages::STAGES,
    world::{ADDRESSES, Before, odd_inputs},
};

const AMPLE: Duration = Duration::from_mins(5);

/// Builds every stage, and holds it to a law.
fn hold(law: &impl AsyncFn(&Arc<dyn Stage>)) {
    for candidate in STAGES {
        let stage = (candidate.build)();
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime().block_on(law(&stage));
        }));
        assert!(held.is_ok(), "stage `{}` breaks this law", candidate.name);
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn pipeline(stage: &Arc<dyn Stage>) -> Pipeline {
    let slots = vec![Slot::new(Arc::new(Pure(Before))), Slot::new(stage.clone())];
    Pipeline::new("test", slots).unwrap()
}

fn batch(inputs: &[impl AsRef<str>]) -> Batch {
    Batch::new(inputs.iter().map(|input| Subject::new(input.as_ref())).collect())
}

/// What the stage found of each subject.
fn found(stage: &Arc<dyn Stage>, batch: &Batch) -> Vec<Vec<Finding>> {
    let by_stage = |subject: &Subject| {
        let of_it = subject.recorded().iter().filter(|recorded| *recorded.stage == *stage.name());
        of_it.map(|recorded| recorded.finding.clone()).collect()
    };
    batch.subjects().iter().map(by_stage).collect()
}

async fn run(stage: &Arc<dyn Stage>, inputs: &[impl AsRef<str>]) -> Vec<Vec<Finding>> {
    let mut batch = batch(inputs);
    pipeline(stage).run(&Context::within(AMPLE), &mut batch).await;
    found(stage, &batch)
}

fn fault(findings: &[Finding]) -> Option<FaultCause> {
    findings.iter().find_map(|finding| match finding {
        Finding::Fault(fault) => Some(fault.cause),
        _ => None,
    })
}

#[test]
fn every_stage_of_the_product_is_held_to_the_laws() {
    for kind in mailsonde::STAGES {
        assert!(STAGES.iter().any(|candidate| candidate.name == kind.name), "`{}` is not listed", kind.name);
    }
}

#[test]
fn its_name_is_its_own_and_stays() {
    for candidate in STAGES {
        assert_eq!((candidate.build)().name(), candidate.name);
    }
    hold(&async |stage| {
        let (name, facts) = (stage.name().to_owned(), format!("{:?}", stage.facts()));
        run(stage, ADDRESSES).await;
        assert_eq!((stage.name(), format!("{:?}", stage.facts())), (&*name, facts));
    });
}

#[test]
fn it_settles_everybody() {
    hold(&async |stage| {
        for findings in run(stage, ADDRESSES).await {
            assert_eq!(fault(&findings), None);
        }
    });
}

#[test]
fn it_says_something_of_somebody() {
    hold(&async |stage| {
        let inputs: Vec<_> =
            odd_inputs().into_iter().chain(ADDRESSES.iter().map(ToString::to_string)).collect();
        assert!(run(stage, &inputs).await.iter().any(|findings| !findings.is_empty()));
    });
}

#[test]
fn it_finds_what_it_declares() {
    hold(&async |stage| {
        let writes = stage.facts().writes;
        for finding in run(stage, ADDRESSES).await.iter().flatten() {
            assert!(writes.iter().any(|key| key == finding.key()), "`{}`", finding.key());
        }
    });
}

#[test]
fn a_batch_is_its_subjects_one_by_one() {
    hold(&async |stage| {
        let together = run(stage, ADDRESSES).await;
        for (address, expected) in ADDRESSES.iter().zip(together) {
            assert_eq!(run(stage, &[address]).await, [expected]);
        }
    });
}

#[test]
fn the_order_of_subjects_does_not_matter() {
    hold(&async |stage| {
        let expected = run(stage, ADDRESSES).await;
        let reversed: Vec<_> = ADDRESSES.iter().rev().collect();
        let mut found = run(stage, &reversed).await;
        found.reverse();
        assert_eq!(found, expected);
    });
}

#[test]
fn an_address_that_stands_twice_is_settled_twice() {
    hold(&async |stage| {
        let twice: Vec<_> = ADDRESSES.iter().chain(ADDRESSES).collect();
        let found = run(stage, &twice).await;
        assert_eq!(found[..ADDRESSES.len()], found[ADDRESSES.len()..]);
    });
}

#[test]
fn an_empty_batch_is_nothing_to_do() {
    hold(&async |stage| {
        let mut nobody = Batch::new(Vec::new());
        assert!(stage.run(&Context::within(AMPLE), &mut nobody).await.is_ok());
        assert!(run(stage, &[""; 0]).await.is_empty());
    });
}

#[test]
fn odd_inputs_are_borne() {
    hold(&async |stage| {
        let odd = odd_inputs();
        let together = run(stage, &odd).await;
        for (input, expected) in odd.iter().zip(together) {
            assert_eq!(fault(&expected), None, "{input:.40?}");
            assert_eq!(run(stage, &[input]).await, [expected], "{input:.40?}");
        }
    });
}

/// Stages see inputs that no earlier stage has parsed, and need not like it.
#[test]
fn inputs_that_nobody_parsed_are_borne() {
    hold(&async |stage| {
        if !stage.facts().reads.is_empty() {
            return;
        }
        let alone = Pipeline::new("test", vec![Slot::new(stage.clone())]).unwrap();
        let mut batch = batch(&odd_inputs());
        alone.run(&Context::within(AMPLE), &mut batch).await;
        assert!(found(stage, &batch).iter().all(|findings| fault(findings).is_none()));
    });
}

#[test]
fn who_is_dropped_keeps_what_is_settled_and_works_again() {
    hold(&async |stage| {
        let expected = run(stage, ADDRESSES).await;
        let pipeline = pipeline(stage);
        for polls in 0..12 {
            let (cx, mut batch) = (Context::within(AMPLE), batch(ADDRESSES));
            let mut running = pipeline.run(&cx, &mut batch).boxed_local();
            for _ in 0..polls {
                if (&mut running).now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(running);
            for (found, expected) in found(stage, &batch).iter().zip(&expected) {
                assert!(found.is_empty() || found == expected, "{found:?} is half of {expected:?}");
            }
        }
        assert_eq!(run(stage, ADDRESSES).await, expected);
    });
}

#[test]
fn who_is_out_of_time_keeps_what_is_settled_and_works_again() {
    hold(&async |stage| {
        let expected = run(stage, ADDRESSES).await;
        let mut batch = batch(ADDRESSES);
        pipeline(stage).run(&Context::within(Duration::ZERO), &mut batch).await;
        for (found, expected) in found(stage, &batch).iter().zip(&expected) {
            assert!(found == expected || fault(found) == Some(FaultCause::RequestDeadline), "{found:?}");
        }
        assert_eq!(run(stage, ADDRESSES).await, expected);
    });
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    for candidate in STAGES {
        let stage = (candidate.build)();
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        threads.block_on(async {
            let expected = run(&stage, ADDRESSES).await;
            let running: Vec<_> = (0..8)
                .map(|begin| {
                    let stage = stage.clone();
                    tokio::spawn(async move { run(&stage, &ADDRESSES[begin..]).await })
                })
                .collect();
            for (begin, running) in running.into_iter().enumerate() {
                assert_eq!(running.await.unwrap(), expected[begin..], "stage `{}`", candidate.name);
            }
        });
    }
}
