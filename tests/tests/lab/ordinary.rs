//! Postfix as one meets it: mailboxes in several states, pipelines or none, slow ones, IPv6.

use std::time::{Duration, Instant};

use crate::client::{Session, assert_recipient};

#[test]
fn ordinary_server_knows_its_mailboxes() {
    assert_recipient("ordinary", "jane.doe@known.test", "250 2.1.5 ");
    assert_recipient("ordinary", "no.such@known.test", "550 5.1.1 ");
    assert_recipient("ordinary", "jane.doe@implicit.test", "250 2.1.5 ");
    assert_recipient("ordinary", "whoever@catch-all.test", "250 2.1.5 ");
    assert_recipient("hosted", "jane.doe@customer7.hosted.test", "250 2.1.5 ");
    assert_recipient("hosted", "no.such@customer7.hosted.test", "550 5.1.1 ");
}

#[test]
fn ordinary_server_knows_the_states_of_mailboxes() {
    assert_recipient("ordinary", "anna.full@states.test", "452 4.2.2 ");
    assert_recipient("ordinary", "peter.quota@states.test", "552 5.2.2 ");
    assert_recipient("ordinary", "paul.disabled@states.test", "550 5.2.1 ");
    assert_recipient("ordinary", "mary.greylisted@states.test", "450 4.2.0 ");
    assert_recipient("ordinary", "tom.trouble@states.test", "451 4.3.0 ");
    assert_recipient("ordinary", "rita.policy@states.test", "550 5.7.1 ");
}

#[test]
fn only_some_servers_take_pipelines() {
    let offers = |server| {
        let mut session = Session::open(server);
        session.reply();
        session.say("EHLO probe.lab.test").contains("PIPELINING")
    };
    assert!(offers("ordinary") && offers("exim"));
    assert!(!offers("no-pipelining") && !offers("opensmtpd"));
}

#[test]
fn slow_server_does_not_greet_and_late_one_does() {
    let greeting = Session::open("slow").line_within(Duration::from_millis(500));
    assert!(greeting.is_none(), "it said {greeting:?}");
    let mut late = Session::open("late");
    assert_eq!(late.line_within(Duration::from_secs(1)), None);
    assert!(late.line_within(Duration::from_secs(8)).unwrap().starts_with("220 "));
}

#[test]
fn tarpit_takes_a_second_for_each_recipient() {
    let mut session = Session::in_transaction("tarpit", "probe@lab.test");
    let before = Instant::now();
    assert!(session.recipient("jane.doe@tarpit.test").starts_with("250 2.1.5 "));
    assert!(session.recipient("no.such@tarpit.test").starts_with("550 5.1.1 "));
    assert!(before.elapsed() >= Duration::from_secs(2), "{:?}", before.elapsed());
}

#[test]
fn server_listens_on_ipv6() {
    assert!(mailsonde_tests::real::Lab::shared().smtp("ipv6").unwrap().is_ipv6());
    assert_recipient("ipv6", "jane.doe@ipv6.test", "250 2.1.5 ");
}
