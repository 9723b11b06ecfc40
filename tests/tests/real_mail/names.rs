//! DNS: domains with and without mail, and name servers that fail.

use mailsonde_tests::real::Lab;
use serde_json::{Value, json};

use crate::verdict::{DOMAIN, Expected, SHORT_DEADLINE, assert_category, verify, verify_with};

#[test]
fn domain_without_mx_and_address_has_no_mx_record() {
    let it = verify("jane.doe@no-mail.test");
    Expected { category: "undeliverable", cause: Some("no_mx_record"), ..DOMAIN }.assert_is(&it);
}

#[test]
fn null_mx_is_not_dialled() {
    let it = verify("jane.doe@null-mx.test");
    assert!(!Lab::shared().is_tripped("tripwire-null-mx").unwrap(), "there was a connection");
    Expected { category: "undeliverable", cause: Some("null_mx"), ..DOMAIN }.assert_is(&it);
}

#[test]
fn null_mx_beside_a_real_one_is_ignored() {
    let it = verify("jane.doe@null-mx-beside.test");
    Expected { category: "deliverable", mx_records: &["mx.known.test"], ..DOMAIN }.assert_is(&it);
}

#[test]
fn address_record_is_an_implicit_mx() {
    let it = verify("jane.doe@implicit.test");
    Expected { category: "deliverable", ..DOMAIN }.assert_is(&it);
}

#[test]
fn missing_domain_is_not_found() {
    let it = verify("jane.doe@no-such-domain.test");
    Expected { category: "undeliverable", cause: Some("domain_not_found"), exists: false, ..DOMAIN }
        .assert_is(&it);
}

#[test]
fn mx_that_does_not_exist_is_never_deliverable() {
    let it = verify_with("jane.doe@nowhere.test", &[SHORT_DEADLINE]);
    assert_ne!(it["category"], "deliverable");
    assert_eq!(it["details"]["domain"]["mx_records"], json!(["mx.nowhere.test"]));
}

#[test]
fn failing_dns_is_unknown() {
    let it = verify_with("jane.doe@broken.test", &[SHORT_DEADLINE]);
    assert_dns_failure(&it);
}

#[test]
fn silent_dns_is_unknown() {
    let servers = Lab::shared().silent_dns_servers().unwrap();
    let settings = [("MAILSONDE_DNS__SERVERS", servers.as_str()), ("MAILSONDE_DNS__TIMEOUT", "300ms")];
    let it = verify_with("jane.doe@known.test", &settings);
    assert_dns_failure(&it);
}

/// Without an answer nothing is known of the domain, and no flag claims anything.
#[track_caller]
fn assert_dns_failure(it: &Value) {
    assert_category(it, "unknown");
    assert_eq!((&it["sub_category"], &it["reason"]), (&json!("dns_failure"), &json!("dns_failure")));
    let domain = &it["details"]["domain"];
    assert_eq!((&domain["has_mx"], &domain["mx_records"]), (&json!(false), &json!([])));
    assert_eq!(domain["is_catch_all"], false);
}
