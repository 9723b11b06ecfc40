//! A session: one connection's dialogue with a mail host, up to RCPT and never past it (RFC 5321 §3, RFC 6531).
//!
//! Where the host offers PIPELINING (RFC 2920), many commands leave in one write; where it does not, one follows the
//! other. STARTTLS (RFC 3207) comes when it is asked for. Whom to ask, and how many at once, is the prober's business.

mod breaks;
mod command;
mod extensions;
mod terms;
mod wire;

use std::{borrow::Cow, collections::VecDeque, time::Duration};

use mailsonde_engine::{Address, DialogueStage, Reading, ReplyClass, Strength};
use tokio::time::timeout;

pub use self::terms::StartTls;
pub(crate) use self::{
    breaks::Break,
    terms::{Identity, Terms},
};
use self::{command::Command, extensions::Extensions, wire::Wire};
use crate::{
    classify::Peer,
    dialer::Stream,
    reply::{Malformed, Reply},
    rules::Limit,
};

/// How long the farewell may take to leave; its answer is not waited for.
const QUIT_MAX: Duration = Duration::from_millis(500);

/// Transactions of a session: each after the first costs a RSET, and Exim hangs up at the twelfth command of that kind.
const TRANSACTIONS_MAX: usize = 9;

/// Operators that take recipients of one domain alone in a transaction, and answer others with 451 4.3.0.
const ONE_DOMAIN_OPERATORS: &[&str] = &["google", "gmail"];

/// What was heard about a recipient.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A reply, and the limit that it speaks of, if it does.
    Reply {
        reading: Box<Reading>,
        limit: Option<Limit>,
        /// Recipients answered before it in the same transaction; those beyond a limit do not count.
        before: usize,
    },
    /// It cannot be written into a command.
    Unwritable,
}

/// A session after the hello.
pub(crate) struct Session {
    wire: Wire,
    peer: Peer,
    terms: Terms,
    extensions: Extensions,
    is_secure: bool,
    transaction: Option<Transaction>,
    /// MAIL commands so far.
    transactions: usize,
    /// Recipients answered in the open transaction.
    answered: usize,
    /// What was written and is not answered, in order.
    pending: VecDeque<Pending>,
}

/// An open MAIL command.
struct Transaction {
    smtputf8: bool,
    /// Of its first recipient.
    domain: Box<str>,
    recipients: usize,
}

/// Something that is waited for.
enum Pending {
    Rset,
    Mail {
        smtputf8: bool,
    },
    Rcpt(Address),
    /// Known without asking.
    Known(Heard),
}

impl Session {
    /// Waits for the banner and says hello; takes up TLS where the terms want it from the start.
    pub(crate) async fn open(stream: Stream, peer: Peer, terms: Terms) -> Result<Self, Break> {
        let mut session = Self {
            wire: Wire::new(stream, terms.reply_timeout),
            peer,
            terms,
            extensions: Extensions::default(),
            is_secure: false,
            transaction: None,
            transactions: 0,
            answered: 0,
            pending: VecDeque::new(),
        };
        let banner = session.wire.reply(true).await?;
        session.expect(banner, 220, DialogueStage::Connect)?;
        session.hello().await?;
        let offered = session.extensions.offers("STARTTLS");
        match session.terms.starttls {
            StartTls::Always => session.secure().await?,
            StartTls::IfOffered if offered => session.secure().await?,
            StartTls::IfRequired if offered && session.terms.manners.needs_tls => session.secure().await?,
            _ => {}
        }
        Ok(session)
    }

    /// Whether many commands may leave in one write.
    pub(crate) fn pipelines(&self) -> bool {
        self.extensions.offers("PIPELINING") && !self.terms.manners.lockstep
    }

    /// Whether TLS could be taken up now.
    pub(crate) fn can_secure(&self) -> bool {
        !self.is_secure && self.terms.starttls != StartTls::Never && self.extensions.offers("STARTTLS")
    }

    /// From here on, a transaction holds recipients of one domain.
    pub(crate) fn take_one_domain(&mut self) {
        self.terms.manners.one_domain = true;
    }

    /// From here on, a transaction holds no more than `max` recipients.
    pub(crate) fn limit_transaction(&mut self, max: usize) {
        self.terms.manners.recipients_per_transaction = Some(max);
    }

