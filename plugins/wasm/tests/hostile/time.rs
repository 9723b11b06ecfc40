//! Guests that take their time: stopped at their limit, and nobody waits for them longer than his own time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use mailsonde_engine::{BoxFuture, Context, Lookup, RecordKind, Resolver};
use mailsonde_wasm::{Grant, Host};
use tokio::sync::{Notify, watch};

use crate::{
    guest::Guest,
    pipeline::{
        AMPLE, Folder, SEEN, load, load_with, pipeline, refusal, run, run_in, run_now, runtime, struck,
        struck_in,
    },
};

const FOREVER: &str = "(loop $forever (br $forever))";

/// What a slot may take longer than it should. Two ticks are promised; the rest is the machine's, which others share.
const NOISE: Duration = Duration::from_millis(500);

fn endless() -> Guest {
    Guest::named("endless").when_struck(FOREVER)
}

#[test]
fn an_endless_loop_ends_at_its_limit() {
    assert_eq!(struck(&endless()), "it computed for more than 50ms");
}

#[test]
fn the_limit_is_the_operators() {
    let stage = load_with(&endless(), |config| config.cpu_max = Duration::from_millis(7));
    assert_eq!(struck_in(&stage), "it computed for more than 7ms");
}

/// Each of these takes the ten seconds that beginning may take, so they wait side by side. On a machine that has little
/// time for them, the thirty seconds that loading may take are over first.
#[test]
fn who_does_not_get_ready_is_refused() {
    let forever = format!("{FOREVER} unreachable");
    let guests = [
        ("describe", Guest::named("endless").describe(&forever)),
        ("configure", Guest::named("endless").configure(&forever)),
        ("start", Guest::named("endless").item(&format!("(func $start {FOREVER}) (start $start)"))),
    ];
    let loading = guests.map(|(call, guest)| (call, std::thread::spawn(move || refusal(guest.wat()))));
    for (call, loading) in loading {
        let refusal = loading.join().unwrap();
        let limits = ["it computed for more than 10s", "it did not end within 30s"];
        assert!(limits.iter().any(|limit| refusal == format!("`{call}` failed: {limit}")), "{refusal}");
    }
}

#[test]
fn a_sample_that_takes_too_long_is_refused() {
    let guest = Guest::named("endless").check(FOREVER);
    assert_eq!(refusal(guest.wat()), "`check-many` failed: it computed for more than 50ms");
}

#[test]
fn a_slot_ends_at_its_deadline_whatever_the_guest_may() {
    let stage = load_with(&endless(), |config| config.cpu_max = AMPLE);
    let limit = Duration::from_millis(200);
    let (said, report) = runtime().block_on(async {
        let inputs = ["jane@example.com", "x@example.com"];
        run_in(&pipeline(&stage, limit), &Context::within(AMPLE), &inputs).await
    });
    // The call in which both were has not ended.
    assert_eq!(said, ["the deadline passed first"; 2]);
    assert!(report.elapsed >= limit && report.elapsed < limit + NOISE, "{:?}", report.elapsed);
    let stats = stage.stats();
    assert_eq!((stats.settled, stats.left_open), (0, 2));
}

#[test]
fn others_on_the_same_thread_get_their_turn() {
    let stage = load_with(&endless(), |config| config.cpu_max = AMPLE);
    let limit = Duration::from_millis(400);
    let longest_wait = runtime().block_on(async {
        let is_done = Arc::new(AtomicBool::new(false));
        let until = is_done.clone();
        let other = tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !until.load(Relaxed) {
                let before = Instant::now();
                tokio::task::yield_now().await;
                longest = longest.max(before.elapsed());
            }
            longest
        });
        run_in(&pipeline(&stage, limit), &Context::within(AMPLE), &["x@example.com"]).await;
        is_done.store(true, Relaxed);
        other.await.unwrap()
    });
    assert!(longest_wait < limit / 2, "somebody waited for {longest_wait:?}");
}

