//! How the program behaves towards servers as they come, counted by the servers themselves.

use std::time::{Duration, Instant};

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::sessions::total;

use crate::verdict::{assert_categories, members, nobody};

/// Errors after which stock Postfix takes a second more for everything.
const SOFT_ERROR_LIMIT: usize = 10;

#[track_caller]
fn assert_few_errors(listener: &str) {
    for session in Lab::shared().sessions(listener).expect("its log") {
        assert!(session.count("rcpt").refused < SOFT_ERROR_LIMIT, "{session:?}");
    }
    let log = Lab::shared().log_of(listener).expect("its log");
    assert!(!log.iter().any(|line| line.contains("too many errors")), "{log:#?}");
}

#[test]
fn hundred_known_take_one_session_and_few_transactions() {
    let before = Instant::now();
    assert_categories(&[], &members("stock-known.test", 100, nobody), &[]);
    let took = before.elapsed();
    let sessions = Lab::shared().sessions("stock-known").unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    // Postfix may take a second for each transaction.
    assert!(total(&sessions, "mail") <= 12, "{sessions:#?}");
    // 100, a random one, and hello, transactions, resets and farewell.
    assert!(total(&sessions, "commands") <= 130, "{sessions:#?}");
    assert_few_errors("stock-known");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn forty_unknown_never_reach_the_limit_of_errors() {
    let before = Instant::now();
    assert_categories(&[], &members("stock-unknown.test", 40, |_| true), &[]);
    let took = before.elapsed();
    assert_few_errors("stock-unknown");
    let sessions = Lab::shared().sessions("stock-unknown").unwrap();
    assert!(sessions.len() <= 6, "{sessions:#?}");
    assert!(total(&sessions, "rcpt") <= 42, "nobody is asked twice: {sessions:#?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn hundred_with_thirty_unknown_are_all_answered() {
    let before = Instant::now();
    assert_categories(&[], &members("stock-mixed.test", 100, |number| number % 10 < 3), &[]);
    let took = before.elapsed();
    assert_few_errors("stock-mixed");
    let sessions = Lab::shared().sessions("stock-mixed").unwrap();
    assert!(sessions.len() <= 6, "{sessions:#?}");
    assert!(total(&sessions, "rcpt") <= 105, "nobody is asked twice: {sessions:#?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn nothing_is_pipelined_that_must_not_be() {
    assert_categories(&[], &members("no-pipelining.test", 20, |number| number.is_multiple_of(5)), &[]);
    let log = Lab::shared().log_of("no-pipelining").unwrap();
    assert!(!log.iter().any(|line| line.contains("improper command pipelining")), "{log:#?}");
}

#[test]
fn farewell_is_not_waited_for() {
    let before = Instant::now();
    assert_categories(&[], &[("jane.doe@exim-slow-quit.test", "deliverable")], &[]);
    let took = before.elapsed();
    assert!(took < Duration::from_secs(4), "the server answers QUIT after 5 s, and this took {took:?}");
}

#[test]
fn one_address_takes_one_session_with_a_farewell() {
    // The greeting takes two seconds.
    assert_categories(&[], &[("john.smith@unhurried.test", "deliverable")], &[]);
    let sessions = Lab::shared().sessions("unhurried").unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    assert_eq!(total(&sessions, "quit"), 1, "{sessions:#?}");
}

#[test]
fn target_is_asked_about_before_a_random_recipient() {
    assert_categories(&[], &[("no.such@target-first.test", "undeliverable")], &[]);
    let log = Lab::shared().log_of("target-first").unwrap();
    let first = log.iter().find(|line| line.contains("reject: RCPT")).expect("a refusal");
    assert!(first.contains("<no.such@target-first.test>"), "{log:#?}");
}
