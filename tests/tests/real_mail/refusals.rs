//! Refusals of us, and troubles of the server's, say nothing about the mailbox.

use crate::verdict::{
    DOMAIN, Expected, SHORT_DEADLINE, assert_categories, assert_category, assert_unknown, verify, verify_with,
};

/// Long enough for a server that asks another one, at a second each time.
const DEADLINE: (&str, &str) = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "8s");

#[test]
fn blocklist_in_the_greeting_is_unknown() {
    let it = verify("jane.doe@blocklist.test");
    Expected {
        category: "unknown",
        cause: Some("blocked_by_server"),
        mx_records: &["mx.blocklist.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn policy_at_the_recipient_is_unknown() {
    let it = verify("rita.policy@states.test");
    Expected {
        category: "unknown",
        cause: Some("blocked_by_server"),
        mx_records: &["mx.states.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn closing_in_the_greeting_is_unknown() {
    let it = verify_with("jane.doe@busy.test", &[SHORT_DEADLINE]);
    assert_category(&it, "unknown");
}

#[test]
fn refusals_of_client_helo_sender_and_relay_are_unknown() {
    for domain in ["client-refused", "helo-refused", "sender-refused", "no-relay"] {
        let it = verify_with(&format!("jane.doe@{domain}.test"), &[SHORT_DEADLINE]);
        assert_category(&it, "unknown");
    }
}

#[test]
fn real_blocklist_is_unknown() {
    assert_unknown(&verify("jane.doe@dnsbl.test"), "blocked_by_server");
    assert_unknown(&verify("no.such@dnsbl.test"), "blocked_by_server");
}

#[test]
fn strict_server_is_content_with_an_honest_client() {
    assert_category(&verify("jane.doe@strict.test"), "deliverable");
    assert_category(&verify("no.such@strict.test"), "undeliverable");
}

#[test]
fn lies_about_ourselves_are_unknown() {
    for setting in [
        ("MAILSONDE_SMTP__HELLO_NAME", "nowhere.lab.test"),
        ("MAILSONDE_SMTP__MAIL_FROM", "probe@nowhere.lab.test"),
    ] {
        let it = verify_with("jane.doe@strict.test", &[setting, SHORT_DEADLINE]);
        assert_unknown(&it, "blocked_by_server");
    }
}

#[test]
fn dead_policy_service_is_unknown() {
    assert_category(&verify_with("jane.doe@dead-policy.test", &[DEADLINE]), "unknown");
}

// Callouts: our server asks another one

#[test]
fn callout_knows_the_mailboxes_of_the_server_behind() {
    assert_category(&verify("jane.doe@callout.test"), "deliverable");
    assert_category(&verify("no.such@callout.test"), "undeliverable");
}

#[test]
fn quoted_refusal_of_the_server_behind_is_no_refusal() {
    // "450 4.1.1 … unverified address: host … said: 550 5.1.1 …: User unknown": the code counts.
    assert_category(&verify_with("no.such@callout-stock.test", &[DEADLINE]), "unknown");
    // The random recipient gets the same answer, so it may stay open whether the server takes everybody.
    let it = verify_with("jane.doe@callout-stock.test", &[DEADLINE]);
    assert!(["deliverable", "unknown"].iter().any(|category| it["category"] == *category), "{it:#}");
}

#[test]
fn dead_server_behind_is_unknown() {
    assert_category(&verify_with("jane.doe@callout-dead.test", &[DEADLINE]), "unknown");
}

#[test]
fn callout_in_progress_is_unknown() {
    let it = verify_with("jane.doe@callout-pending.test", &[("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "1s")]);
    assert_category(&it, "unknown");
}

#[test]
fn callout_in_progress_is_over_for_who_waits() {
    let wait = ("MAILSONDE_STAGE__SMTP-PROBE__GREYLIST_WAIT", "2s");
    let expected = [
        ("john.smith@callout-pending.test", "deliverable"),
        ("no.such@callout-pending.test", "undeliverable"),
    ];
    assert_categories(&["--patience", "20s"], &expected, &[wait]);
}

#[test]
fn callout_to_our_own_server_says_nothing_of_the_recipient() {
    assert_category(&verify("jane.doe@callout-sender.test"), "deliverable");
    let stranger = ("MAILSONDE_SMTP__MAIL_FROM", "no.such@lab.test");
    assert_unknown(&verify_with("jane.doe@callout-sender.test", &[stranger, DEADLINE]), "blocked_by_server");
}
