//! Postfix that has something against us, or is not sure yet.

use std::thread;
use std::time::Duration;

use mailsonde_tests::real::{daemon::wait_until, map::GREYLISTED_FOR};

use crate::client::{Session, assert_recipient, reply_to_recipient};

#[test]
fn some_servers_refuse_before_they_greet() {
    assert!(Session::open("blocklist").reply().starts_with("554 5.7.1 "));
    assert!(Session::open("busy").reply().starts_with("421 4.3.2 "));
}

#[test]
fn refusals_of_the_client_come_at_the_recipient() {
    assert_recipient("client-refused", "jane.doe@client-refused.test", "450 4.7.25 Client host rejected");
    assert_recipient("helo-refused", "jane.doe@helo-refused.test", "504 5.5.2 ");
    assert_recipient("sender-refused", "jane.doe@sender-refused.test", "550 5.1.8 ");
    assert_recipient("greylist", "jane.doe@greylist.test", "450 4.2.0 ");
    assert_recipient(
        "no-relay",
        "jane.doe@no-relay.test",
        "554 5.7.1 <jane.doe@no-relay.test>: Relay access denied",
    );
}

#[test]
fn blocklist_lists_us() {
    let expected = "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using dnsbl.lab.test";
    assert_recipient("dnsbl", "jane.doe@dnsbl.test", expected);
}

#[test]
fn strict_server_looks_up_who_we_say_we_are() {
    assert_recipient("strict", "jane.doe@strict.test", "250 2.1.5 ");
    let reply = Session::in_transaction("strict", "probe@nowhere.lab.test").recipient("jane.doe@strict.test");
    assert!(reply.starts_with("450 4.1.8 "), "{reply}");
    let mut session = Session::open("strict");
    session.reply();
    session.say("EHLO nowhere.lab.test");
    session.say("MAIL FROM:<probe@lab.test>");
    let reply = session.recipient("jane.doe@strict.test");
    assert!(reply.starts_with("450 4.7.1 <nowhere.lab.test>: Helo command rejected"), "{reply}");
}

#[test]
fn dead_policy_service_is_trouble() {
    assert_recipient("dead-policy", "jane.doe@dead-policy.test", "451 4.3.5 ");
}

#[test]
fn postgrey_lets_in_who_comes_back() {
    assert_recipient("postgrey", "no.such@postgrey.test", "450 4.2.0 ");
    let reply = || reply_to_recipient("postgrey", "jane.doe@postgrey.test");
    let refusal = "450 4.2.0 <jane.doe@postgrey.test>: Recipient address rejected: Greylisted";
    assert!(reply().starts_with(refusal), "{}", reply());
    thread::sleep(GREYLISTED_FOR + Duration::from_millis(1500));
    assert!(reply().starts_with("250 2.1.5 "), "{}", reply());
    assert_recipient("postgrey", "no.such@postgrey.test", "550 5.1.1 ");
}

#[test]
fn postscreen_lets_in_who_comes_back() {
    let reply = || {
        let mut session = Session::open("postscreen");
        session.reply();
        session.say("EHLO probe.lab.test");
        session.say("MAIL FROM:<probe@lab.test>");
        session.recipient("jane.doe@postscreen.test")
    };
    assert!(reply().starts_with("450 4.3.2 "));
    assert!(reply().starts_with("250 2.1.5 "));
}

#[test]
fn callout_asks_the_server_behind() {
    assert_recipient("callout", "jane.doe@callout.test", "250 2.1.5 ");
    assert_recipient("callout", "no.such@callout.test", "550 5.1.1 ");
    assert_recipient("callout", "jane.doe@callout-dead.test", "450 4.1.1 ");
    let reply = reply_to_recipient("callout-stock", "no.such@callout-stock.test");
    assert!(reply.starts_with("450 4.1.1 ") && reply.contains("said: 550 5.1.1 "), "{reply}");
    let reply = || reply_to_recipient("callout-pending", "jane.doe@callout-pending.test");
    assert!(reply().starts_with("450 4.1.1 "));
    assert!(wait_until(Duration::from_secs(20), || reply().starts_with("250 2.1.5 ")));
}

#[test]
fn callout_asks_the_senders_server() {
    let reply =
        |sender| Session::in_transaction("callout-sender", sender).recipient("jane.doe@callout-sender.test");
    assert!(reply("probe@lab.test").starts_with("250 2.1.5 "));
    let refusal = reply("no.such@lab.test");
    assert!(refusal.starts_with("450 4.1.7 <no.such@lab.test>: Sender address rejected"), "{refusal}");
}
