//! The DNS seam: stages and the prober ask through [`Resolver`]; `plugins/net` answers with hickory and one shared cache.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::BoxFuture;

/// Answers DNS questions. Implementations cache and ask each question once at a time.
pub trait Resolver: Send + Sync {
    /// Looks up the records of one kind at `name` (A-label, no final dot).
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup>;
}

/// What DNS says. That a name does not exist is an answer; only [`Lookup::Failed`] is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// At least one record of the kind.
    Found(Arc<[RecordData]>),
    /// The name exists and has no record of the kind (NODATA).
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoDomain,
    /// No answer: nothing is known.
    Failed(LookupFailure),
}

/// Why DNS gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupFailure {
    /// The server failed, bogus DNSSEC included (SERVFAIL).
    ServerFailure,
    /// The server declined to answer (REFUSED).
    Refused,
    /// Nobody answered in time.
    Timeout,
    /// No name server could be reached, or its answer made no sense.
    Unreachable,
}

/// Kinds of records that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the DNS names are the definition
pub enum RecordKind {
    Mx,
    A,
    Aaaa,
    Txt,
    Ns,
    Ds,
    Caa,
    Ptr,
}

/// One record's content. Names are lower case without the final dot; the root is "".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// A mail exchanger.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// Host name.
        exchange: Box<str>,
    },
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A text record, its strings joined (RFC 7208 §3.3).
    Txt(Box<str>),
    /// A name server.
    Ns(Box<str>),
    /// Among addresses: they are another name's, for which the one asked for is an alias (CNAME).
    Alias,
    /// A record of which only the existence matters (DS, CAA, PTR).
    Present,
}

/// A resolver that answers everything alike, at once: where nobody is to be asked.
#[derive(Debug, Clone)]
pub struct Always(pub Lookup);

impl Resolver for Always {
    fn lookup<'a>(&'a self, _: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

impl RecordData {
    /// The record as zone files write it, names without the final dot; empty where only its existence matters. None for
    /// an alias, which the addresses beside it stand for.
    pub fn zone_text(&self) -> Option<String> {
        match self {
            Self::Mx { preference, exchange } => Some(format!("{preference} {exchange}")),
            Self::Address(address) => Some(address.to_string()),
            Self::Txt(text) | Self::Ns(text) => Some(text.to_string()),
            Self::Present => Some(String::new()),
            Self::Alias => None,
        }
    }
}
