//! Servers that are not there, not yet there, or not the only ones.

use std::time::{Duration, Instant};

use mailsonde_tests::real::Lab;

use crate::verdict::{DOMAIN, Expected, SHORT_DEADLINE, assert_category, verify, verify_with};

#[test]
fn refused_connection_is_unknown() {
    let it = verify_with("jane.doe@refused.test", &[SHORT_DEADLINE]);
    Expected {
        category: "unknown",
        cause: Some("connection_refused"),
        mx_records: &["mx.refused.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn second_mx_answers_for_a_dead_first() {
    let it = verify("jane.doe@second.test");
    let mx_records: &[_] = &["mx.refused.test", "mx.known.test"];
    Expected { category: "deliverable", mx_records, ..DOMAIN }.assert_is(&it);
}

#[test]
fn one_dead_of_two_equal_mx_does_not_decide() {
    // By preference, then by name.
    let it = verify("jane.doe@equal.test");
    let mx_records: &[_] = &["mx.known.test", "mx.refused.test"];
    Expected { category: "deliverable", mx_records, ..DOMAIN }.assert_is(&it);
}

#[test]
fn slow_greeting_is_a_timeout_at_the_deadline() {
    let before = Instant::now();
    let it = verify_with("jane.doe@slow.test", &[SHORT_DEADLINE]);
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    Expected { category: "unknown", cause: Some("timeout"), mx_records: &["mx.slow.test"], ..DOMAIN }
        .assert_is(&it);
}

#[test]
fn private_address_is_not_dialled() {
    let it = verify_with("jane.doe@private.test", &[("MAILSONDE_SMTP__DESTINATIONS", "public")]);
    assert!(!Lab::shared().is_tripped("tripwire-private").unwrap(), "there was a connection");
    Expected {
        category: "unknown",
        cause: Some("mx_not_allowed"),
        mx_records: &["mx.private.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn server_without_pipelining_is_no_obstacle() {
    let it = verify("jane.doe@no-pipelining.test");
    Expected { category: "deliverable", mx_records: &["mx.no-pipelining.test"], ..DOMAIN }.assert_is(&it);
}

#[test]
fn second_mx_answers_for_a_busy_or_silent_first() {
    assert_category(&verify("jane.doe@busy-first.test"), "deliverable");
    let patience = ("MAILSONDE_SMTP__REPLY_TIMEOUT", "1s");
    assert_category(&verify_with("jane.doe@silent-first.test", &[patience]), "deliverable");
    assert_category(&verify_with("no.such@silent-first.test", &[patience]), "undeliverable");
}

#[test]
fn late_greeting_is_waited_for() {
    assert_category(&verify("jane.doe@late.test"), "deliverable");
}

#[test]
fn tarpit_is_waited_for() {
    assert_category(&verify("jane.doe@tarpit.test"), "deliverable");
    assert_category(&verify("no.such@tarpit.test"), "undeliverable");
}

#[test]
fn ipv6_is_an_address_like_any_other() {
    assert_category(&verify("jane.doe@ipv6.test"), "deliverable");
    assert_category(&verify("no.such@ipv6.test"), "undeliverable");
}

#[test]
fn one_dead_of_two_families_does_not_decide() {
    assert_category(&verify("jane.doe@two-families.test"), "deliverable");
}
