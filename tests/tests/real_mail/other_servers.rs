//! Exim and OpenSMTPD.

use std::time::Duration;

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::daemon::wait_until;

use crate::verdict::{
    DOMAIN, Expected, assert_categories, assert_category, assert_unknown, members, verify, verify_with,
};

#[test]
fn exim_tells_known_from_unknown() {
    let it = verify("jane.doe@exim.test");
    Expected { category: "deliverable", mx_records: &["mx.exim.test"], ..DOMAIN }.assert_is(&it);
    // "550 Unrouteable address", without an enhanced code
    let it = verify("no.such@exim.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_not_found"),
        mx_records: &["mx.exim.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn exim_bears_two_hundred_addresses() {
    // It drops whoever gives more than ten commands in a session that are not about mail, such as RSET.
    assert_categories(&[], &members("exim.test", 200, |number| number.is_multiple_of(10)), &[]);
    let log = Lab::shared().exim_log().unwrap();
    for complaint in ["too many nonmail commands", "too many syntax", "protocol", "synchronization error"] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(complaint)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

#[test]
fn exim_hands_on_what_the_server_behind_it_says() {
    assert_category(&verify("jane.doe@exim-callout.test"), "deliverable");
    // "550-Callout verification failed:", and then the other's refusal
    assert_category(&verify("no.such@exim-callout.test"), "undeliverable");
    let deadline = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "4s");
    assert_category(&verify_with("jane.doe@exim-backend-dead.test", &[deadline]), "unknown");
}

#[test]
fn refusal_of_our_sender_by_our_own_server_says_nothing_of_the_recipient() {
    assert_category(&verify("jane.doe@exim-sender.test"), "deliverable");
    // 550, "User unknown" and all; but it is our sender whom our server does not know.
    let stranger = ("MAILSONDE_SMTP__MAIL_FROM", "no.such@lab.test");
    assert_unknown(&verify_with("jane.doe@exim-sender.test", &[stranger]), "blocked_by_server");
}

#[test]
fn opensmtpd_tells_known_from_unknown_in_lock_step() {
    let expected = [
        ("jane.doe@opensmtpd.test", "deliverable"),
        // "550 Invalid recipient"
        ("no.such@opensmtpd.test", "undeliverable"),
        ("john.smith@opensmtpd.test", "deliverable"),
        ("jane.doe@opensmtpd-expands.test", "deliverable"),
        // "524 5.2.4 Mailing list expansion problem"
        ("no.such@opensmtpd-expands.test", "undeliverable"),
        ("john.smith@opensmtpd-expands.test", "deliverable"),
    ];
    assert_categories(&[], &expected, &[]);
    let log = || Lab::shared().opensmtpd_log().unwrap();
    let count = |text: &str| log().matches(text).count();
    assert!(wait_until(Duration::from_secs(10), || count(" smtp connected ") <= count(" smtp disconnected ")));
    for complaint in ["Pipelining not supported", "bad-input"] {
        assert_eq!(count(complaint), 0, "{}", log());
    }
}