    /// Hears out what was written and is not answered, whatever it says.
    pub(crate) async fn drain(&mut self) -> Result<(), Break> {
        while let Some(next) = self.pending.front() {
            if !matches!(next, Pending::Known(_)) {
                self.wire.reply(self.pending.len() == 1).await?;
            }
            self.pending.pop_front();
        }
        Ok(())
    }

    /// Asks about the first of `recipients`, as many as the session has room for. Returns how many; [`Session::read`]
    /// gives the answers in the same order.
    pub(crate) async fn write(&mut self, recipients: &[Address]) -> Result<usize, Break> {
        let mut lines = String::new();
        let mut written = 0;
        for address in recipients {
            if !self.begin(address, &mut lines).await? {
                break;
            }
            written += 1;
            if !self.pipelines() {
                break;
            }
        }
        if !lines.is_empty() {
            self.wire.send(&lines).await?;
        }
        Ok(written)
    }

    /// What the host says of the next recipient. A reply of 421 says that it is about to hang up. Giving up on the
    /// future loses nothing.
    pub(crate) async fn read(&mut self) -> Result<Heard, Break> {
        loop {
            if let Some(Pending::Known(heard)) =
                self.pending.pop_front_if(|next| matches!(next, Pending::Known(_)))
            {
                return Ok(heard);
            }
            let due = self.pending.iter().filter(|next| !matches!(next, Pending::Known(_))).count();
            let reply = self.wire.reply(due <= 1).await?;
            match self.pending.pop_front() {
                Some(Pending::Rcpt(address)) => {
                    let (reading, limit) = self.peer.hear(DialogueStage::Rcpt, &reply, Some(&address));
                    let before = self.answered;
                    self.answered += usize::from(limit.is_none());
                    return Ok(Heard::Reply { reading: Box::new(reading), limit, before });
                }
                Some(Pending::Mail { smtputf8 }) => {
                    self.expect(reply, 250, DialogueStage::Mail)?;
                    self.answered = 0;
                    if smtputf8 {
                        self.wire.allow_utf8();
                    }
                }
                Some(Pending::Rset) => drop(self.expect(reply, 250, DialogueStage::Mail)?),
                Some(Pending::Known(_)) | None => return Err(Malformed::Unasked.into()),
            }
        }
    }

    /// Takes up TLS and says hello anew.
    pub(crate) async fn secure(&mut self) -> Result<(), Break> {
        if !self.can_secure() {
            return Err(Break::Tls);
        }
        match self.exchange(Command::StartTls).await {
            Ok(reply) if reply.code() == 220 => {}
            // Whatever was slipped in behind the reply is dropped with the session (RFC 3207 §6).
            Ok(_) | Err(Break::Protocol(_)) => return Err(Break::Tls),
            Err(broken) => return Err(broken),
        }
        let host = self.peer.host.clone();
        self.wire.secure(&self.terms.tls, &host).await?;
        self.is_secure = true;
        // RFC 3207 §4.2: what was said before counts no more.
        self.transaction = None;
        self.pending.clear();
        self.hello().await
    }

    /// Ends when the host hangs up, or speaks though nobody asked.
    pub(crate) async fn disturbed(&mut self) {
        self.wire.disturbed().await;
    }

    /// Takes leave, and waits for nothing: some hosts hold the answer back for a while.
    pub(crate) async fn quit(mut self) {
        if let Ok(line) = Command::Quit.encode() {
            // Whether it arrives is the host's loss.
            let _ = timeout(QUIT_MAX, self.wire.send(&line)).await;
        }
    }

    async fn hello(&mut self) -> Result<(), Break> {
        let identity = self.terms.identity.clone();
        let reply = self.exchange(Command::Ehlo(&identity.hello)).await?;
        if reply.code() / 100 != 5 {
            let reply = self.expect(reply, 250, DialogueStage::Hello)?;
            self.extensions = Extensions::of(&reply);
            return Ok(());
        }
        // RFC 5321 §3.2: a host that does not know EHLO may know HELO.
        let reply = self.exchange(Command::Helo(&identity.hello)).await?;
        self.extensions = Extensions::default();
        self.expect(reply, 250, DialogueStage::Hello).map(drop)
    }

