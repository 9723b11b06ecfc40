//! Guests that ask the host for more than it gives: calls, questions, handles, random octets.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use mailsonde_engine::{BoxFuture, Lookup, RecordData, RecordKind, Resolver};
use mailsonde_wasm::{Grant, Host};

use crate::{
    guest::Guest,
    pipeline::{Folder, SEEN, load_with, run_now, struck_in, try_load},
};

#[test]
fn calls_of_the_host_are_counted() {
    let guest =
        Guest::named("flood").imports("now").when_struck("(loop $forever (drop (call $now)) (br $forever))");
    // Time is not what ends it.
    let stage = load_with(&guest, |config| config.cpu_max = crate::pipeline::AMPLE);
    assert_eq!(struck_in(&stage), "it called the host too often");
}

#[test]
fn elements_of_lists_are_counted_like_calls() {
    for (function, arguments) in [
        ("get-many", "(call $get-many (local.get $scratch) (i32.const 30000) (i32.const 64))"),
        ("set-many", "(drop (call $set-many (local.get $scratch) (i32.const 15000)))"),
        ("lookup-many", "(call $lookup-many (local.get $scratch) (i32.const 30000) (i32.const 64))"),
    ] {
        // All of them empty; of the larger entries twice as many are asked for.
        let times = if function == "set-many" { 2 } else { 1 };
        let guest = Guest::named("lister").imports(function).when_struck(&format!(
            "(local.set $scratch (call $alloc (i32.const 360000) (i32.const 4))) {}",
            arguments.repeat(times)
        ));
        let stage = load_with(&guest, |config| {
            config.grants = vec![Grant::Cache, Grant::Dns];
            config.cpu_max = crate::pipeline::AMPLE;
        });
        assert_eq!(struck_in(&stage), "it called the host too often", "{function}");
    }
}

#[test]
fn every_call_begins_with_all_of_them() {
    let guest = Guest::named("busy").imports("now").batch_hint(1).check(
        "(local.set $scratch (i32.const 15000))
         (loop $more
           (drop (call $now))
           (br_if $more (local.tee $scratch (i32.sub (local.get $scratch) (i32.const 1)))))
         (call $see (local.get $outcome))",
    );
    let stage = load_with(&guest, |config| config.cpu_max = crate::pipeline::AMPLE);
    assert_eq!(run_now(&stage, &["a@example.com", "b@example.com", "c@example.com"]), [SEEN; 3]);
}

/// Asks about the same name so many times in one call; the answers begin at what is found at 64.
const ASK: &str = "(func $ask (param $count i32) (local $begin i32) (local $end i32)
  (local.set $begin (call $alloc (i32.mul (local.get $count) (i32.const 12)) (i32.const 4)))
  (local.set $end (i32.add (local.get $begin) (i32.mul (local.get $count) (i32.const 12))))
  (loop $more
    (local.set $end (i32.sub (local.get $end) (i32.const 12)))
    (i32.store (local.get $end) (global.get $name))
    (i32.store offset=4 (local.get $end) (global.get $name_len))
    (br_if $more (i32.ne (local.get $begin) (local.get $end))))
  (call $lookup-many (local.get $begin) (local.get $count) (i32.const 64)))";

fn asking() -> Guest {
    Guest::named("asking").imports("lookup-many").text("name", "a.example").item(ASK)
}

/// Counts questions.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Resolver for Counting {
    fn lookup<'a>(&'a self, _: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        self.0.fetch_add(1, Relaxed);
        Box::pin(std::future::ready(Lookup::NoData))
    }
}

#[test]
fn questions_are_counted_by_subject() {
    // Asks a thousand at once, then says how it was answered the last time: 3 is `failed`, 4 is `too-many`.
    let guest = asking().batch_hint(1).when_struck(
        "(call $ask (i32.const 1000))
         (local.set $scratch (i32.add (i32.load (i32.const 64)) (i32.const 11988)))
         (if (i32.ne (i32.load8_u (local.get $scratch)) (i32.const 3)) (then unreachable))
         (if (i32.ne (i32.load8_u offset=4 (local.get $scratch)) (i32.const 4)) (then unreachable))
         (call $see (local.get $outcome))",
    );
    let folder = Folder::new();
    let mut config = folder.write(guest.wat());
    config.grants = vec![Grant::Dns];
    let resolver = Arc::new(Counting::default());
    let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, resolver.clone()).unwrap());
    assert_eq!(struck_in(&stage), SEEN);
    assert_eq!(resolver.0.load(Relaxed), 8);
}

