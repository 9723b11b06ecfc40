//! An SMTP client that does one thing at a time and understands nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mailsonde_tests::real::Lab;

/// One session in lock step.
pub(crate) struct Session(BufReader<TcpStream>);

impl Session {
    pub(crate) fn open(server: &str) -> Self {
        Self::at(Lab::shared().smtp(server).expect("a server of the map"))
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a limit");
        Self(BufReader::new(stream))
    }

    /// A session in which a recipient can be named next.
    pub(crate) fn in_transaction(server: &str, sender: &str) -> Self {
        let mut session = Self::open(server);
        let greeting = session.reply();
        assert!(greeting.starts_with("220 mail."), "{server}: {greeting}");
        session.say("EHLO probe.lab.test");
        let reply = session.say(&format!("MAIL FROM:<{sender}>"));
        assert!(reply.starts_with("250 "), "{server}: {reply}");
        session
    }

    /// What comes within `limit`, if anything does.
    pub(crate) fn line_within(&mut self, limit: Duration) -> Option<String> {
        self.0.get_ref().set_read_timeout(Some(limit)).expect("a limit");
        let mut line = String::new();
        self.0.read_line(&mut line).ok().map(|_| line)
    }

    /// The next reply, lines joined by a line feed; empty when the server has hung up.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            let length = self.0.read_line(&mut reply).expect("a reply");
            reply.truncate(reply.trim_end().len());
            if length == 0 || reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("a listener");
    }

    pub(crate) fn say(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.reply()
    }

    pub(crate) fn recipient(&mut self, recipient: &str) -> String {
        self.say(&format!("RCPT TO:<{recipient}>"))
    }
}

/// The reply to RCPT in an ordinary dialogue.
pub(crate) fn reply_to_recipient(server: &str, recipient: &str) -> String {
    Session::in_transaction(server, "probe@lab.test").recipient(recipient)
}

#[track_caller]
pub(crate) fn assert_recipient(server: &str, recipient: &str, expected: &str) {
    let reply = reply_to_recipient(server, recipient);
    assert!(reply.starts_with(expected), "{recipient}: {reply}");
}
