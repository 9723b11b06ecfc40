//! The lab itself: does each server behave as its name says? Without this, a test of mailsonde that fails could
//! mean either.

mod client;
mod exim;
mod limits;
mod opensmtpd;
mod ordinary;
mod refusals;
mod tls;

use std::net::TcpStream;
use std::time::Duration;

use client::assert_recipient;
use mailsonde_tests::real::Lab;
use mailsonde_tests::real::daemon::wait_until;
use mailsonde_tests::real::dns::{Answer, RecordType, query, rcode};

fn ask(name: &str, record_type: RecordType) -> Answer {
    query(Lab::shared().dns(), name, record_type).expect("an answer")
}

#[test]
fn dns_tells_all_kinds_of_no_apart() {
    assert_eq!(ask("known.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("second.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 2 });
    assert_eq!(ask("mx.known.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("customer7.hosted.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("implicit.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 0 });
    assert_eq!(ask("implicit.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("no-mail.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 0 });
    assert_eq!(ask("no-such-domain.test", RecordType::Mx), Answer { rcode: rcode::NXDOMAIN, answers: 0 });
    assert_eq!(ask("broken.test", RecordType::Mx), Answer { rcode: rcode::SERVFAIL, answers: 0 });
}

#[test]
fn nobody_listens_at_nobodys_address() {
    let address = Lab::shared().smtp("nobody").unwrap();
    let error = TcpStream::connect(address).expect_err("a connection to nobody");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn tripwire_sees_a_caller_that_hangs_up_at_once() {
    // A lab of its own: the shared one's tripwires belong to other tests.
    let lab = Lab::start().expect("a second lab beside the shared one");
    assert!(!lab.is_tripped("tripwire-private").unwrap());
    drop(TcpStream::connect(lab.smtp("tripwire-private").unwrap()).unwrap());
    assert!(lab.is_tripped("tripwire-private").unwrap());
    assert!(!lab.is_tripped("tripwire-private").unwrap());
}

#[test]
fn log_tells_who_called_and_what_was_said() {
    assert_recipient("batch", "member1@batch.test", "250 2.1.5 ");
    let log = Lab::shared().log_of("batch").unwrap();
    assert!(log.iter().any(|line| line.contains("]: connect from ")), "{log:?}");
    let sessions = Lab::shared().sessions("batch").unwrap();
    assert!(sessions.iter().any(|session| session.count("rcpt").given == 1), "{sessions:?}");
    Lab::shared().ensure_no_message_was_sent().unwrap();
}

#[test]
fn message_is_noticed_wherever_it_was_sent() {
    // A lab of its own: the shared one must stay without a message.
    let lab = Lab::start().expect("a second lab beside the shared one");
    for (server, recipient) in [
        ("batch", "member1@batch.test"),
        ("stock-known", "member1@stock-known.test"),
        ("exim", "jane.doe@exim.test"),
        ("opensmtpd", "jane.doe@opensmtpd.test"),
    ] {
        let before = lab.signs_of_messages().unwrap().len();
        let mut session = client::Session::at(lab.smtp(server).unwrap());
        session.reply();
        session.say("EHLO probe.lab.test");
        session.say("MAIL FROM:<probe@lab.test>");
        assert!(session.recipient(recipient).starts_with("250 "));
        session.say("DATA");
        session.say("Subject: a test\r\n\r\nThis must be noticed.\r\n.");
        drop(session);
        let is_noticed = || lab.signs_of_messages().unwrap().len() > before;
        assert!(wait_until(Duration::from_secs(10), is_noticed), "{server}");
    }
    assert!(lab.ensure_no_message_was_sent().is_err());
}
