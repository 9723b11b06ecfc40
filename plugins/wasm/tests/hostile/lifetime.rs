//! How long instances live, whom they serve, and how many there are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use mailsonde_engine::{BoxFuture, Context, Lookup, RecordKind, Resolver};
use mailsonde_wasm::{Grant, Host, InstanceKind, PluginError, WasmStage};

use crate::{
    guest::Guest,
    pipeline::{AMPLE, Folder, SEEN, load_with, pipeline, run, run_in, run_now, runtime, try_load},
    time::{Gate, asking},
};

/// Says how many addresses its memory has seen, up to nine.
fn counting() -> Guest {
    Guest::named("counter").writes("counter.seen").text("key", "counter.seen").check(
        // Each figure in memory of its own: all of a call are read when it has ended.
        "(if (call $is_struck (local.get $subject)) (then unreachable))
         (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))
         (local.set $scratch (call $alloc (i32.const 1) (i32.const 1)))
         (i32.store8 (local.get $scratch) (i32.add (i32.load8_u (i32.const 16)) (i32.const 0x30)))
         (call $fact (local.get $outcome)
           (global.get $key) (global.get $key_len) (local.get $scratch) (i32.const 1))",
    )
}

/// What the counter says to this client.
async fn count(stage: &Arc<WasmStage>, client: Option<&str>) -> String {
    let cx = Context { client: client.map(Into::into), ..Context::within(AMPLE) };
    run_in(&pipeline(stage, AMPLE), &cx, &["jane@example.com"]).await.0.remove(0)
}

#[test]
fn a_fresh_instance_remembers_nothing() {
    let stage = load_with(&counting(), |_| {});
    runtime().block_on(async {
        for client in [None, Some("one"), Some("other"), Some("one"), None] {
            assert_eq!(count(&stage, client).await, "counter.seen=1");
        }
    });
    assert_eq!(stage.stats().warm, 0);
}

#[test]
fn a_batch_has_one_instance() {
    let stage = load_with(&counting().batch_hint(1), |_| {});
    let said = run_now(&stage, &["a@example.com", "b@example.com", "c@example.com"]);
    assert_eq!(said, ["counter.seen=1", "counter.seen=2", "counter.seen=3"]);
}

#[test]
fn a_warm_instance_serves_one_client() {
    let stage = load_with(&counting(), |config| config.instance = InstanceKind::Warm);
    runtime().block_on(async {
        for (client, seen) in [
            (Some("one"), 1),
            (Some("one"), 2),
            (Some("other"), 1),
            (None, 1),
            (Some("one"), 3),
            (None, 2),
            (Some("other"), 2),
        ] {
            assert_eq!(count(&stage, client).await, format!("counter.seen={seen}"), "{client:?}");
        }
    });
    assert_eq!(stage.stats().warm, 3);
}

#[test]
fn a_warm_instance_that_trapped_is_gone() {
    let stage = load_with(&counting(), |config| config.instance = InstanceKind::Warm);
    assert_eq!(run_now(&stage, &["jane@example.com"]), ["counter.seen=1"]);
    run_now(&stage, &["x@example.com"]);
    assert_eq!(stage.stats().warm, 0);
    assert_eq!(run_now(&stage, &["jane@example.com"]), ["counter.seen=1"]);
}

#[test]
fn so_many_warm_instances_wait_and_no_more() {
    let stage = load_with(&counting(), |config| {
        config.instance = InstanceKind::Warm;
        config.instances_max = 2;
    });
    runtime().block_on(async {
        for client in ["one", "two", "three", "four", "five"] {
            assert_eq!(count(&stage, Some(client)).await, "counter.seen=1");
        }
        assert_eq!(stage.stats().warm, 2);
        assert_eq!(count(&stage, Some("five")).await, "counter.seen=2");
        assert_eq!(count(&stage, Some("one")).await, "counter.seen=1");
    });
}

#[test]
fn those_that_wait_make_room_for_those_at_work() {
    let gate = Arc::new(Gate::default());
    let folder = Folder::new();
    let mut config = folder.write(asking().wat());
    (config.grants, config.instance, config.instances_max) = (vec![Grant::Dns], InstanceKind::Warm, 2);
    let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, gate.clone()).unwrap());
    runtime().block_on(async {
        for client in ["one", "two"] {
            assert_eq!(count(&stage, Some(client)).await, SEEN);
        }
        assert_eq!(stage.stats().warm, 2);
        let (at_work, cx) =
            (pipeline(&stage, AMPLE), Context { client: Some("three".into()), ..Context::within(AMPLE) });
        let meanwhile = async {
            gate.asked.notified().await;
            assert_eq!(stage.stats().warm, 1);
            gate.open.notify_one();
        };
        let ((said, _), ()) = tokio::join!(run_in(&at_work, &cx, &["x@example.com"]), meanwhile);
        assert_eq!((said[0].as_str(), stage.stats().warm), (SEEN, 2));
    });
}

