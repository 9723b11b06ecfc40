//! Zones as text: a small part of the master files of RFC 1035, 5.
//!
//! A line is `name [ttl] [IN] TYPE data`, with A, AAAA, MX, TXT, CNAME, NS and PTR. `$ORIGIN` and `$TTL` work as usual, `@`
//! is the origin, `;` begins a comment, a line that begins with a space is about the name before. A name is relative
//! to the origin as long as there is one; without it names are whole, final dot or not. `$GENERATE 1-300 line` is the
//! line with each number for `$`. In place of a record there may be
//!
//! - `HOST mx.a.test`: the address of that mail server, whatever it is;
//! - `SERVFAIL`, `REFUSED`, `SILENT`, `TRUNCATED` or `FORGED`, and types if it is not about all: a
//!   [`Fault`](super::Fault).

use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Fault, Record, RecordData, RecordType, Zone};

/// Until `$TTL` says otherwise.
const TTL_SECONDS: u32 = 300;

impl FromStr for Zone {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut reader =
            Reader { zone: Self::default(), origin: String::new(), ttl: TTL_SECONDS, owner: None };
        for (number, line) in (1..).zip(text.lines()) {
            reader.line(line).with_context(|| format!("line {number} of the zone: {line}"))?;
        }
        Ok(reader.zone)
    }
}

/// A zone, as far as it was read.
struct Reader {
    zone: Zone,
    /// Lower case, without final dot; empty for none.
    origin: String,
    ttl: u32,
    owner: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(rest) = line.strip_prefix("$GENERATE ") {
            return self.generate(rest);
        }
        let words = words(line)?;
        let mut words = words.iter().map(String::as_str).peekable();
        match words.peek() {
            None => return Ok(()),
            Some(&"$ORIGIN") => {
                self.origin = self.name(words.nth(1).context("an origin is missing")?);
                return Ok(());
            }
            Some(&"$TTL") => {
                self.ttl = words.nth(1).context("a TTL is missing")?.parse()?;
                return Ok(());
            }
            Some(_) => {}
        }
        if !line.starts_with([' ', '\t']) {
            self.owner = words.next().map(|name| self.name(name));
        }
        let owner = self.owner.clone().context("there is no name yet")?;
        let ttl = match words.peek().and_then(|word| word.parse().ok()) {
            Some(ttl) => {
                words.next();
                ttl
            }
            None => self.ttl,
        };
        words.next_if_eq(&"IN");
        let kind = words.next().context("a type is missing")?;
        self.entry(&owner, ttl, kind, &words.collect::<Vec<_>>())
    }

    /// `1-300 line with $`.
    fn generate(&mut self, rest: &str) -> Result<()> {
        let (range, line) = rest.trim_start().split_once(' ').context("expected a range and a line")?;
        let (first, last) = range.split_once('-').context("expected a range such as 1-300")?;
        for number in first.parse::<u32>()?..=last.parse()? {
            self.line(&line.replace('$', &number.to_string()))?;
        }
        Ok(())
    }

    fn entry(&mut self, owner: &str, ttl: u32, kind: &str, data: &[&str]) -> Result<()> {
        if let Some(fault) = fault(kind) {
            if data.is_empty() {
                self.zone.add_fault(owner, None, fault);
            }
            for name in data {
                let record_type = record_type(name).with_context(|| format!("{name} is no type"))?;
                self.zone.add_fault(owner, Some(record_type), fault);
            }
            return Ok(());
        }
        let data = match (kind, data) {
            ("HOST", [host]) => {
                self.zone.leads.push((owner.to_owned(), self.name(host), ttl));
                return Ok(());
            }
            ("A", [address]) => RecordData::A(address.parse()?),
            ("AAAA", [address]) => RecordData::Aaaa(address.parse()?),
            ("MX", [preference, exchange]) => {
                RecordData::Mx { preference: preference.parse()?, exchange: self.name(exchange) }
            }
            ("CNAME", [target]) => RecordData::Cname(self.name(target)),
            ("NS", [server]) => RecordData::Ns(self.name(server)),
            ("PTR", [name]) => RecordData::Ptr(self.name(name)),
            ("TXT", texts) if !texts.is_empty() => {
                RecordData::Txt(texts.iter().map(|&text| text.to_owned()).collect())
            }
            _ => bail!("no such type, or not its data"),
        };
        self.zone.add(Record { name: owner.to_owned(), ttl, data });
        Ok(())
    }

    /// A name in full, in lower case, without the final dot.
    fn name(&self, written: &str) -> String {
        let name = match written.strip_suffix('.') {
            Some(whole) => whole.to_owned(),
            None if written == "@" => self.origin.clone(),
            None if self.origin.is_empty() => written.to_owned(),
            None => format!("{written}.{}", self.origin),
        };
        name.to_ascii_lowercase()
    }
}

