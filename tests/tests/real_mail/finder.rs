//! People at companies with real mail servers.

use mailsonde_tests::{mailsonde::Mailsonde, real::Lab};
use serde_json::{Value, json};

fn find(name: &str, domain: &str) -> Value {
    let args = ["find", "--format", "jsonl", name, domain];
    let told = Mailsonde::new(&args).env(Lab::shared().environment()).json_lines();
    Lab::shared().ensure_no_message_was_sent().expect("the servers' logs");
    told.ok().and_then(|mut told| told.pop()).expect("an object for the person")
}

#[test]
fn whoever_is_there_is_found() {
    let told = find("Jane Doe", "known.test");
    assert_eq!(
        (&told["outcome"], &told["address"]),
        (&json!("found"), &json!("jane.doe@known.test")),
        "{told}"
    );
}

#[test]
fn whoever_is_not_there_is_not() {
    let told = find("Zebulon Quackenbush", "known.test");
    assert_eq!((&told["outcome"], &told["address"]), (&json!("not_found"), &Value::Null), "{told}");
}

#[test]
fn where_everybody_is_accepted_it_is_said() {
    let told = find("Jane Doe", "catch-all.test");
    assert_eq!((&told["outcome"], &told["is_catch_all"]), (&json!("error"), &json!(true)), "{told}");
}
