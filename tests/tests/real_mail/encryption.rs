//! STARTTLS: taken up when the server insists, or when we are told to. The certificates are self-signed.

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::sessions::total;

use crate::verdict::{assert_categories, assert_category, assert_unknown, verify, verify_with};

/// When to encrypt.
fn starttls(when: &'static str) -> (&'static str, &'static str) {
    ("MAILSONDE_SMTP__STARTTLS", when)
}

#[test]
fn server_that_demands_encryption_gets_it() {
    let expected =
        [("jane.doe@tls-required.test", "deliverable"), ("no.such@tls-required.test", "undeliverable")];
    assert_categories(&[], &expected, &[]);
    assert_categories(&[], &expected, &[starttls("always")]);
}

#[test]
fn encryption_that_is_demanded_and_ruled_out_is_unknown() {
    assert_unknown(&verify_with("jane.doe@tls-required.test", &[starttls("never")]), "tls_required");
}

#[test]
fn encryption_that_is_offered_is_taken_up_when_wanted() {
    // One test, since it counts.
    let encrypted = || total(&Lab::shared().sessions("tls").unwrap(), "starttls");
    assert_category(&verify("jane.doe@tls.test"), "deliverable");
    assert_eq!(encrypted(), 0, "a round trip or two for nothing");
    for when in ["if_offered", "always"] {
        let before = encrypted();
        assert_category(&verify_with("jane.doe@tls.test", &[starttls(when)]), "deliverable");
        assert_category(&verify_with("no.such@tls.test", &[starttls(when)]), "undeliverable");
        assert_eq!(encrypted(), before + 2);
    }
}

#[test]
fn encryption_that_is_not_offered_and_wanted_always_is_unknown() {
    assert_category(&verify_with("jane.doe@known.test", &[starttls("always")]), "unknown");
    assert_category(&verify_with("jane.doe@known.test", &[starttls("if_offered")]), "deliverable");
}

#[test]
fn broken_encryption_is_no_obstacle_unless_it_is_demanded() {
    assert_category(&verify("jane.doe@tls-broken.test"), "deliverable");
    assert_category(&verify_with("jane.doe@tls-broken.test", &[starttls("if_offered")]), "deliverable");
    assert_category(&verify_with("jane.doe@tls-broken.test", &[starttls("always")]), "unknown");
    assert_category(&verify("jane.doe@tls-required-broken.test"), "unknown");
}
