//! Guests that want more than there is: memory, tables, stack. They get a refusal, and the trap stays inside.

use bytesize::ByteSize;

use crate::{
    guest::Guest,
    pipeline::{load, load_with, refusal, run_now, struck, struck_in},
};

const OUT_OF_MEMORY: &str = "it ran out of its memory (`memory_max`)";

/// Grows until it may not, and gives up.
fn bomb() -> Guest {
    Guest::named("bomb").when_struck(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         unreachable",
    )
}

#[test]
fn memory_ends_at_its_limit() {
    assert_eq!(struck(&bomb()), OUT_OF_MEMORY);
}

#[test]
fn a_guest_that_bears_the_refusal_goes_on() {
    let modest = Guest::named("modest").check(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         (call $opine (local.get $outcome) (i32.const 2) (global.get $seen) (global.get $seen_len)
           (f64.convert_i32_u (i32.gt_u (memory.size) (i32.const 128))))",
    );
    let small = load_with(&modest, |config| config.memory_max = ByteSize::mib(8));
    assert_eq!(run_now(&small, &["jane@example.com"]), ["risky seen 0"]);
    let large = load_with(&modest, |config| config.memory_max = ByteSize::mib(16));
    assert_eq!(run_now(&large, &["jane@example.com"]), ["risky seen 1"]);
}

#[test]
fn who_begins_with_too_much_is_refused() {
    let large = Guest::named("large").item("(global $unused i32 (i32.const 0))").wat();
    let large = large.replace("(export \"memory\") 4)", "(export \"memory\") 65536)");
    let refusal = refusal(large);
    assert!(refusal.starts_with("`start` failed: it ran out of its memory"), "{refusal}");
}

/// Globals and functions are not in the guest's memory: they have room of their own.
#[test]
fn who_has_too_many_globals_is_refused() {
    let globals = "(global (mut i64) (i64.const 0))".repeat(100_000);
    let refusal = refusal(Guest::named("globals").item(&globals).wat());
    assert!(refusal.contains("defined globals"), "{refusal}");
}

#[test]
fn tables_end_at_their_limit() {
    let guest = Guest::named("tables").item("(table $table 1 funcref)").when_struck(
        "(loop $more
           (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
         unreachable",
    );
    assert_eq!(struck(&guest), OUT_OF_MEMORY);
}

#[test]
fn recursion_ends_with_the_stack() {
    let guest = Guest::named("deep")
        .item("(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))")
        .when_struck("(drop (call $deep))");
    assert_eq!(struck(&guest), "it ran out of its stack");
}

#[test]
fn many_bombs_at_the_same_time_are_as_harmless_as_one() {
    let stage = load(&bomb());
    let inputs: Vec<_> = (0..5).map(|number| format!("x{number}@example.com")).collect();
    for _ in 0..3 {
        assert_eq!(run_now(&stage, &inputs), [OUT_OF_MEMORY; 5]);
    }
    assert_eq!(struck_in(&stage), OUT_OF_MEMORY);
}