#[test]
fn work_that_the_guest_asks_of_the_machine_in_one_go_is_bounded_by_its_memory() {
    // Filling memory is one instruction, in which no guest can be stopped.
    let stage = load_with(
        &Guest::named("filler").when_struck(
            "(drop (memory.grow (i32.const 1000)))
             (loop $forever
               (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x3e00000))
               (br $forever))",
        ),
        |config| config.cpu_max = AMPLE,
    );
    let limit = Duration::from_millis(200);
    let (_, report) = runtime().block_on(async {
        run_in(&pipeline(&stage, limit), &Context::within(AMPLE), &["x@example.com"]).await
    });
    assert!(report.elapsed < limit + NOISE, "{:?}", report.elapsed);
}

#[test]
fn a_batch_in_which_everybody_is_struck_costs_no_more_than_the_slot_has() {
    let stage = load(&endless());
    let inputs: Vec<_> = (0..250).map(|number| format!("x{number}@example.com")).collect();
    let limit = Duration::from_millis(300);
    let (said, report) = runtime()
        .block_on(async { run_in(&pipeline(&stage, limit), &Context::within(AMPLE), &inputs).await });
    assert!(said.iter().all(|said| said == "the deadline passed first"));
    assert!(report.elapsed < limit + NOISE, "{:?}", report.elapsed);
}

/// Asks about `example.com` (TXT) when it is struck.
pub(crate) fn asking() -> Guest {
    Guest::named("asking").imports("lookup-many").text("name", "example.com").when_struck(
        "(i32.store (i32.const 16) (global.get $name))
         (i32.store (i32.const 20) (global.get $name_len))
         (i32.store8 (i32.const 24) (i32.const 3))
         (call $lookup-many (i32.const 16) (i32.const 1) (i32.const 64))
         (call $see (local.get $outcome))",
    )
}

/// Answers when it may, and says that it was asked.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) asked: Notify,
    pub(crate) open: Notify,
}

impl Resolver for Gate {
    fn lookup<'a>(&'a self, _: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async {
            self.asked.notify_one();
            self.open.notified().await;
            Lookup::NoData
        })
    }
}

pub(crate) fn load_with_gate(guest: &Guest, gate: &Arc<Gate>) -> (Folder, Arc<mailsonde_wasm::WasmStage>) {
    let folder = Folder::new();
    let mut config = folder.write(guest.wat());
    config.grants = vec![Grant::Dns];
    let stage = Host::new(None).unwrap().load("plugin", config, gate.clone()).unwrap();
    (folder, Arc::new(stage))
}

#[test]
fn waiting_for_dns_ends_with_the_slot() {
    let gate = Arc::new(Gate::default());
    let (_folder, stage) = load_with_gate(&asking(), &gate);
    // Nobody answers. Waiting costs no processor time, so the clock may run ahead.
    let paused =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    paused.block_on(async {
        let limit = Duration::from_secs(5);
        let (said, report) =
            run_in(&pipeline(&stage, limit), &Context::within(AMPLE), &["x@example.com"]).await;
        assert_eq!(said, ["the deadline passed first"]);
        assert!(report.elapsed >= limit && report.elapsed < limit + NOISE, "{:?}", report.elapsed);
        // And its place is free again.
        assert_eq!(run(&stage, &["jane@example.com"]).await, [SEEN]);
    });
}

#[test]
fn a_caller_who_leaves_takes_the_call_along() {
    let gate = Arc::new(Gate::default());
    let (_folder, stage) = load_with_gate(&asking(), &gate);
    runtime().block_on(async {
        let (cancel, canceled) = watch::channel(false);
        let cx = Context { canceled: Some(canceled), ..Context::within(AMPLE) };
        let pipeline = pipeline(&stage, AMPLE);
        let inputs = ["x@example.com"];
        let running = run_in(&pipeline, &cx, &inputs);
        let leaving = async {
            gate.asked.notified().await;
            cancel.send(true).unwrap();
        };
        let ((said, _), ()) = tokio::join!(running, leaving);
        assert_eq!(said, ["the caller left"]);
    });
    assert_eq!(run_now(&stage, &["jane@example.com"]), [SEEN]);
}
