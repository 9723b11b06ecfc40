//! Greylisting by postgrey and postscreen, which let in whoever comes back as who they were.

use std::time::Duration;

use mailsonde_tests::real::map::GREYLISTED_FOR;

use crate::verdict::{
    SHORT_DEADLINE, assert_categories, assert_category, assert_unknown, verify_by, verify_with,
};

/// What the program waits where postgrey names no time.
const WAIT: (&str, &str) = ("MAILSONDE_STAGE__SMTP-PROBE__GREYLIST_WAIT", "3s");

#[test]
fn greylisting_is_unknown_to_who_does_not_wait() {
    let it = verify_with("not.yet@postgrey.test", &[SHORT_DEADLINE]);
    assert_unknown(&it, "greylisted");
}

#[test]
fn greylisting_is_over_for_who_waits() {
    assert!(GREYLISTED_FOR < Duration::from_secs(3), "{WAIT:?} is shorter");
    let expected = [
        ("jane.doe@postgrey.test", "deliverable"),
        ("john.smith@postgrey.test", "deliverable"),
        ("no.such@postgrey.test", "undeliverable"),
    ];
    assert_categories(&["--patience", "20s"], &expected, &[WAIT]);
}

#[test]
fn patience_that_is_shorter_than_the_wait_is_not_spent() {
    let options = ["--patience", "20s"];
    let it = verify_by(&options, &["someone@postgrey.test"], &[(WAIT.0, "5m")]).remove(0);
    assert_unknown(&it, "greylisted");
}

#[test]
fn postscreen_is_content_with_the_second_attempt() {
    let deadline = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "8s");
    assert_category(&verify_with("jane.doe@postscreen.test", &[deadline]), "unknown");
    assert_category(&verify_with("jane.doe@postscreen.test", &[deadline]), "deliverable");
    assert_category(&verify_with("no.such@postscreen.test", &[deadline]), "undeliverable");
}
