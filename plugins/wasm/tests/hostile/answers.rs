//! Guests that answer what the interface does not allow. Nothing of it becomes a finding.

use crate::{
    guest::Guest,
    pipeline::{SEEN, load, run_now, struck},
};

/// An opinion of a struck subject.
fn opinion(category: &str, reason: &str, score: &str) -> Guest {
    Guest::named("odd").text("reason", reason).when_struck(&format!(
        "(call $opine (local.get $outcome) (i32.const {category})
           (global.get $reason) (global.get $reason_len) (f64.const {score}))"
    ))
}

/// A fact of a struck subject.
fn fact(key: &str, value: impl AsRef<[u8]>) -> Guest {
    Guest::named("odd").writes("odd.value").text("key", key).text("value", value).when_struck(
        "(call $fact (local.get $outcome)
           (global.get $key) (global.get $key_len) (global.get $value) (global.get $value_len))",
    )
}

#[test]
fn what_is_allowed_is_found() {
    assert_eq!(struck(&opinion("0", "a_word_2", "1")), "deliverable a_word_2 1");
    assert_eq!(struck(&opinion("7", "trusted", "0")), "accept_all trusted 0");
    assert_eq!(struck(&fact("odd.value", r#"{"list":[1,null]}"#)), r#"odd.value={"list":[1,null]}"#);
}

#[test]
fn the_number_of_outcomes_is_the_number_of_subjects() {
    let one_less =
        "(call $list (call $outcomes (local.get $count)) (i32.sub (local.get $count) (i32.const 1)))";
    assert_eq!(
        struck(&Guest::named("short").when_any_struck(one_less)),
        "it returned 0 outcomes for 1 subject"
    );
    let one_more = "(local.set $count (i32.add (local.get $count) (i32.const 1)))
                    (call $list (call $outcomes (local.get $count)) (local.get $count))";
    assert_eq!(
        struck(&Guest::named("long").when_any_struck(one_more)),
        "it returned 2 outcomes for 1 subject"
    );
}

#[test]
fn scores_are_probabilities() {
    for score in ["nan", "-nan", "inf", "-inf", "1.0000001", "-0.1"] {
        let said = struck(&opinion("2", "word", score));
        assert!(said.starts_with("it returned a score of "), "{said}");
        assert!(said.ends_with(", which is not between 0 and 1"), "{said}");
    }
}

#[test]
fn reasons_are_words() {
    let long = "x".repeat(65);
    for reason in ["", "Upper", "two words", "1st", "_under", "x@example.com", "über", "line\n", &long] {
        assert_eq!(
            struck(&opinion("2", reason, "0.5")),
            "it returned a reason that is no word of lower-case letters, digits and underscores"
        );
    }
}

#[test]
fn categories_are_those_of_the_interface() {
    for category in ["8", "255"] {
        let said = struck(&opinion(category, "word", "0.5"));
        assert!(said.starts_with("it returned ") && said.contains("discriminant"), "{said}");
    }
}

#[test]
fn facts_are_those_that_were_described() {
    for key in ["odd.other", "role.type", "before.type", "fault", "opinion", ""] {
        assert_eq!(struck(&fact(key, "true")), "it returned a fact that its description does not list");
    }
}

#[test]
fn values_are_json() {
    let deep = "[".repeat(4_000);
    for value in ["", "nope", "{", "1 2", "NaN", "1e400", "'x'", &deep] {
        assert_eq!(struck(&fact("odd.value", value)), "it returned a value of `odd.value` that is no JSON");
    }
}

#[test]
fn text_is_utf_8() {
    for octets in [&[0xff][..], &[0xc3], &[0xed, 0xa0, 0x80], &[b'"', 0xc0, 0x80, b'"']] {
        let said = struck(&fact("odd.value", octets));
        assert!(said.starts_with("it returned ") && said.to_lowercase().contains("utf-8"), "{said}");
    }
}

#[test]
fn an_answer_lies_in_the_guests_memory() {
    let pointers = [
        // The list, its elements, an element's text.
        ("list", "(i32.const 0x7ffffff0)".to_owned()),
        ("list at the end", "(i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4))".to_owned()),
        ("crooked list", "(i32.const 0x1001)".to_owned()),
        ("elements", "(call $list (i32.const 0x7ffffff0) (local.get $count))".to_owned()),
        ("crooked elements", "(call $list (i32.const 0x1001) (local.get $count))".to_owned()),
        ("too many elements", "(call $list (i32.const 0x1000) (i32.const -1))".to_owned()),
    ];
    for (which, pointer) in pointers {
        let said = struck(&Guest::named("lost").when_any_struck(&pointer));
        assert!(said.starts_with("it returned ") || said.starts_with("it handed over"), "{which}: {said}");
    }
    let reason = Guest::named("lost").when_struck(
        "(call $opine (local.get $outcome) (i32.const 2) (i32.const -8) (i32.const 16) (f64.const 0.5))",
    );
    let said = struck(&reason);
    assert!(said.starts_with("it returned "), "{said}");
}

#[test]
fn arguments_go_where_the_guest_has_memory() {
    // From the first call on in which somebody is struck, its memory ends elsewhere.
    let wat = Guest::named("astray").wat().replace(
        "(local.set $new (call $alloc (local.get $octets) (local.get $align)))",
        "(local.set $new (i32.const 0x7fffffff))",
    );
    let refusal = crate::pipeline::refusal(wat);
    assert!(refusal.starts_with("`check-many` failed: it "), "{refusal}");
}

/// How much is handed over is limited, however small the memory is in which it lies.
#[test]
fn an_endless_answer_is_cut_off() {
    const TOO_MUCH: &str = "it handed over too much at once";
    let ten_megabytes = Guest::named("loud").when_struck(
        "(local.get $outcome) (call $alloc (i32.const 10000000) (i32.const 1))
         (call $long_opinion)",
    );
    let ten_megabytes = ten_megabytes.item(
        "(func $long_opinion (param $outcome i32) (param $text i32)
           (call $opine (local.get $outcome) (i32.const 2) (local.get $text) (i32.const 10000000)
             (f64.const 0.5)))",
    );
    assert_eq!(struck(&ten_megabytes), TOO_MUCH);

    // 1,000 facts of which each has the same 100,000 octets as its value.
    let amplifier = Guest::named("loud").when_struck(
        "(i32.store (local.get $outcome) (call $facts)) (i32.store offset=4 (local.get $outcome) (i32.const 1000))",
    );
    let amplifier = amplifier.item(
        "(func $facts (result i32)
           (local $facts i32) (local $left i32) (local $fact i32)
           (local.set $facts (call $alloc (i32.const 16000) (i32.const 4)))
           (local.set $fact (local.get $facts))
           (local.set $left (i32.const 1000))
           (loop $more
             (i32.store (local.get $fact) (i32.const 0))
             (i32.store offset=12 (local.get $fact) (i32.const 100000))
             (local.set $fact (i32.add (local.get $fact) (i32.const 16)))
             (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
           (local.get $facts))",
    );
    assert_eq!(struck(&amplifier), TOO_MUCH);
}

#[test]
fn so_many_facts_are_too_many() {
    let guest = Guest::named("chatty").writes("chatty.x").text("key", "chatty.x").item(
        "(func $facts (param $count i32) (result i32)
           (local $facts i32) (local $fact i32)
           (local.set $facts (call $alloc (i32.mul (local.get $count) (i32.const 16)) (i32.const 4)))
           (local.set $fact (local.get $facts))
           (loop $more
             (i32.store (local.get $fact) (global.get $key))
             (i32.store offset=4 (local.get $fact) (global.get $key_len))
             (i32.store offset=8 (local.get $fact) (global.get $one))
             (i32.store offset=12 (local.get $fact) (i32.const 1))
             (local.set $fact (i32.add (local.get $fact) (i32.const 16)))
             (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
           (local.get $facts))",
    );
    let says = |count: u32| {
        guest.clone().text("one", "1").when_struck(&format!(
            "(i32.store (local.get $outcome) (call $facts (i32.const {count})))
             (i32.store offset=4 (local.get $outcome) (i32.const {count}))"
        ))
    };
    assert_eq!(struck(&says(32)), ["chatty.x=1"; 32].join(", "));
    assert_eq!(struck(&says(33)), "it returned 33 facts of one subject, and 32 are allowed");
}

#[test]
fn so_long_facts_are_too_long() {
    let value = |octets: usize| format!("\"{}\"", "x".repeat(octets - 2));
    // With the key, `odd.value`.
    let longest = value(4_096 - 9);
    assert_eq!(struck(&fact("odd.value", &longest)), format!("odd.value={longest}"));
    assert_eq!(
        struck(&fact("odd.value", value(4_096 - 8))),
        "it returned facts of 4097 octets of one subject, and 4096 are allowed"
    );
}

#[test]
fn inputs_reach_the_guest_as_they_are() {
    // Says the length of the input, of its local part and of its domain.
    let guest = Guest::named("measure").writes("measure.input").text("key", "measure.input").check(
        "(call $fact (local.get $outcome) (global.get $key) (global.get $key_len)
           (i32.load (local.get $subject)) (i32.load offset=4 (local.get $subject)))",
    );
    // What it is loaded with is no JSON: refused one by one, which is no fault of the call.
    let stage = load(&guest);
    let long = format!("\"{}\"", "é".repeat(2_000));
    let inputs = ["1", "true", &long, "\"\\u0000\"", ""];
    let said = run_now(&stage, &inputs);
    let no_json = "it returned a value of `measure.input` that is no JSON";
    assert_eq!(
        said,
        [
            "measure.input=1",
            "measure.input=true",
            &format!("measure.input={long}"),
            "measure.input=\"\\u0000\"",
            no_json
        ]
    );
    assert_eq!(run_now(&load(&Guest::named("plain")), &inputs), [SEEN; 5]);
}
