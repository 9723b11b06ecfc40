//! A session: one connection's dialogue with a mail host, up to RCPT and never past it (RFC 5321 §3, RFC 6531).
//!
//! Plain: one command, one reply. Windows of pipelined commands (RFC 2920), STARTTLS and sessions that wait for
//! further recipients are not here yet. Whom to ask next is the prober's business.

mod command;
mod wire;

use std::{borrow::Cow, sync::Arc, time::Duration};

use mailsonde_engine::{Address, DialogueStage, Reading, ReplyClass, Strength};
use tokio::time::{Instant, timeout};

use self::{command::Command, wire::Wire};
use crate::{
    classify::Peer,
    dialer::Stream,
    reply::{Malformed, Reply},
};

/// How long the farewell may take to leave; its answer is not waited for.
const QUIT_MAX: Duration = Duration::from_millis(500);

/// Operators that take recipients of one domain alone in a transaction, and answer others with 451 4.3.0.
const ONE_DOMAIN_OPERATORS: &[&str] = &["google", "gmail"];

/// Who we say that we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The name in EHLO.
    pub(crate) hello: Box<str>,
    /// The sender in MAIL; empty for the null sender.
    pub(crate) sender: Box<str>,
}

/// How long a session waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For one whole reply.
    pub(crate) reply: Duration,
    /// For everything.
    pub(crate) until: Instant,
}

/// Why a session can go no further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Break {
    #[error("not reachable")]
    Unreachable,
    #[error("no reply in time")]
    Timeout,
    #[error("the connection broke")]
    Disconnected,
    #[error("not SMTP: {0}")]
    Protocol(#[from] Malformed),
    #[error("an argument that may not be written")]
    Unwritable,
    /// The host refused us before we could name a recipient.
    #[error("refused: {0:?}")]
    Refused(Box<Reading>),
}

/// A session after the hello.
pub(crate) struct Session {
    wire: Wire,
    peer: Peer,
    identity: Arc<Identity>,
    extensions: Extensions,
    transaction: Option<Transaction>,
}

/// An open MAIL command.
#[derive(Debug, Clone)]
struct Transaction {
    smtputf8: bool,
    /// Of its first recipient.
    domain: Box<str>,
    recipients: usize,
}

impl Session {
    /// Waits for the banner and says hello.
    pub(crate) async fn open(
        stream: Stream,
        peer: Peer,
        identity: Arc<Identity>,
        patience: Patience,
    ) -> Result<Self, Break> {
        let wire = Wire::new(stream, patience);
        let extensions = Extensions::default();
        let mut session = Self { wire, peer, identity, extensions, transaction: None };
        let banner = session.wire.reply().await?;
        session.expect(banner, 220, DialogueStage::Connect)?;
        session.hello().await?;
        Ok(session)
    }

    /// Asks about one recipient. A reply of 421 says that the host is about to hang up.
    pub(crate) async fn recipient(&mut self, address: &Address) -> Result<Reading, Break> {
        if address.is_smtputf8() && !self.extensions.offers("SMTPUTF8") {
            return Ok(self.non_ascii_unsupported());
        }
        self.begin(address).await?;
        let reply = self.exchange(Command::Rcpt(address.as_str())).await?;
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients += 1;
        }
        Ok(self.peer.read(DialogueStage::Rcpt, &reply, Some(address)))
    }

    /// Takes leave, and waits for nothing: some hosts hold the answer back for a while.
    pub(crate) async fn quit(mut self) {
        // Whether it arrives is the host's loss.
        let _ = timeout(QUIT_MAX, self.wire.send(&Command::Quit)).await;
    }

    async fn hello(&mut self) -> Result<(), Break> {
        let identity = self.identity.clone();
        let reply = self.exchange(Command::Ehlo(&identity.hello)).await?;
        if reply.code() / 100 != 5 {
            let reply = self.expect(reply, 250, DialogueStage::Hello)?;
            self.extensions = Extensions::of(&reply);
            return Ok(());
        }
        // RFC 5321 §3.2: a host that does not know EHLO may know HELO.
        let reply = self.exchange(Command::Helo(&identity.hello)).await?;
        self.expect(reply, 250, DialogueStage::Hello).map(drop)
    }

    /// Makes sure of a transaction in which the next recipient can be named.
    async fn begin(&mut self, next: &Address) -> Result<(), Break> {
        let smtputf8 = next.is_smtputf8();
        let takes_one_domain = self.peer.operator.is_some_and(|o| ONE_DOMAIN_OPERATORS.contains(&o.id()));
        let serves = |open: &Transaction| {
            // A bounce goes to one recipient: hosts refuse more of them with 5.5.3.
            let has_room = open.recipients == 0 || !self.identity.sender.is_empty();
            let fits = !takes_one_domain || *open.domain == *next.domain();
            has_room && fits && (open.smtputf8 || !smtputf8)
        };
        if self.transaction.as_ref().is_some_and(serves) {
            return Ok(());
        }
        if self.transaction.take().is_some() {
            let reply = self.exchange(Command::Rset).await?;
            self.expect(reply, 250, DialogueStage::Mail)?;
        }
        let identity = self.identity.clone();
        let reply = self.exchange(Command::Mail { sender: &identity.sender, smtputf8 }).await?;
        self.expect(reply, 250, DialogueStage::Mail)?;
        self.wire.allow_utf8(smtputf8);
        self.transaction = Some(Transaction { smtputf8, domain: next.domain().into(), recipients: 0 });
        Ok(())
    }

    async fn exchange(&mut self, command: Command<'_>) -> Result<Reply, Break> {
        self.wire.send(&command).await?;
        self.wire.reply().await
    }

    fn expect(&self, reply: Reply, code: u16, stage: DialogueStage) -> Result<Reply, Break> {
        if reply.code() == code {
            Ok(reply)
        } else {
            Err(Break::Refused(Box::new(self.peer.read(stage, &reply, None))))
        }
    }

    /// The host has said it with its list of extensions; no command can ask for more.
    fn non_ascii_unsupported(&self) -> Reading {
        Reading {
            class: ReplyClass::NonAsciiUnsupported,
            strength: Strength::Code,
            rule: Cow::Borrowed("hello.no_smtputf8"),
            stage: DialogueStage::Hello,
            code: 250,
            enhanced: None,
            text: "SMTPUTF8 is not offered".into(),
            host: self.peer.host.clone(),
            agreed: false,
        }
    }
}

/// What the host offers beyond the plain protocol (RFC 5321 §4.1.1.1).
#[derive(Debug, Default)]
struct Extensions(Vec<Box<str>>);

impl Extensions {
    /// From the reply to EHLO: its first line is a greeting, each further one a keyword and its parameters.
    fn of(reply: &Reply) -> Self {
        let keyword =
            |line: &str| line.split([' ', '=']).next().unwrap_or_default().to_ascii_uppercase().into();
        Self(reply.lines().skip(1).map(keyword).collect())
    }

    fn offers(&self, keyword: &str) -> bool {
        self.0.iter().any(|offered| **offered == *keyword)
    }
}

#[cfg(test)]
mod tests;
