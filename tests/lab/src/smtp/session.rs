//! A session: a greeting, then bursts of commands with a reply to each.

use std::{collections::BTreeMap, net::IpAddr, ops::AddAssign as _, sync::Arc, time::Duration};

use super::{
    Server,
    command::{Command, breaches},
    recipient::Transaction,
    reply::Reply,
    wire::{End, Line, Wire},
};
use crate::{
    cable::Cable,
    counts::Violations,
    host::StartTls,
    say::{Ending, Say},
    verb::Verb,
};

/// What Postfix lets a client wait for each error past the soft limit (`smtpd_error_sleep_time`).
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// A session and how far it got.
pub(super) struct Session {
    pub(super) server: Arc<Server>,
    pub(super) client: IpAddr,
    /// Taken out while it is being encrypted.
    wire: Option<Wire>,
    /// Number of this session at its server, from 1.
    number: u64,
    pub(super) helo: Option<String>,
    pub(super) encrypted: bool,
    /// The banner was a refusal: all that is left is QUIT.
    pub(super) turned_away: bool,
    pub(super) transaction: Option<Transaction>,
    /// The last MAIL was.
    pub(super) mail_refused: bool,
    /// RCPTs accepted and refused.
    pub(super) accepted: u64,
    rejected: u32,
    errors: u64,
    /// Commands that are no part of a mail.
    pub(super) nonmail: u64,
    seen: BTreeMap<Verb, u64>,
}

impl Session {
    pub(super) fn new(server: Arc<Server>, client: IpAddr, cable: Cable) -> Self {
        Self {
            number: server.memory.begin_session(),
            server,
            client,
            wire: Some(Wire::new(cable)),
            helo: None,
            encrypted: false,
            turned_away: false,
            transaction: None,
            mail_refused: false,
            accepted: 0,
            rejected: 0,
            errors: 0,
            nonmail: 0,
            seen: BTreeMap::new(),
        }
    }

    /// Runs it to its end.
    pub(super) async fn run(mut self) {
        let end = self.talk().await;
        if end == Err(End::Left) && !self.seen.contains_key(&Verb::Quit) {
            self.server.book.note(|tally| tally.left_without_quit += 1);
        }
        if let (Err(End::Ours(ending)), Some(mut wire)) = (end, self.wire) {
            wire.end(ending).await;
        }
    }

    async fn talk(&mut self) -> Result<(), End> {
        self.greet().await?;
        loop {
            let burst = self.wire()?.burst().await?;
            if burst.iter().any(|line| Verb::of(&line.text) != Verb::Quit) {
                self.server.book.note(|tally| tally.round_trips += 1);
            }
            let mut before = None;
            for line in &burst {
                let command = Command::of(line);
                let said = self.take(line, &command, before).await?;
                if command.verb == Verb::StartTls && said.starts_with("220") {
                    self.encrypt().await?;
                    break; // what came behind it in the clear is dropped
                }
                before = Some(command.verb);
            }
        }
    }

    /// The connection; without one there is nobody to talk to.
    pub(super) fn wire(&mut self) -> Result<&mut Wire, End> {
        self.wire.as_mut().ok_or(End::Left)
    }

    async fn greet(&mut self) -> Result<(), End> {
        let server = self.server.clone();
        let limits = &server.host.limits;
        let is_crowded = limits.sessions.is_some_and(|limit| server.book.sessions_open() > limit);
        let usual = if is_crowded { &limits.too_many_sessions } else { &server.host.texts.banner };
        let says = Some(&server.host.banner).filter(|says| !is_crowded && self.is_due(says, 0));
        self.hesitate(says, Duration::ZERO).await?;
        if self.wire()?.has_word().await {
            self.breach(Violations { before_banner: 1, ..Violations::default() });
        }
        let is_silent = says.and_then(Say::words) == Some("");
        server.book.note(|tally| {
            tally.round_trips += u64::from(!is_silent);
            tally.refused_for_rate += u64::from(is_crowded);
        });
        self.turned_away = self.speak(says, Reply::from(&**usual), "").await?.starts_with('5');
        Ok(())
    }

