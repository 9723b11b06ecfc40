//! The books: everything that clients did, as numbers.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{verb::Verb, zone::RecordType};

/// Everything that was counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of all mail servers together.
    pub total: Tally,
    /// Of each mail server, by name.
    pub hosts: BTreeMap<String, Tally>,
    /// DNS queries by name (lower case, no final dot) and type.
    pub dns: BTreeMap<(String, RecordType), u64>,
}

impl Counts {
    /// All DNS queries.
    pub fn dns_queries(&self) -> u64 {
        self.dns.values().sum()
    }
}

/// What one mail server, or all together, went through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that came about.
    pub connections: u64,
    /// Attempts at a server that refuses or ignores them. Only in memory: the kernel does not tell.
    pub missed: u64,
    /// Sessions open now.
    pub sessions_open: u64,
    /// Sessions open at once, at most.
    pub sessions_most: u64,
    /// Commands by verb.
    pub commands: BTreeMap<Verb, u64>,
    /// What a client has to wait for: one for the connection, one for the banner, one for every burst of commands
    /// that were written together, one for a TLS handshake. A burst of QUIT alone costs none: nobody has to wait for
    /// its reply.
    pub round_trips: u64,
    /// RCPTs by recipient, in lower case: only of servers that note them ([`Host::notes_recipients`]).
    ///
    /// [`Host::notes_recipients`]: crate::Host::notes_recipients
    pub recipients: BTreeMap<String, u64>,
    /// RCPTs with a reply of 2xx.
    pub accepted: u64,
    /// RCPTs with a reply of 4xx or 5xx.
    pub rejected: u64,
    /// Replies that refused a client for its pace or for its many sessions.
    pub refused_for_rate: u64,
    /// Completed TLS handshakes.
    pub handshakes: u64,
    /// Sessions that the client left without QUIT.
    pub left_without_quit: u64,
    /// Breaches of the protocol.
    pub violations: Violations,
}

impl Tally {
    /// Commands of one verb.
    pub fn commands_of(&self, verb: Verb) -> u64 {
        self.commands.get(&verb).copied().unwrap_or_default()
    }

    /// All commands.
    pub fn commands_total(&self) -> u64 {
        self.commands.values().sum()
    }
}

/// Breaches of the protocol by clients, each counted once a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Violations {
    /// Several commands in one burst where PIPELINING was not offered, or behind one that ends a burst (RFC 2920).
    pub pipelining: u64,
    /// Words before the banner.
    pub before_banner: u64,
    /// Commands where they have no place, such as RCPT before MAIL.
    pub out_of_order: u64,
    /// DATA or BDAT: a message was about to be sent.
    pub data: u64,
    /// Lines longer than 512 octets (RFC 5321, 4.5.3.1.4).
    pub long_line: u64,
    /// Lines that end in LF without CR.
    pub bare_lf: u64,
    /// Octets beyond ASCII without SMTPUTF8.
    pub non_ascii: u64,
}

impl Violations {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self { pipelining, before_banner, out_of_order, data, long_line, bare_lf, non_ascii } = *self;
        pipelining + before_banner + out_of_order + data + long_line + bare_lf + non_ascii
    }
}

impl AddAssign for Violations {
    fn add_assign(&mut self, more: Self) {
        self.pipelining += more.pipelining;
        self.before_banner += more.before_banner;
        self.out_of_order += more.out_of_order;
        self.data += more.data;
        self.long_line += more.long_line;
        self.bare_lf += more.bare_lf;
        self.non_ascii += more.non_ascii;
    }
}

/// The books of one mail server. What is noted there is noted in those of all servers too.
#[derive(Debug, Default)]
pub(crate) struct Book {
    own: Mutex<Tally>,
    all: Arc<Mutex<Tally>>,
}

impl Book {
    pub(crate) fn beside(all: &Arc<Mutex<Tally>>) -> Self {
        Self { own: Mutex::default(), all: all.clone() }
    }

    /// Changes the numbers.
    pub(crate) fn note(&self, change: impl Fn(&mut Tally)) {
        for tally in [&self.own, &*self.all] {
            change(&mut tally.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Notes that a session began; it ends with the value.
    pub(crate) fn open_session(self: &Arc<Self>) -> OpenSession {
        self.note(|tally| {
            tally.sessions_open += 1;
            tally.sessions_most = tally.sessions_most.max(tally.sessions_open);
        });
        OpenSession(self.clone())
    }

    /// Sessions open at this server now.
    pub(crate) fn sessions_open(&self) -> u64 {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).sessions_open
    }

    /// This server's numbers.
    pub(crate) fn tally(&self) -> Tally {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A session that is open.
#[derive(Debug)]
pub(crate) struct OpenSession(Arc<Book>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.note(|tally| tally.sessions_open -= 1);
    }
}
