//! Mailboxes in all states, at a server that tells.

use crate::verdict::{DOMAIN, Expected, SHORT_DEADLINE, assert_category, verify, verify_with};

#[test]
fn known_user_is_deliverable() {
    let it = verify("jane.doe@known.test");
    Expected { category: "deliverable", mx_records: &["mx.known.test"], ..DOMAIN }.assert_is(&it);
}

#[test]
fn unknown_user_is_undeliverable() {
    let it = verify("no.such@known.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_not_found"),
        mx_records: &["mx.known.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn name_of_an_unknown_user_does_not_speak() {
    // Postfix quotes the address in its reply: "550 5.1.1 <account.disabled@known.test>: … User unknown".
    let it = verify("account.disabled@known.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_not_found"),
        mx_records: &["mx.known.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn any_user_of_a_catch_all_domain_is_accept_all() {
    let it = verify("jane.doe@catch-all.test");
    Expected {
        category: "accept_all",
        cause: Some("catch_all"),
        is_catch_all: true,
        mx_records: &["mx.catch-all.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn full_mailbox_is_risky() {
    for address in ["anna.full@states.test", "peter.quota@states.test"] {
        let it = verify(address);
        Expected {
            category: "risky",
            cause: Some("mailbox_full"),
            mx_records: &["mx.states.test"],
            ..DOMAIN
        }
        .assert_is(&it);
    }
}

#[test]
fn disabled_mailbox_is_undeliverable() {
    let it = verify("paul.disabled@states.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_disabled"),
        mx_records: &["mx.states.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn greylisted_mailbox_is_unknown() {
    for (address, mx) in
        [("mary.greylisted@states.test", "mx.states.test"), ("jane.doe@greylist.test", "mx.greylist.test")]
    {
        let it = verify_with(address, &[SHORT_DEADLINE]);
        Expected { category: "unknown", cause: Some("greylisted"), mx_records: &[mx], ..DOMAIN }
            .assert_is(&it);
    }
}

#[test]
fn trouble_of_the_server_is_unknown() {
    let it = verify_with("tom.trouble@states.test", &[SHORT_DEADLINE]);
    assert_category(&it, "unknown");
}