#[test]
fn names_that_cannot_be_are_not_asked_for() {
    let naming = |octets: usize| {
        Guest::named("asking").imports("lookup-many").text("name", "x".repeat(octets)).when_struck(
            "(i32.store (i32.const 16) (global.get $name))
             (i32.store (i32.const 20) (global.get $name_len))
             (call $lookup-many (i32.const 16) (i32.const 1) (i32.const 64))
             (call $see (local.get $outcome))",
        )
    };
    for (octets, asked) in [(0, 0), (253, 1), (254, 0), (100_000, 0)] {
        let folder = Folder::new();
        let mut config = folder.write(naming(octets).wat());
        config.grants = vec![Grant::Dns];
        let resolver = Arc::new(Counting::default());
        let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, resolver.clone()).unwrap());
        assert_eq!(struck_in(&stage), SEEN);
        assert_eq!(resolver.0.load(Relaxed), asked, "{octets}");
    }
}

/// Answers whatever it is asked with as much as a DNS message holds.
struct Loud;

impl Resolver for Loud {
    fn lookup<'a>(&'a self, _: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        let text = RecordData::Txt("x".repeat(60_000).into());
        Box::pin(std::future::ready(Lookup::Found([text].into())))
    }
}

#[test]
fn answers_too_large_for_many_are_given_to_few() {
    // Asks as much as it may.
    let guest = asking().when_any_struck(
        "(call $ask (i32.mul (local.get $count) (i32.const 8)))
         (call $check_each (local.get $subjects) (local.get $count))",
    );
    let folder = Folder::new();
    let mut config = folder.write(guest.wat());
    (config.grants, config.cpu_max) = (vec![Grant::Dns], crate::pipeline::AMPLE);
    let stage = Arc::new(Host::new(None).unwrap().load("plugin", config, Arc::new(Loud)).unwrap());
    let inputs: Vec<_> = (0..40).map(|number| format!("x{number}@example.com")).collect();
    assert_eq!(run_now(&stage, &inputs), [SEEN; 40]);
    // 8 answers of 60,000 octets for each: for 40, 20 and 10 subjects more than 4 MiB, for 5 not.
    assert_eq!(stage.stats().failed_calls, 1 + 2 + 4);
}

#[test]
fn values_too_large_are_not_returned_over_and_over() {
    // Keeps the largest value, and asks for it a thousand times in one call.
    let guest = Guest::named("hoarder")
        .imports("get-many")
        .imports("set-many")
        .text("key", "k")
        .text("value", "v".repeat(16 << 10))
        .when_struck(
            "(i32.store (i32.const 16) (global.get $key))
             (i32.store (i32.const 20) (global.get $key_len))
             (i32.store (i32.const 24) (global.get $value))
             (i32.store (i32.const 28) (global.get $value_len))
             (i32.store (i32.const 32) (i32.const 60))
             (if (i32.ne (call $set-many (i32.const 16) (i32.const 1)) (i32.const 1)) (then unreachable))
             (call $get-many (call $keys (i32.const 1000)) (i32.const 1000) (i32.const 64))
             (call $see (local.get $outcome))",
        )
        .item(
            "(func $keys (param $count i32) (result i32)
               (local $keys i32) (local $key i32)
               (local.set $keys (call $alloc (i32.mul (local.get $count) (i32.const 8)) (i32.const 4)))
               (local.set $key (local.get $keys))
               (loop $more
                 (i32.store (local.get $key) (global.get $key))
                 (i32.store offset=4 (local.get $key) (global.get $key_len))
                 (local.set $key (i32.add (local.get $key) (i32.const 8)))
                 (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
               (local.get $keys))",
        );
    let stage = load_with(&guest, |config| {
        config.grants = vec![Grant::Cache];
        config.cpu_max = crate::pipeline::AMPLE;
    });
    assert_eq!(struck_in(&stage), "it asked for more than it can be told at once");
}

#[test]
fn handles_are_counted() {
    let guest = Guest::named("hoarder")
        .imports("get-stderr")
        .when_struck("(loop $forever (drop (call $get-stderr)) (br $forever))");
    let stage =
        try_load(guest.component_with_wasi(), |config| config.cpu_max = crate::pipeline::AMPLE).unwrap();
    let said = struck_in(&stage);
    assert!(said.starts_with("it "), "{said}");
}

#[test]
fn chance_is_given_in_small_amounts() {
    let asking = |octets: u64| {
        Guest::named("gambler")
            .imports("get-random-bytes")
            .when_struck(&format!(
                "(call $get-random-bytes (i64.const {octets}) (i32.const 64)) (call $see (local.get $outcome))"
            ))
            .component_with_wasi()
    };
    let little = try_load(asking(4_096), |_| {}).unwrap();
    assert_eq!(struck_in(&little), SEEN);
    for octets in [1 << 20, 1 << 40, u64::MAX] {
        let much = try_load(asking(octets), |_| {}).unwrap();
        let said = struck_in(&much);
        assert!(said.contains("exceeds limit"), "{said}");
    }
}
