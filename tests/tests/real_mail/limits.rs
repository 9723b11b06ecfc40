//! Servers that bear only so much: nothing is lost, and nobody is asked again who was answered.

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::sessions::total;

use crate::verdict::{assert_categories, members, nobody, verify_all};

#[test]
fn no_address_is_lost_to_a_limit_of_recipients() {
    assert_categories(&[], &members("ten-recipients.test", 25, nobody), &[]);
    let sessions = Lab::shared().sessions("ten-recipients").unwrap();
    // 25, a random one for the domain, and sixteen once more, which came too many before the limit was known.
    let asked = total(&sessions, "rcpt");
    assert!(asked <= 26 + 16, "{asked} recipients: {sessions:#?}");
}

#[test]
fn no_address_is_lost_to_a_limit_of_one_error() {
    assert_categories(&[], &members("one-error.test", 12, |number| number.is_multiple_of(3)), &[]);
    // Nobody is asked about twice: Postfix does not count what it closes the session upon.
    let sessions = Lab::shared().sessions("one-error").unwrap();
    assert!(total(&sessions, "rcpt") <= 12 + 1, "{sessions:#?}");
    assert!(sessions.len() <= 12, "{sessions:#?}");
}

#[test]
fn no_address_is_lost_to_a_limit_of_connections() {
    assert_categories(&[], &members("one-connection.test", 60, nobody), &[]);
}

#[test]
fn no_address_is_lost_to_a_limit_of_pace() {
    // Twenty in three seconds. Elsewhere it would be a minute, so a client that waits longer is not wrong.
    let addresses: Vec<_> =
        members("paced.test", 45, nobody).into_iter().map(|(address, _)| address).collect();
    let deadline = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "15s");
    let mut deliverable = 0;
    for it in verify_all(&addresses, &[deadline]) {
        if it["category"] == "deliverable" {
            deliverable += 1;
        } else {
            let cause = it["reason"].as_str();
            assert!(matches!(cause, Some("rate_limited_by_server" | "timeout")), "{it:#}");
        }
    }
    assert!(deliverable >= 9, "the first nine were accepted and proven before the limit; {deliverable}");
    // A client that does not slow down would be refused more often than not.
    let refused: usize =
        Lab::shared().sessions("paced").unwrap().iter().map(|session| session.count("rcpt").refused).sum();
    assert!(refused <= 45, "{refused} refusals");
}

#[test]
fn null_sender_has_one_recipient_per_transaction() {
    let null_sender = ("MAILSONDE_SMTP__MAIL_FROM", "");
    let expected = members("no-bounces.test", 12, |number| number.is_multiple_of(4));
    assert_categories(&[], &expected, &[null_sender]);
    for session in Lab::shared().sessions("no-bounces").unwrap() {
        assert!(session.count("rcpt").given <= session.count("mail").given, "{session:?}");
    }
}