    /// Takes one command, replies to it, and returns what was said.
    async fn take(&mut self, line: &Line, command: &Command, before: Option<Verb>) -> Result<String, End> {
        let server = self.server.clone();
        let verb = command.verb;
        let utf8 = self.transaction.as_ref().is_some_and(|transaction| transaction.utf8);
        self.breach(breaches(line, command, before, &server.host.ehlo, utf8));
        server.book.note(|tally| tally.commands.entry(verb).or_default().add_assign(1));
        if server.host.notes_recipients
            && let Some(recipient) = command.path().filter(|_| verb == Verb::Rcpt)
        {
            let recipient = recipient.to_ascii_lowercase();
            server.book.note(|tally| *tally.recipients.entry(recipient.clone()).or_default() += 1);
        }
        let times = self.seen.entry(verb).or_default();
        *times += 1;
        let earlier = *times - 1;

        let says = server.host.says.get(&verb).filter(|says| self.is_due(says, earlier));
        let reply = match says.and_then(Say::words) {
            Some(words) if !words.starts_with('2') => Reply::from(words), // without effect
            _ => self.reply(command, before.is_some()),
        };
        if verb == Verb::Mail {
            self.mail_refused = !reply.text.starts_with('2');
        }
        let pause = reply.pause + self.count(verb, &reply.text);
        let recipient = if verb == Verb::Rcpt { command.path().unwrap_or_default() } else { "" };
        self.hesitate(says, pause).await?;
        let said = self.speak(says, reply, recipient).await?;
        if server.host.limits.hard_errors.is_some_and(|limit| self.errors >= limit) {
            self.speak(None, Reply::from("421 4.7.0 {host} Error: too many errors"), "").await?;
        }
        Ok(said)
    }

    /// Whether something is said in place of the usual, `earlier` commands of the kind having been heard.
    fn is_due(&self, says: &Say, earlier: u64) -> bool {
        earlier >= says.after && says.sessions.is_none_or(|sessions| self.number <= sessions)
    }

    pub(super) fn breach(&self, violations: Violations) {
        if violations != Violations::default() {
            self.server.book.note(|tally| tally.violations += violations);
        }
    }

    /// Counts a reply, and returns for how long such replies are held back here.
    fn count(&mut self, verb: Verb, text: &str) -> Duration {
        let (server, tarpit) = (&self.server, self.server.host.tarpit);
        let is_error = text.starts_with(['4', '5']);
        let mut pause = Duration::ZERO;
        if verb == Verb::Rcpt {
            let accepted = u64::from(text.starts_with('2'));
            server.book.note(|tally| {
                tally.accepted += accepted;
                tally.rejected += u64::from(is_error);
            });
            pause += tarpit.rcpt;
            if is_error {
                pause += tarpit.reject + tarpit.step * self.rejected;
                self.rejected += 1;
            }
        }
        if is_error {
            if server.host.limits.soft_errors.is_some_and(|limit| self.errors >= limit) {
                pause += ERROR_PAUSE;
            }
            self.errors += 1;
        }
        pause
    }

    async fn encrypt(&mut self) -> Result<(), End> {
        let mut wire = self.wire.take().ok_or(End::Left)?;
        match self.server.host.ehlo.starttls {
            StartTls::Fails => {
                wire.say(b"this is no handshake\r\n").await?;
                self.wire = Some(wire);
                return Err(End::Ours(Ending::Close));
            }
            // In one write with the 220, so that a client reads both at once.
            StartTls::Injects => wire.say(b"250-mx.injected.test\r\n250 PIPELINING\r\n").await?,
            _ => {}
        }
        wire.flush().await?;
        let (stream, plug) = wire.into_parts();
        self.server.book.note(|tally| tally.round_trips += 1);
        let stream = self.server.identity.encrypt(stream).await.ok_or(End::Left)?;
        self.server.book.note(|tally| tally.handshakes += 1);
        self.wire = Some(Wire::from_parts(stream, plug));
        // RFC 3207, 4.2: everything begins anew.
        (self.encrypted, self.helo, self.transaction) = (true, None, None);
        Ok(())
    }
}