    /// Adds the recipient to what is about to be written, with a transaction around it where the open one does not
    /// fit. `false` when the session has no room for that.
    async fn begin(&mut self, next: &Address, lines: &mut String) -> Result<bool, Break> {
        let smtputf8 = next.is_smtputf8();
        if smtputf8 && !self.extensions.offers("SMTPUTF8") {
            self.pending.push_back(Pending::Known(self.non_ascii_unsupported()));
            return Ok(true);
        }
        let Ok(line) = Command::Rcpt(next.as_str()).encode() else {
            self.pending.push_back(Pending::Known(Heard::Unwritable));
            return Ok(true);
        };
        if !self.transaction.as_ref().is_some_and(|open| self.serves(open, next)) {
            if self.transactions == TRANSACTIONS_MAX {
                return Ok(false);
            }
            self.new_transaction(next, lines).await?;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients += 1;
        }
        lines.push_str(&line);
        self.pending.push_back(Pending::Rcpt(next.clone()));
        Ok(true)
    }

    /// Whether the recipient can be named in the open transaction.
    fn serves(&self, open: &Transaction, next: &Address) -> bool {
        let manners = &self.terms.manners;
        let takes_one_domain =
            manners.one_domain || self.peer.operator.is_some_and(|o| ONE_DOMAIN_OPERATORS.contains(&o.id()));
        // A bounce goes to one recipient: hosts refuse more of them with 5.5.3.
        let has_room = open.recipients == 0
            || (!self.terms.identity.sender.is_empty()
                && manners.recipients_per_transaction.is_none_or(|max| open.recipients < max));
        has_room
            && (!takes_one_domain || *open.domain == *next.domain())
            && (open.smtputf8 || !next.is_smtputf8())
    }

    async fn new_transaction(&mut self, first: &Address, lines: &mut String) -> Result<(), Break> {
        let smtputf8 = first.is_smtputf8();
        let identity = self.terms.identity.clone();
        let mail = Command::Mail { sender: &identity.sender, smtputf8 };
        if self.transaction.take().is_some() {
            self.enqueue(Command::Rset, Pending::Rset, lines).await?;
        }
        self.enqueue(mail, Pending::Mail { smtputf8 }, lines).await?;
        self.transactions += 1;
        self.transaction = Some(Transaction { smtputf8, domain: first.domain().into(), recipients: 0 });
        Ok(())
    }

    /// Adds a command to what is about to be written; without PIPELINING it is said at once.
    async fn enqueue(
        &mut self,
        command: Command<'_>,
        pending: Pending,
        lines: &mut String,
    ) -> Result<(), Break> {
        if self.pipelines() {
            lines.push_str(&command.encode()?);
            self.pending.push_back(pending);
            return Ok(());
        }
        let reply = self.exchange(command).await?;
        self.expect(reply, 250, DialogueStage::Mail)?;
        if let Pending::Mail { smtputf8 } = pending {
            self.answered = 0;
            if smtputf8 {
                self.wire.allow_utf8();
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, command: Command<'_>) -> Result<Reply, Break> {
        self.wire.send(&command.encode()?).await?;
        self.wire.reply(true).await
    }

    fn expect(&self, reply: Reply, code: u16, stage: DialogueStage) -> Result<Reply, Break> {
        match reply.code() {
            said if said == code => Ok(reply),
            // Neither what was expected nor a refusal.
            ..400 => Err(Malformed::Unasked.into()),
            _ => Err(Break::Refused(Box::new(self.peer.read(stage, &reply, None)))),
        }
    }

    /// The host has said it with its list of extensions; no command can ask for more.
    fn non_ascii_unsupported(&self) -> Heard {
        let reading = Reading {
            class: ReplyClass::NonAsciiUnsupported,
            strength: Strength::Code,
            rule: Cow::Borrowed("hello.no_smtputf8"),
            stage: DialogueStage::Hello,
            code: 250,
            enhanced: None,
            text: "SMTPUTF8 is not offered".into(),
            host: self.peer.host.clone(),
            agreed: false,
        };
        Heard::Reply { reading: Box::new(reading), limit: None, before: self.answered }
    }
}

#[cfg(test)]
mod tests;