fn fault(word: &str) -> Option<Fault> {
    Some(match word {
        "SERVFAIL" => Fault::ServFail,
        "REFUSED" => Fault::Refused,
        "SILENT" => Fault::Silent,
        "TRUNCATED" => Fault::Truncated,
        "FORGED" => Fault::Forged,
        _ => return None,
    })
}

fn record_type(word: &str) -> Option<RecordType> {
    Some(match word {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "TXT" => RecordType::Txt,
        "CNAME" => RecordType::Cname,
        "NS" => RecordType::Ns,
        "PTR" => RecordType::Ptr,
        _ => return None,
    })
}

/// The words of a line, quoted ones without their quotes, up to a comment.
fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == ';' {
            break;
        }
        let (word, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.split_once('"').context("a quote is not closed")?
        } else {
            rest.split_at(rest.find([' ', '\t', ';']).unwrap_or(rest.len()))
        };
        ensure!(word.len() <= 255, "a word of more than 255 octets"); // what a TXT record can hold
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::super::Answer;
    use super::*;

    fn data(zone: &str, name: &str, record_type: RecordType) -> Vec<RecordData> {
        match zone.parse::<Zone>().unwrap().lookup(name, record_type) {
            Answer::Records(records) => records.into_iter().map(|record| record.data).collect(),
            answer => panic!("{name}: {answer:?}"),
        }
    }

    #[test]
    fn reads_every_type() {
        let zone = r#"
            ; a comment
$ORIGIN a.test.
$TTL 60
@       IN MX 10 mx   ; its own
        MX 20 MX.B.test.
        TXT "v=spf1 -all; really" plain
mx 5 A 192.0.2.1
        AAAA 2001:db8::1
www     CNAME @
@ NS ns
"#;
        let mx = |preference, exchange: &str| RecordData::Mx { preference, exchange: exchange.into() };
        assert_eq!(data(zone, "a.test", RecordType::Mx), [mx(10, "mx.a.test"), mx(20, "mx.b.test")]);
        let texts = RecordData::Txt(vec!["v=spf1 -all; really".into(), "plain".into()]);
        assert_eq!(data(zone, "a.test", RecordType::Txt), [texts]);
        assert_eq!(data(zone, "mx.a.test", RecordType::A), [RecordData::A(Ipv4Addr::new(192, 0, 2, 1))]);
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        assert_eq!(data(zone, "mx.a.test", RecordType::Aaaa), [RecordData::Aaaa(v6)]);
        assert_eq!(data(zone, "www.a.test", RecordType::Cname), [RecordData::Cname("a.test".into())]);
        assert_eq!(data(zone, "a.test", RecordType::Ns), [RecordData::Ns("ns.a.test".into())]);
    }

    #[test]
    fn null_mx_is_the_root() {
        let mx = RecordData::Mx { preference: 0, exchange: String::new() };
        assert_eq!(data("a.test MX 0 .", "a.test", RecordType::Mx), [mx]);
    }

    #[test]
    fn generates() {
        assert_eq!(data("$GENERATE 1-500 a.test MX $ mx$.a.test", "a.test", RecordType::Mx).len(), 500);
    }

    #[test]
    fn nonsense_is_an_error_with_its_line() {
        for nonsense in
            ["a.test", "a.test MX mx", "a.test A nowhere", " A 192.0.2.1", "a.test TXT \"open", "a WHAT 1"]
        {
            let error = format!("\n{nonsense}").parse::<Zone>().unwrap_err();
            assert!(format!("{error:#}").starts_with("line 2 "), "{nonsense}: {error:#}");
        }
    }
}
