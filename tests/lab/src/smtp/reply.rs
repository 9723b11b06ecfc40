//! The ordinary reply to each command, and its effect on the session.

use std::time::Duration;

use super::{
    command::Command,
    recipient::{Asking, Transaction},
    session::Session,
};
use crate::{counts::Violations, host::StartTls, say::Ending, verb::Verb};

/// A reply, its placeholders not yet filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) text: String,
    /// Time before it.
    pub(super) pause: Duration,
    /// How the session ends with it, if it does.
    pub(super) then: Option<Ending>,
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), pause: Duration::ZERO, then: None }
    }
}

impl Session {
    /// The ordinary reply to a command, `in_burst` behind another one.
    pub(super) fn reply(&mut self, command: &Command, in_burst: bool) -> Reply {
        let server = self.server.clone();
        let (texts, ehlo) = (&server.host.texts, &server.host.ehlo);
        if command.verb == Verb::Quit {
            return Reply { then: Some(Ending::Close), ..Reply::from(&*texts.bye) };
        }
        if self.turned_away {
            return self.out_of_order();
        }
        if let Some(text) = ehlo.pipelined.as_deref().filter(|_| in_burst && !ehlo.pipelining) {
            return Reply::from(text);
        }
        match command.verb {
            Verb::Ehlo if ehlo.helo_only => Reply::from(&*texts.unrecognized),
            Verb::Ehlo | Verb::Helo => self.hello(command),
            Verb::StartTls if ehlo.starttls == StartTls::None || self.encrypted => self.out_of_order(),
            Verb::StartTls => Reply::from("220 2.0.0 Ready to start TLS"),
            Verb::Mail => self.mail(command),
            Verb::Rcpt => self.rcpt(command),
            Verb::Rset => {
                self.transaction = None;
                self.nonmail("250 2.0.0 Ok")
            }
            Verb::Noop => self.nonmail("250 2.0.0 Ok"),
            Verb::Vrfy => self.nonmail("252 2.0.0 Cannot VRFY user"),
            Verb::Data | Verb::Bdat => Reply::from("554 5.5.1 Error: this server takes no messages"),
            Verb::Quit | Verb::Other => Reply::from(&*texts.unrecognized),
        }
    }

    fn out_of_order(&self) -> Reply {
        self.breach(Violations { out_of_order: 1, ..Violations::default() });
        Reply::from(&*self.server.host.texts.sequence)
    }

    fn nonmail(&mut self, text: &str) -> Reply {
        self.nonmail += 1;
        if self.server.host.limits.nonmail_commands.is_some_and(|limit| self.nonmail > limit) {
            return Reply { then: Some(Ending::Close), ..Reply::from("554 Too many nonmail commands") };
        }
        Reply::from(text)
    }

    fn hello(&mut self, command: &Command) -> Reply {
        self.helo = Some(command.argument.clone());
        self.transaction = None;
        let name = &self.server.name;
        Reply::from(&*match command.verb {
            Verb::Ehlo => self.server.host.ehlo.reply(name, self.encrypted),
            _ => format!("250 {name}"),
        })
    }

    fn mail(&mut self, command: &Command) -> Reply {
        if self.server.host.ehlo.starttls == StartTls::Required && !self.encrypted {
            return Reply::from("530 5.7.0 Must issue a STARTTLS command first");
        }
        if self.helo.is_none() || self.transaction.is_some() {
            return self.out_of_order();
        }
        let Some(sender) = command.path() else {
            return Reply::from("501 5.5.4 Syntax: MAIL FROM:<address>");
        };
        self.transaction = Some(Transaction::new(sender, command.says_smtputf8()));
        Reply::from(&*self.server.host.texts.sender)
    }

    fn rcpt(&mut self, command: &Command) -> Reply {
        let server = self.server.clone();
        let Some(transaction) = &mut self.transaction else { return self.rcpt_without_mail() };
        let Some(recipient) = command.path() else {
            return Reply::from("501 5.1.3 Bad recipient address syntax");
        };
        let asking = Asking { client: self.client, transaction, accepted: self.accepted };
        let verdict = server.judge(recipient, asking);
        if verdict.is_rate {
            server.book.note(|tally| tally.refused_for_rate += 1);
        }
        let mut reply = Reply::from(&*verdict.text);
        if reply.text.starts_with('2') {
            transaction.accept(recipient);
            self.accepted += 1;
            if transaction.accepted == 1 {
                reply.pause = server.memory.transaction_cost();
            }
        }
        reply
    }

    /// In a burst behind a MAIL that was refused this is nobody's fault (RFC 2920, 3.1).
    fn rcpt_without_mail(&self) -> Reply {
        if self.mail_refused { Reply::from(&*self.server.host.texts.sequence) } else { self.out_of_order() }
    }
}
