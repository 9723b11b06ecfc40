//! Reads responses: what a name server said about one question, and nothing else that it may have added.
//!
//! Pure. A response is searched along its chain of aliases from the name that was asked; records of other names or
//! kinds are passed over (RFC 5452 §6), and so are the authority and additional sections but for the SOA's TTL.

use hickory_resolver::{
    net::{DnsError, NetError, NoRecords},
    proto::{
        op::{DnsResponse, Query, ResponseCode},
        rr::{Name, RData, Record, RecordType},
    },
};
use mailsonde_engine::{Lookup, LookupFailure, RecordData, RecordKind};

/// Aliases (CNAME) that are followed for one question. Real chains have one to three.
const ALIASES_MAX: usize = 8;

/// Records of one answer that are kept, the best MX records first. Callers use ten.
const RECORDS_MAX: usize = 64;

/// Octets of a text record that are kept: policies that matter are shorter.
const TEXT_OCTETS_MAX: usize = 4096;

/// What a server says about a question.
pub(super) enum Reply {
    /// Its answer section is not empty.
    Answers(Box<DnsResponse>),
    /// There is nothing.
    Nothing {
        /// The name itself does not exist.
        is_nxdomain: bool,
        /// For how long, by the SOA.
        ttl_seconds: Option<u32>,
    },
}

/// What a reply means for the look-up.
pub(super) enum Said {
    /// The question is answered, for so many seconds if the records say so.
    Answer(Lookup, Option<u32>),
    /// The name is an alias for another one, about which the response says nothing.
    Alias(Name),
}

/// Aliases followed so far, and the least TTL of them.
pub(super) struct Trail {
    aliases_left: usize,
    ttl_seconds: u32,
}

impl Default for Trail {
    fn default() -> Self {
        Self { aliases_left: ALIASES_MAX, ttl_seconds: u32::MAX }
    }
}

impl Trail {
    fn has_alias(&self) -> bool {
        self.aliases_left < ALIASES_MAX
    }
}

/// Tells an answer, which may be that there is nothing, from a failure to answer.
pub(super) fn reply(outcome: Result<DnsResponse, NetError>, query: &Query) -> Result<Reply, LookupFailure> {
    match outcome {
        // Over UDP hickory ignores answers to other questions; over TCP nobody has looked yet.
        Ok(response) if !response.queries.contains(query) || is_referral(&response) => {
            Err(LookupFailure::Unreachable)
        }
        Ok(response) => match response.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(Reply::Answers(Box::new(response))),
            code => Err(failure(code)),
        },
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => negative(&nothing),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(failure(code)),
        Err(NetError::Timeout) => Err(LookupFailure::Timeout),
        Err(_) => Err(LookupFailure::Unreachable),
    }
}

fn negative(nothing: &NoRecords) -> Result<Reply, LookupFailure> {
    let ttl_seconds = nothing.negative_ttl;
    let is_referral = nothing.ns.is_some() && nothing.soa.is_none();
    match nothing.response_code {
        ResponseCode::NXDomain => Ok(Reply::Nothing { is_nxdomain: true, ttl_seconds }),
        ResponseCode::NoError if !is_referral => Ok(Reply::Nothing { is_nxdomain: false, ttl_seconds }),
        code => Err(failure(code)),
    }
}

/// A server that refers to others does no recursion, and says nothing about the name (RFC 2308 §2.2).
fn is_referral(response: &DnsResponse) -> bool {
    response.response_code == ResponseCode::NoError
        && response.answers.is_empty()
        && response.soa().is_none()
        && response.authorities.iter().any(|record| record.record_type() == RecordType::NS)
}

fn failure(code: ResponseCode) -> LookupFailure {
    match code {
        ResponseCode::ServFail => LookupFailure::ServerFailure,
        ResponseCode::Refused => LookupFailure::Refused,
        _ => LookupFailure::Unreachable,
    }
}

