//! What the name servers know: names, records, and the faults they have with some of them.
//!
//! One server is authoritative for everything, and answers in full as a recursive one would: chains of CNAMEs are
//! followed. No wildcards, no delegation, no DNSSEC.

mod text;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// CNAMEs that are followed in one answer. More than a careful client follows, so that it has to stop by itself.
const CHAIN_MAX: usize = 32;

/// All names.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    /// By name, lower case, without the final dot. A name without records exists for the sake of those below it.
    names: BTreeMap<String, Vec<Record>>,
    /// By the name at and below which they show.
    faults: BTreeMap<String, Vec<(Option<RecordType>, Fault)>>,
    /// Names that lead to a mail server, by whatever address it gets: (name, server, TTL).
    pub(crate) leads: Vec<(String, String, u32)>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Owner, lower case, without the final dot.
    pub name: String,
    /// Seconds.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 1035, 3.3")]
pub enum RecordData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    /// The null MX of RFC 7505 has the exchange `""`: the root.
    Mx {
        preference: u16,
        exchange: String,
    },
    Txt(Vec<String>),
    Cname(String),
    Ns(String),
    Ptr(String),
}

/// A type to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "RFC 1035, 3.2.2")]
pub enum RecordType {
    A,
    Ns,
    Cname,
    Ptr,
    Mx,
    Txt,
    Aaaa,
    /// Any other, by its number. There are no such records here.
    Other(u16),
}

/// What goes wrong with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The answer is SERVFAIL, as for a zone that cannot be loaded or whose signatures are bogus.
    ServFail,
    /// The answer is REFUSED.
    Refused,
    /// There is none.
    Silent,
    /// It is cut off over UDP, and there is none over TCP.
    Truncated,
    /// Forged ones come first: with another id, for another question, from another port. The true one carries
    /// records that nobody asked for.
    Forged,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These; a chain of CNAMEs first, if there is one. A chain that never ends is all there is.
    Records(Vec<Record>),
    /// The name exists, without records of that type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The server failed.
    ServFail,
    /// The server would not say.
    Refused,
    /// Nothing came.
    Silent,
}

impl RecordData {
    /// Its type.
    pub fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Mx { .. } => RecordType::Mx,
            Self::Txt(_) => RecordType::Txt,
            Self::Cname(_) => RecordType::Cname,
            Self::Ns(_) => RecordType::Ns,
            Self::Ptr(_) => RecordType::Ptr,
        }
    }
}

impl RecordType {
    /// The type with this number.
    pub fn of_number(number: u16) -> Self {
        [Self::A, Self::Ns, Self::Cname, Self::Ptr, Self::Mx, Self::Txt, Self::Aaaa]
            .into_iter()
            .find(|known| known.number() == number)
            .unwrap_or(Self::Other(number))
    }

    /// Its number.
    pub fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Ptr => 12,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Other(number) => number,
        }
    }
}

impl Zone {
    /// Adds a record. The names above its own exist with it.
    pub fn add(&mut self, record: Record) {
        for (dot, _) in record.name.match_indices('.') {
            self.names.entry(record.name[dot + 1..].to_owned()).or_default();
        }
        self.names.entry(record.name.clone()).or_default().push(record);
    }

    /// Adds an address of a name, as an A or AAAA record.
    pub fn add_address(&mut self, name: &str, ttl: u32, address: IpAddr) {
        let data = match address {
            IpAddr::V4(address) => RecordData::A(address),
            IpAddr::V6(address) => RecordData::Aaaa(address),
        };
        self.add(Record { name: name.to_owned(), ttl, data });
    }

    /// Adds a fault at `name` and below, with questions for one type or for all.
    pub fn add_fault(&mut self, name: &str, record_type: Option<RecordType>, fault: Fault) {
        self.faults.entry(name.to_owned()).or_default().push((record_type, fault));
    }

