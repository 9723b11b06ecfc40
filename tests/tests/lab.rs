//! The lab itself: does each server behave as its name says? Without this, a test of mailsonde that fails could
//! mean either.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::dns::{Answer, RecordType, query, rcode};

/// One session in lock step.
struct Session(BufReader<TcpStream>);

impl Session {
    fn open(server: &str) -> Self {
        let address = Lab::shared().smtp(server).expect("a server of the map");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        Self(BufReader::new(stream))
    }

    /// The next reply, lines joined by a line feed.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            self.0.read_line(&mut reply).expect("a reply");
            reply.truncate(reply.trim_end().len());
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    fn say(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("a listener");
        self.reply()
    }
}

/// The reply to RCPT at the end of an ordinary dialogue.
fn reply_to_recipient(server: &str, recipient: &str) -> String {
    let mut session = Session::open(server);
    assert!(session.reply().starts_with("220 mail.lab.test "));
    assert!(session.say("EHLO probe.lab.test").starts_with("250-mail.lab.test"));
    assert!(session.say("MAIL FROM:<probe@lab.test>").starts_with("250 2.1.0 "));
    let reply = session.say(&format!("RCPT TO:<{recipient}>"));
    assert_eq!(session.say("QUIT"), "221 2.0.0 Bye");
    reply
}

#[track_caller]
fn assert_recipient(server: &str, recipient: &str, expected: &str) {
    let reply = reply_to_recipient(server, recipient);
    assert!(reply.starts_with(expected), "{recipient}: {reply}");
}

fn ask(name: &str, record_type: RecordType) -> Answer {
    query(Lab::shared().dns(), name, record_type).expect("an answer")
}

#[test]
fn dns_tells_all_kinds_of_no_apart() {
    assert_eq!(ask("known.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("second.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 2 });
    assert_eq!(ask("mx.known.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("implicit.test", RecordType::Mx), Answer { rcode: rcode::NOERROR, answers: 0 });
    assert_eq!(ask("implicit.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 1 });
    assert_eq!(ask("no-mail.test", RecordType::A), Answer { rcode: rcode::NOERROR, answers: 0 });
    assert_eq!(ask("no-such-domain.test", RecordType::Mx), Answer { rcode: rcode::NXDOMAIN, answers: 0 });
    assert_eq!(ask("broken.test", RecordType::Mx), Answer { rcode: rcode::SERVFAIL, answers: 0 });
}

#[test]
fn ordinary_server_knows_its_mailboxes() {
    assert_recipient("ordinary", "jane.doe@known.test", "250 2.1.5 ");
    assert_recipient("ordinary", "no.such@known.test", "550 5.1.1 ");
    assert_recipient("ordinary", "jane.doe@implicit.test", "250 2.1.5 ");
    assert_recipient("ordinary", "whoever@catch-all.test", "250 2.1.5 ");
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
fn refusals_of_the_client_come_at_the_recipient() {
    assert_recipient("client-refused", "jane.doe@client-refused.test", "450 4.7.25 ");
    assert_recipient("helo-refused", "jane.doe@helo-refused.test", "504 5.5.2 ");
    assert_recipient("sender-refused", "jane.doe@sender-refused.test", "550 5.1.8 ");
    assert_recipient("greylist", "jane.doe@greylist.test", "450 4.2.0 ");
    assert_recipient("no-relay", "jane.doe@no-relay.test", "554 5.7.1 ");
}

#[test]
fn some_servers_refuse_before_they_greet() {
    assert!(Session::open("blocklist").reply().starts_with("554 5.7.1 "));
    assert!(Session::open("busy").reply().starts_with("421 4.3.2 "));
}

#[test]
fn slow_server_does_not_greet() {
    let mut session = Session::open("slow");
    session.0.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut greeting = String::new();
    assert!(session.0.read_line(&mut greeting).is_err(), "it said {greeting}");
}

#[test]
fn only_some_servers_take_pipelines() {
    let offers = |server| {
        let mut session = Session::open(server);
        session.reply();
        session.say("EHLO probe.lab.test").contains("PIPELINING")
    };
    assert!(offers("ordinary"));
    assert!(!offers("no-pipelining"));
}

#[test]
fn eleventh_recipient_is_one_too_many() {
    let mut session = Session::open("ten-recipients");
    session.reply();
    session.say("EHLO probe.lab.test");
    session.say("MAIL FROM:<probe@lab.test>");
    for number in 1..=10 {
        let reply = session.say(&format!("RCPT TO:<member{number}@ten-recipients.test>"));
        assert!(reply.starts_with("250 2.1.5 "), "{number}: {reply}");
    }
    let reply = session.say("RCPT TO:<member11@ten-recipients.test>");
    assert!(reply.starts_with("452 4.5.3 "), "{reply}");
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
}