/// Follows the reply from `name` to the records of the kind, or to where another question is needed.
pub(super) fn read(reply: &Reply, name: &Name, kind: RecordKind, trail: &mut Trail) -> Said {
    let response = match reply {
        Reply::Answers(response) => response,
        Reply::Nothing { is_nxdomain, ttl_seconds } => return nothing(*is_nxdomain, *ttl_seconds, trail),
    };
    let mut name = name;
    let mut is_alias = false;
    loop {
        let here = || response.answers.iter().filter(|record| record.name == *name);
        let wanted: Vec<&Record> =
            here().filter(|record| record.record_type() == record_type(kind)).collect();
        if let Some(ttl_seconds) = wanted.iter().map(|record| record.ttl).min() {
            let mut records = records(kind, wanted.iter().map(|record| &record.data));
            if matches!(kind, RecordKind::A | RecordKind::Aaaa) && trail.has_alias() {
                records.push(RecordData::Alias);
            }
            if records.is_empty() {
                return Said::Answer(Lookup::Failed(LookupFailure::Unreachable), None);
            }
            return Said::Answer(Lookup::Found(records.into()), Some(ttl_seconds.min(trail.ttl_seconds)));
        }
        let alias = here().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((record.ttl, &target.0)),
            _ => None,
        });
        let Some((ttl_seconds, target)) = alias else { break };
        if trail.aliases_left == 0 {
            return Said::Answer(Lookup::Failed(LookupFailure::Unreachable), None);
        }
        trail.aliases_left -= 1;
        trail.ttl_seconds = trail.ttl_seconds.min(ttl_seconds);
        name = target;
        is_alias = true;
    }
    let is_nxdomain = response.response_code == ResponseCode::NXDomain;
    let negative_ttl = response.negative_ttl();
    if is_nxdomain || negative_ttl.is_some() || response.answers.is_empty() {
        return nothing(is_nxdomain, negative_ttl, trail);
    }
    // Nothing says that there is nothing: the target of an alias is a question left open, and records that have
    // nothing to do with the question are no answer to it.
    if is_alias {
        Said::Alias(name.clone())
    } else {
        Said::Answer(Lookup::Failed(LookupFailure::Unreachable), None)
    }
}

fn nothing(is_nxdomain: bool, ttl_seconds: Option<u32>, trail: &Trail) -> Said {
    let lookup = if is_nxdomain { Lookup::NoDomain } else { Lookup::NoData };
    Said::Answer(lookup, ttl_seconds.map(|seconds| seconds.min(trail.ttl_seconds)))
}

/// The records in the engine's terms: MX best first, the others as they came. Records without content are left out.
fn records<'a>(kind: RecordKind, found: impl Iterator<Item = &'a RData>) -> Vec<RecordData> {
    let mut records: Vec<RecordData> = found.filter_map(|data| record(kind, data)).collect();
    // Before the cut, or 500 records would hide the best one.
    records.sort_by(|a, b| mx_order(a).cmp(&mx_order(b)));
    records.truncate(RECORDS_MAX);
    records
}

fn mx_order(record: &RecordData) -> Option<(u16, &str)> {
    match record {
        RecordData::Mx { preference, exchange } => Some((*preference, exchange)),
        _ => None,
    }
}

fn record(kind: RecordKind, data: &RData) -> Option<RecordData> {
    Some(match data {
        RData::MX(mx) => RecordData::Mx { preference: mx.preference, exchange: text_of(&mx.exchange) },
        RData::A(address) => RecordData::Address(address.0.into()),
        RData::AAAA(address) => RecordData::Address(address.0.into()),
        RData::TXT(txt) => RecordData::Txt(joined(&txt.txt_data)),
        RData::NS(host) => RecordData::Ns(text_of(&host.0)),
        _ if matches!(kind, RecordKind::Ds | RecordKind::Caa | RecordKind::Ptr) => RecordData::Present,
        _ => return None,
    })
}

/// A name in lower case without the final dot; the root is "".
fn text_of(name: &Name) -> Box<str> {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).into()
}

fn joined(strings: &[Box<[u8]>]) -> Box<str> {
    let mut octets = strings.concat();
    octets.truncate(TEXT_OCTETS_MAX);
    String::from_utf8_lossy(&octets).into()
}

pub(super) fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::Mx => RecordType::MX,
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Txt => RecordType::TXT,
        RecordKind::Ns => RecordType::NS,
        RecordKind::Ds => RecordType::DS,
        RecordKind::Caa => RecordType::CAA,
        RecordKind::Ptr => RecordType::PTR,
    }
}