    /// The addresses of a name, by its own records.
    pub fn addresses(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        self.names.get(name).into_iter().flatten().filter_map(|record| match record.data {
            RecordData::A(address) => Some(address.into()),
            RecordData::Aaaa(address) => Some(address.into()),
            _ => None,
        })
    }

    /// The fault with a question, if there is one.
    pub fn fault(&self, name: &str, record_type: RecordType) -> Option<Fault> {
        let above = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        std::iter::once(name)
            .chain(above)
            .filter_map(|name| self.faults.get(name))
            .flatten()
            .find(|(concerned, _)| concerned.is_none_or(|concerned| concerned == record_type))
            .map(|(_, fault)| *fault)
    }

    /// What becomes of a question when nobody interferes with packets. `name` is in lower case, without final dot.
    pub fn lookup(&self, name: &str, record_type: RecordType) -> Answer {
        let (mut name, mut answer) = (name, Vec::new());
        loop {
            match self.fault(name, record_type) {
                Some(Fault::ServFail) => return Answer::ServFail,
                Some(Fault::Refused) => return Answer::Refused,
                Some(Fault::Silent | Fault::Truncated) => return Answer::Silent,
                Some(Fault::Forged) | None => {}
            }
            let Some(records) = self.names.get(name) else { return Answer::NxDomain };
            answer.extend(records.iter().filter(|it| it.data.record_type() == record_type).cloned());
            let alias = records.iter().find_map(|record| match &record.data {
                RecordData::Cname(target) if record_type != RecordType::Cname => Some((record, target)),
                _ => None,
            });
            match alias {
                Some((record, target)) if answer.len() < CHAIN_MAX => {
                    answer.push(record.clone());
                    name = target;
                }
                Some(_) => return Answer::Records(answer),
                None if answer.last().is_some_and(|last| last.data.record_type() == record_type) => {
                    return Answer::Records(answer);
                }
                None => return Answer::NoData,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(zone: &str, name: &str, record_type: RecordType) -> Answer {
        zone.parse::<Zone>().unwrap().lookup(name, record_type)
    }

    #[test]
    fn all_kinds_of_no() {
        let zone = "a.test MX 10 mx.a.test\nbroken.test SERVFAIL\nrude.test REFUSED\nmute.test SILENT MX";
        assert_eq!(ask(zone, "b.test", RecordType::Mx), Answer::NxDomain);
        assert_eq!(ask(zone, "a.test", RecordType::A), Answer::NoData);
        assert_eq!(ask(zone, "test", RecordType::A), Answer::NoData, "a name above another one exists");
        assert_eq!(ask(zone, "below.broken.test", RecordType::A), Answer::ServFail);
        assert_eq!(ask(zone, "rude.test", RecordType::A), Answer::Refused);
        assert_eq!(ask(zone, "mute.test", RecordType::Mx), Answer::Silent);
        assert_eq!(ask(zone, "mute.test", RecordType::A), Answer::NxDomain, "the fault is with MX alone");
    }

    #[test]
    fn aliases_are_followed() {
        let zone = "www.a.test CNAME a.test\na.test A 192.0.2.1\nnowhere.test CNAME b.test";
        let Answer::Records(records) = ask(zone, "www.a.test", RecordType::A) else { panic!("no records") };
        assert_eq!(records.len(), 2);
        assert_eq!(records[1].data, RecordData::A(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(ask(zone, "nowhere.test", RecordType::A), Answer::NxDomain);
        assert_eq!(ask(zone, "www.a.test", RecordType::Mx), Answer::NoData);
        assert!(matches!(ask(zone, "www.a.test", RecordType::Cname), Answer::Records(_)));
    }

    #[test]
    fn loop_of_aliases_ends() {
        let zone = "a.test CNAME b.test\nb.test CNAME a.test";
        let Answer::Records(records) = ask(zone, "a.test", RecordType::A) else { panic!("no records") };
        assert_eq!(records.len(), CHAIN_MAX);
    }
}
