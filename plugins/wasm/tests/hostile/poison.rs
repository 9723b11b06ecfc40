//! One address that a guest cannot bear costs that address. A guest that bears nobody is parked, and comes back.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::Context;
use mailsonde_wasm::{PluginStats, WasmStage};

use crate::{
    guest::Guest,
    pipeline::{AMPLE, At, SEEN, load, load_with, pipeline, run_in, run_now},
};

const TRAPPED: &str = "it trapped: wasm trap: wasm `unreachable` instruction executed";

fn poisoned() -> Guest {
    Guest::named("poisoned").when_struck("unreachable")
}

/// A hundred addresses, of which these are struck.
fn hundred(struck: &[usize]) -> Vec<String> {
    let letter = |number| if struck.contains(&number) { 'x' } else { 'j' };
    (0..100).map(|number| format!("{}{number}@example.com", letter(number))).collect()
}

fn expect(said: &[String], struck: &[usize]) {
    for (number, said) in said.iter().enumerate() {
        assert_eq!(said, if struck.contains(&number) { TRAPPED } else { SEEN }, "{number}");
    }
}

#[test]
fn one_of_a_hundred_costs_itself() {
    let stage = load(&poisoned());
    for struck in [0, 1, 42, 99] {
        expect(&run_now(&stage, &hundred(&[struck])), &[struck]);
    }
    let PluginStats { settled, left_open, failed_calls, .. } = stage.stats();
    assert_eq!((settled, left_open), (4 * 99, 4));
    // Eight halve a hundred down to one.
    assert!(failed_calls <= 4 * 8, "{failed_calls}");
}

#[test]
fn several_of_a_hundred_cost_themselves() {
    let stage = load(&poisoned());
    for struck in [&[3, 4][..], &[0, 50, 99], &[10, 20, 30, 40, 50, 60, 70], &[7, 8, 9, 10, 11, 12, 13, 14]] {
        expect(&run_now(&stage, &hundred(struck)), struck);
    }
}

#[test]
fn smaller_calls_change_nothing() {
    let stage = load(&poisoned().batch_hint(7));
    expect(&run_now(&stage, &hundred(&[0, 42, 98])), &[0, 42, 98]);
    assert!(stage.stats().calls >= 15);
}

#[test]
fn a_trap_leaves_nothing_behind() {
    // Its counter is the memory's: after a trap there is none but a new one.
    let guest = Guest::named("counting")
        .item("(global $calls (mut f64) (f64.const 0))")
        .when_any_struck("unreachable");
    let stage = load_with(&guest, |config| config.instance = mailsonde_wasm::InstanceKind::Warm);
    for _ in 0..3 {
        expect(&run_now(&stage, &hundred(&[5])), &[5]);
    }
}

#[test]
fn the_search_ends() {
    // Everybody is struck, so there is nobody to be found; the batch is not called a hundred times over.
    let stage = load(&poisoned());
    let all: Vec<usize> = (0..100).collect();
    expect(&run_now(&stage, &hundred(&all)), &all);
    assert_eq!(stage.stats().failed_calls, 64);
}

#[test]
fn poison_alone_parks_nobody() {
    let stage = load(&poisoned());
    for _ in 0..20 {
        assert_eq!(run_now(&stage, &["x@example.com"]), [TRAPPED]);
    }
    assert!(!stage.stats().is_parked);
    assert_eq!(run_now(&stage, &["jane@example.com"]), [SEEN]);
}

/// Bears nobody as long as the clock shows less than this.
const SICK_UNTIL: u64 = 1_000;

/// Works by the machine's clock, and so is loaded.
fn sick() -> Arc<WasmStage> {
    load(&Guest::named("sick").imports("now").check(&format!(
        "(if (f64.lt (call $now) (f64.const {SICK_UNTIL})) (then unreachable))
         (call $see (local.get $outcome))"
    )))
}

async fn run_at(stage: &Arc<WasmStage>, seconds: u64) -> String {
    let cx = Context { clock: Arc::new(At(seconds)), ..Context::within(AMPLE) };
    run_in(&pipeline(stage, AMPLE), &cx, &["jane@example.com"]).await.0.remove(0)
}

#[test]
fn who_bears_nobody_is_parked_and_comes_back() {
    let stage = sick();
    let paused =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    paused.block_on(async {
        for _ in 0..5 {
            assert_eq!(run_at(&stage, 0).await, TRAPPED);
            assert!(!stage.stats().is_parked);
        }
        assert_eq!(run_at(&stage, 0).await, format!("the plugin keeps failing and is parked: {TRAPPED}"));
        let calls = stage.stats().calls;
        let waiting = run_at(&stage, SICK_UNTIL).await;
        assert_eq!(waiting, "the plugin keeps failing and is parked for another 1 s");
        let stats = stage.stats();
        assert!(stats.is_parked && stats.calls == calls && stats.parked == 2, "{stats:?}");

        // Still sick: parked for twice as long.
        tokio::time::advance(Duration::from_secs(1)).await;
        run_at(&stage, 0).await;
        tokio::time::advance(Duration::from_millis(1_900)).await;
        assert_eq!(run_at(&stage, SICK_UNTIL).await, waiting);

        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(run_at(&stage, SICK_UNTIL).await, SEEN);
        assert!(!stage.stats().is_parked);
    });
}

#[test]
fn who_hangs_is_parked_like_who_traps() {
    let stage = load_with(
        &Guest::named("hanging").imports("now").check(&format!(
            "(if (f64.lt (call $now) (f64.const {SICK_UNTIL})) (then (loop $forever (br $forever))))
             (call $see (local.get $outcome))"
        )),
        |config| config.cpu_max = AMPLE,
    );
    crate::pipeline::runtime().block_on(async {
        let cx = Context { clock: Arc::new(At(0)), ..Context::within(AMPLE) };
        let run_within = async |milliseconds| {
            let pipeline = pipeline(&stage, Duration::from_millis(milliseconds));
            let (said, _) = run_in(&pipeline, &cx, &["jane@example.com"]).await;
            assert_eq!(said, ["the deadline passed first"]);
        };
        for _ in 0..5 {
            run_within(20).await;
        }
        // It is tried now; whoever leaves at once parks nobody.
        run_within(5).await;
        assert!(!stage.stats().is_parked);
        run_within(300).await;
        assert!(stage.stats().is_parked);
    });
}

#[test]
fn who_does_not_begin_is_nobodys_fault() {
    let guest = Guest::named("sleepy").imports("now").configure(&format!(
        "(if (f64.lt (call $now) (f64.const {SICK_UNTIL})) (then unreachable))
         (call $alloc (i32.const 12) (i32.const 4))"
    ));
    let stage = load(&guest);
    crate::pipeline::runtime().block_on(async {
        let cx = Context { clock: Arc::new(At(0)), ..Context::within(AMPLE) };
        let (said, _) = run_in(&pipeline(&stage, AMPLE), &cx, &hundred(&[])).await;
        assert!(said.iter().all(|said| said == TRAPPED), "{said:?}");
        let PluginStats { calls, left_open, .. } = stage.stats();
        assert_eq!((calls, left_open), (0, 100), "nobody is looked for");
    });
}

#[test]
fn a_batch_of_nobody_is_no_failure() {
    use mailsonde_engine::{Batch, Stage};
    let stage = sick();
    crate::pipeline::runtime().block_on(async {
        let cx = Context { clock: Arc::new(At(0)), ..Context::within(AMPLE) };
        for _ in 0..10 {
            stage.run(&cx, &mut Batch::new(Vec::new())).await.unwrap();
        }
        assert!(!stage.stats().is_parked);
    });
}