#[test]
fn there_is_a_place_and_no_more_of_them_than_there_is_room() {
    let stage = load_with(&counting(), |config| config.instances_max = 0);
    assert_eq!(run_now(&stage, &["jane@example.com"]), ["counter.seen=1"]);
    let refused = try_load(counting().wat(), |config| config.instances_max = usize::MAX).err();
    assert!(matches!(refused, Some(PluginError::NoRoom { instances: usize::MAX, .. })), "{refused:?}");
}

#[test]
fn what_is_cached_is_the_clients_own() {
    // Says `seen` if the key is there, and keeps it.
    let guest = Guest::named("memory")
        .imports("get-many")
        .imports("set-many")
        .text("key", "k")
        .text("value", "v")
        .text("new", "new")
        .check(
            "(i32.store (i32.const 16) (global.get $key))
             (i32.store (i32.const 20) (global.get $key_len))
             (call $get-many (i32.const 16) (i32.const 1) (i32.const 64))
             (i32.store (i32.const 24) (global.get $value))
             (i32.store (i32.const 28) (global.get $value_len))
             (i32.store (i32.const 32) (i32.const 60))
             (drop (call $set-many (i32.const 16) (i32.const 1)))
             (if (i32.load8_u (i32.load (i32.const 64)))
               (then (call $see (local.get $outcome)))
               (else (call $opine (local.get $outcome) (i32.const 2)
                 (global.get $new) (global.get $new_len) (f64.const 0.5))))",
        );
    let stage = load_with(&guest, |config| config.grants = vec![Grant::Cache]);
    runtime().block_on(async {
        for (client, said) in [
            (Some("one"), "risky new 0.5"),
            (Some("one"), SEEN),
            (Some("other"), "risky new 0.5"),
            (None, "risky new 0.5"),
            (None, SEEN),
            (Some("one"), SEEN),
        ] {
            assert_eq!(count(&stage, client).await, said, "{client:?}");
        }
    });
}

/// Counts who asks at the same time, each of whom waits for some turns.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Resolver for Busy {
    fn lookup<'a>(&'a self, _: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async {
            self.most.fetch_max(self.now.fetch_add(1, Relaxed) + 1, Relaxed);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            self.now.fetch_sub(1, Relaxed);
            Lookup::NoData
        })
    }
}

#[test]
fn who_finds_no_place_waits_for_one() {
    for instance in [InstanceKind::Fresh, InstanceKind::Warm] {
        let (folder, resolver) = (Folder::new(), Arc::new(Busy::default()));
        let mut config = folder.write(asking().wat());
        (config.grants, config.instance, config.instances_max) = (vec![Grant::Dns], instance, 2);
        let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, resolver.clone()).unwrap());
        let said = runtime().block_on(join_all((0..100).map(|_| run(&stage, &["x@example.com"]))));
        assert!(said.iter().all(|said| said == &[SEEN]), "{said:?}");
        assert_eq!(resolver.most.load(Relaxed), 2);
    }
}

#[test]
fn several_threads_may_ask_at_the_same_time() {
    let stage = load_with(&counting(), |config| config.instances_max = 3);
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    threads.block_on(async {
        let running: Vec<_> = (0..200)
            .map(|number| {
                let stage = stage.clone();
                tokio::spawn(async move {
                    // Every tenth has an address in it that traps.
                    let other = if number % 10 == 0 { "x@example.com" } else { "j@example.com" };
                    run(&stage, &["jane@example.com", other]).await
                })
            })
            .collect();
        for (number, running) in running.into_iter().enumerate() {
            let said = tokio::time::timeout(Duration::from_mins(1), running).await.unwrap().unwrap();
            assert_eq!(said[0], "counter.seen=1");
            if number % 10 == 0 {
                assert!(said[1].contains("unreachable"), "{said:?}");
            } else {
                assert_eq!(said[1], "counter.seen=2");
            }
        }
    });
}
