//! DNS messages as octets (RFC 1035, 4), as far as a server of few types needs them.

use std::net::Ipv4Addr;

use crate::zone::{Answer, Record, RecordData, RecordType};

/// Octets of a message's head.
const HEAD: usize = 12;

/// Largest answer over UDP to those who do not say that they can take more (RFC 1035, 4.2.1).
const UDP_MAX_PLAIN: u16 = 512;

/// Largest answer over UDP to anybody.
const UDP_MAX: u16 = 1232;

/// The name of the question, wherever it occurs again (RFC 1035, 4.1.4).
const POINTER_TO_QUESTION: [u8; 2] = [0xc0, 12];

/// The type of the pseudo-record by which a client says what it can take (RFC 6891).
const OPT: u16 = 41;

const QR_AA_RA: u16 = 0x8480;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Query {
    id: u16,
    recursion_desired: u16,
    name: String,
    record_type: RecordType,
    /// The question as it came.
    question: Vec<u8>,
    udp_max: u16,
}

impl Query {
    /// Reads a packet; `None` when it is no question.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let flags = word(2)?;
        let is_question = flags & 0x8000 == 0 && word(4)? == 1;
        let (name, end) = read_name(packet)?;
        let record_type = RecordType::of_number(word(end)?);
        let has_options = word(10)? > 0 && word(end + 5) == Some(OPT);
        let udp_max = if has_options { word(end + 7)? } else { UDP_MAX_PLAIN };
        is_question.then(|| Self {
            id: u16::from_be_bytes([packet[0], packet[1]]),
            recursion_desired: flags & RECURSION_DESIRED,
            name,
            record_type,
            question: packet[HEAD..end + 4].to_vec(),
            udp_max: udp_max.clamp(UDP_MAX_PLAIN, UDP_MAX),
        })
    }

    /// What is asked about, lower case, without the final dot.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is asked for.
    pub(super) fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// Octets that the client takes over UDP.
    pub(super) fn udp_max(&self) -> usize {
        self.udp_max.into()
    }

    /// The answer as a message, cut off if it would take more than `octets_max`; `None` for silence.
    pub(super) fn reply(&self, answer: &Answer, octets_max: usize) -> Option<Vec<u8>> {
        let reply = self.reply_with(answer, &[])?;
        Some(if reply.len() > octets_max { self.truncated() } else { reply })
    }

    /// The same, with records of names that nobody asked about.
    pub(super) fn reply_with_strangers(&self, answer: &Answer) -> Option<Vec<u8>> {
        let data = RecordData::A(FORGED);
        self.reply_with(answer, &[Record { name: "stranger.test".into(), ttl: 86_400, data }])
    }

    /// An answer that does not fit.
    pub(super) fn truncated(&self) -> Vec<u8> {
        self.head(self.id, TRUNCATED, [0, 0, 0])
    }

    fn reply_with(&self, answer: &Answer, strangers: &[Record]) -> Option<Vec<u8>> {
        const NONE: &[Record] = &[];
        let (code, records, is_negative) = match answer {
            Answer::Records(records) => (0, &**records, 0),
            Answer::NoData => (0, NONE, 1),
            Answer::ServFail => (2, NONE, 0),
            Answer::NxDomain => (3, NONE, 1),
            Answer::Refused => (5, NONE, 0),
            Answer::Silent => return None,
        };
        let mut message = self.head(self.id, code, [records.len(), is_negative, strangers.len()]);
        for record in records {
            push_record(&mut message, record, &self.name);
        }
        if is_negative == 1 {
            push_authority(&mut message);
        }
        for record in strangers {
            push_record(&mut message, record, &self.name);
        }
        Some(message)
    }

    /// Head and question. `counts` are those of answers, authorities and additional records.
    fn head(&self, id: u16, flags_and_code: u16, counts: [usize; 3]) -> Vec<u8> {
        let mut message = Vec::with_capacity(512);
        for word in [id, QR_AA_RA | self.recursion_desired | flags_and_code, 1] {
            message.extend(word.to_be_bytes());
        }
        for count in counts {
            message.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
        message.extend(&self.question);
        message
    }
}

