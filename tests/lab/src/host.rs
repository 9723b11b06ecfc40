//! What a mail server is like: the options of a `[host."mx.a.test"]` table. Without any, it is a polite server that
//! knows nobody but its postmaster.
//!
//! Texts are whole replies, code included; several lines are separated by `\n`. In them `{rcpt}`, `{sender}`,
//! `{client}`, `{helo}`, `{host}` and (greylisting) `{wait}`, the seconds left, are filled in.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{limits::Limits, say::Say, verb::Verb};

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// What becomes of connections.
    pub reach: Reach,
    /// At `::1` and nowhere else. One server at most: loopback has but one address of that kind.
    pub ipv6: bool,
    /// Round-trip time to it, instead of the internet's.
    #[serde(with = "humantime_serde")]
    pub rtt: Option<Duration>,
    /// Recipients that exist: `jane@a.test`, `*@a.test`, `member*@a.test`, `*`.
    pub accepts: Vec<String>,
    /// Recipients with a reply of their own, by pattern. They go before `accepts`.
    pub replies: BTreeMap<String, String>,
    /// Whether `postmaster` exists, as RFC 5321 demands.
    pub postmaster: bool,
    /// Its usual words.
    pub texts: Texts,
    /// What it offers.
    pub ehlo: Ehlo,
    /// How it greets, where that is not as usual.
    pub banner: Say,
    /// What it says to a command in place of the usual reply.
    pub says: BTreeMap<Verb, Say>,
    /// Makes strangers wait.
    pub greylist: Option<Greylist>,
    /// What it bears.
    pub limits: Limits,
    /// How it slows clients down.
    pub tarpit: Tarpit,
    /// How it contradicts itself.
    pub lie: Option<Lie>,
    /// Counts RCPTs by recipient too. Books of a long list are long.
    pub notes_recipients: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            reach: Reach::Open,
            ipv6: false,
            rtt: None,
            accepts: Vec::new(),
            replies: BTreeMap::new(),
            postmaster: true,
            texts: Texts::default(),
            ehlo: Ehlo::default(),
            banner: Say::default(),
            says: BTreeMap::new(),
            greylist: None,
            limits: Limits::default(),
            tarpit: Tarpit::default(),
            lie: None,
            notes_recipients: false,
        }
    }
}

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// They come about.
    Open,
    /// Nobody listens.
    Refused,
    /// Nothing answers, not even with a refusal.
    Silent,
}

/// The usual words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// The greeting.
    pub banner: String,
    /// To MAIL.
    pub sender: String,
    /// To RCPT of someone who exists.
    pub accepted: String,
    /// To RCPT of someone who does not.
    pub unknown: String,
    /// To QUIT.
    pub bye: String,
    /// To what is out of order.
    pub sequence: String,
    /// To what is no command.
    pub unrecognized: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            banner: "220 {host} ESMTP".into(),
            sender: "250 2.1.0 Ok".into(),
            accepted: "250 2.1.5 Ok".into(),
            unknown: "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown".into(),
            bye: "221 2.0.0 Bye".into(),
            sequence: "503 5.5.1 Error: bad sequence of commands".into(),
            unrecognized: "502 5.5.2 Error: command not recognized".into(),
        }
    }
}

/// What a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ehlo {
    /// Bursts of commands.
    pub pipelining: bool,
    /// What a command that came in a burst hears where bursts are not offered. Without: the usual reply.
    pub pipelined: Option<String>,
    /// Addresses beyond ASCII.
    pub smtputf8: bool,
    /// The largest message.
    pub size: Option<u64>,
    /// EHLO is unknown, HELO is not.
    pub helo_only: bool,
    /// Encryption.
    pub starttls: StartTls,
    /// Further keywords.
    pub keywords: Vec<String>,
}

impl Default for Ehlo {
    fn default() -> Self {
        Self {
            pipelining: true,
            pipelined: None,
            smtputf8: false,
            size: Some(10_240_000),
            helo_only: false,
            starttls: StartTls::None,
            keywords: vec!["ENHANCEDSTATUSCODES".into(), "8BITMIME".into()],
        }
    }
}

/// What becomes of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// Not offered.
    None,
    /// Works, with a certificate that the server signed itself, as most do.
    Offered,
    /// MAIL is refused without it: 530 5.7.0.
    Required,
    /// The handshake goes wrong.
    Fails,
    /// The certificate expired long ago and is another server's.
    BadCertificate,
    /// Replies in the clear come right behind 220, for a client to mistake for encrypted ones.
    Injects,
}

/// Greylisting: a triplet of client, sender and recipient is put off until it has been known for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Greylist {
    /// For how long.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// The reply until then.
    pub text: String,
}

impl Default for Greylist {
    fn default() -> Self {
        Self {
            delay: Duration::from_mins(5), // postgrey's
            text: "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/"
                .into(),
        }
    }
}

/// How a server slows clients down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tarpit {
    /// Before every reply to RCPT.
    #[serde(with = "humantime_serde")]
    pub rcpt: Duration,
    /// Before every RCPT that is refused, besides.
    #[serde(with = "humantime_serde")]
    pub reject: Duration,
    /// By how much that grows with every refusal of a session, as Sendmail's `BAD_RCPT_THROTTLE` does.
    #[serde(with = "humantime_serde")]
    pub step: Duration,
}

/// How a server contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// Every recipient is accepted and refused by turns.
    AboutTheSame,
    /// Those that do not exist are accepted and refused by turns, whoever they are.
    AboutStrangers,
}
