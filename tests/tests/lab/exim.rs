//! Exim: callouts in both directions, its limit of commands without mail, its slow farewell.

use std::time::{Duration, Instant};

use mailsonde_tests::real::Lab;

use crate::client::{Session, assert_recipient, reply_to_recipient};

#[test]
fn exim_knows_its_mailboxes() {
    assert_recipient("exim", "jane.doe@exim.test", "250 Accepted");
    assert_recipient("exim", "no.such@exim.test", "550 Unrouteable address");
}

#[test]
fn exim_asks_the_server_behind() {
    assert_recipient("exim-callout", "jane.doe@exim-callout.test", "250 Accepted");
    let refusal = reply_to_recipient("exim-callout", "no.such@exim-callout.test");
    assert!(refusal.starts_with("550-Callout verification failed:\n550-550 5.1.1 "), "{refusal}");
    assert_recipient(
        "exim-callout",
        "jane.doe@exim-backend-dead.test",
        "451 Could not complete recipient verify callout",
    );
}

#[test]
fn exim_asks_the_senders_server() {
    assert_recipient("exim-callout", "jane.doe@exim-sender.test", "250 Accepted");
    let refusal =
        Session::in_transaction("exim-callout", "no.such@lab.test").recipient("jane.doe@exim-sender.test");
    assert!(refusal.starts_with("550-"), "{refusal}");
    assert!(refusal.contains("User unknown") && refusal.ends_with("550 Sender verify failed"), "{refusal}");
}

#[test]
fn exim_drops_whoever_resets_too_often() {
    let mut session = Session::in_transaction("exim", "probe@lab.test");
    let resets = (1..=20).take_while(|_| session.say("RSET").starts_with("250 ")).count();
    assert_eq!(resets, 11);
    assert!(Lab::shared().exim_log().unwrap().contains("too many nonmail commands"));
}

#[test]
fn exim_takes_its_time_to_say_goodbye() {
    let mut session = Session::in_transaction("exim-slow-quit", "probe@lab.test");
    let before = Instant::now();
    assert!(session.say("QUIT").starts_with("221 "));
    assert!(before.elapsed() >= Duration::from_secs(5), "{:?}", before.elapsed());
}