/// Where forged answers lead.
const FORGED: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// Answers that a client has to ignore, and whether each has to come from another port: with another id; to another
/// question; right in everything else.
pub(super) fn forgeries(query: &Query) -> [(Vec<u8>, bool); 3] {
    let data = match query.record_type {
        RecordType::Mx => RecordData::Mx { preference: 0, exchange: String::new() },
        _ => RecordData::A(FORGED),
    };
    let forge = |query: &Query, id| {
        let mut message = query.head(id, 0, [1, 0, 0]);
        push_record(
            &mut message,
            &Record { name: query.name.clone(), ttl: 86_400, data: data.clone() },
            &query.name,
        );
        message
    };
    let mut other_question = query.clone();
    other_question.name = "stranger.test".into();
    other_question.question =
        [&name_octets(&other_question.name)[..], &query.question[query.question.len() - 4..]].concat();
    [
        (forge(query, query.id.wrapping_add(1)), false),
        (forge(&other_question, query.id), false),
        (forge(query, query.id), true),
    ]
}

/// The name after the head, and where it ends. Questions are not compressed.
fn read_name(packet: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEAD);
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = packet.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

fn name_octets(name: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap_or(63));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

fn push_record(message: &mut Vec<u8>, record: &Record, question: &str) {
    if record.name == question {
        message.extend(POINTER_TO_QUESTION);
    } else {
        message.extend(name_octets(&record.name));
    }
    let data = match &record.data {
        RecordData::A(address) => address.octets().to_vec(),
        RecordData::Aaaa(address) => address.octets().to_vec(),
        RecordData::Mx { preference, exchange } => {
            [&preference.to_be_bytes()[..], &name_octets(exchange)].concat()
        }
        RecordData::Cname(name) | RecordData::Ns(name) | RecordData::Ptr(name) => name_octets(name),
        RecordData::Txt(texts) => texts
            .iter()
            .flat_map(|text| std::iter::once(u8::try_from(text.len()).unwrap_or(u8::MAX)).chain(text.bytes()))
            .collect(),
    };
    push_body(message, record.data.record_type().number(), record.ttl, &data);
}

/// The SOA record of the root, which says for how long a "no" may be remembered (RFC 2308).
fn push_authority(message: &mut Vec<u8>) {
    const SOA: u16 = 6;
    const SECONDS: u32 = 300;
    let numbers = [1, 3600, 600, 86_400, SECONDS].into_iter().flat_map(u32::to_be_bytes);
    let data: Vec<u8> = [0, 0].into_iter().chain(numbers).collect();
    message.push(0);
    push_body(message, SOA, SECONDS, &data);
}

fn push_body(message: &mut Vec<u8>, record_type: u16, ttl: u32, data: &[u8]) {
    const IN: u16 = 1;
    message.extend(record_type.to_be_bytes());
    message.extend(IN.to_be_bytes());
    message.extend(ttl.to_be_bytes());
    message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a.test MX`, with or without room for more than 512 octets.
    fn query(options: bool) -> Query {
        let mut packet = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options)];
        packet.extend(name_octets("A.test"));
        packet.extend([0, 15, 0, 1]);
        if options {
            packet.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        }
        Query::read(&packet).expect("a question")
    }

    fn answer(count: u16) -> Answer {
        let data = |preference| RecordData::Mx { preference, exchange: "mx.a.test".into() };
        Answer::Records(
            (0..count).map(|n| Record { name: "a.test".into(), ttl: 60, data: data(n) }).collect(),
        )
    }

    #[test]
    fn reads_a_question() {
        let query = query(true);
        assert_eq!((query.name(), query.record_type()), ("a.test", RecordType::Mx));
        assert_eq!(query.udp_max(), 1232);
        assert!(Query::read(&[0; 5]).is_none() && Query::read(&[0xff; 40]).is_none());
    }

    #[test]
    fn says_what_kind_of_no_it_is() {
        for (answer, code, authorities) in [
            (Answer::NoData, 0, 1),
            (Answer::NxDomain, 3, 1),
            (Answer::ServFail, 2, 0),
            (Answer::Refused, 5, 0),
        ] {
            let reply = query(false).reply(&answer, 512).expect("a reply");
            assert_eq!((reply[3] & 0xf, reply[7], reply[9]), (code, 0, authorities), "{answer:?}");
            assert_eq!(reply[..2], [0x12, 0x34]);
        }
        assert_eq!(query(false).reply(&Answer::Silent, 512), None);
    }

    #[test]
    fn answers_that_do_not_fit_are_cut_off() {
        let query = query(false);
        let cut = query.reply(&answer(40), query.udp_max()).expect("a reply");
        assert_eq!((cut[2] & 2, cut[7]), (2, 0));
        let whole = query.reply(&answer(40), 65_535).expect("a reply");
        assert_eq!((whole[2] & 2, whole[7]), (0, 40));
    }
}
