//! DNS answers as a file of cases writes them: `"TXT default._bimi.a.example" = ["v=BIMI1"]`, and words for answers
//! that hold no records. What is written here is read back as the same answer to a plugin.

use std::net::IpAddr;

use mailsonde_engine::{Lookup, LookupFailure, RecordData, RecordKind};
use serde_json::Value;

const KINDS: &[(&str, RecordKind)] = &[
    ("A", RecordKind::A),
    ("AAAA", RecordKind::Aaaa),
    ("MX", RecordKind::Mx),
    ("TXT", RecordKind::Txt),
    ("NS", RecordKind::Ns),
    ("DS", RecordKind::Ds),
    ("CAA", RecordKind::Caa),
    ("PTR", RecordKind::Ptr),
];

const WORDS: &[(&str, Lookup)] = &[
    ("no-data", Lookup::NoData),
    ("no-domain", Lookup::NoDomain),
    ("server-failure", Lookup::Failed(LookupFailure::ServerFailure)),
    ("refused", Lookup::Failed(LookupFailure::Refused)),
    ("timeout", Lookup::Failed(LookupFailure::Timeout)),
    ("unreachable", Lookup::Failed(LookupFailure::Unreachable)),
];

/// A question as a file of cases writes it: `TXT default._bimi.a.example`.
pub(crate) fn question(name: &str, kind: RecordKind) -> String {
    let word = KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word);
    format!("{word} {}", name.trim_end_matches('.').to_ascii_lowercase())
}

/// Reads a question and its answer. The question comes back as [`question`] writes it.
///
/// # Errors
/// What is wrong, for the author.
pub(crate) fn read(asked: &str, answer: &Value) -> Result<(String, Lookup), String> {
    let (word, name) = asked.split_once(' ').unwrap_or((asked, ""));
    let kind = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind);
    let (Some(kind), false) = (kind, name.trim().is_empty()) else {
        let kinds: Vec<_> = KINDS.iter().map(|(word, _)| *word).collect();
        return Err(format!("{asked:?} is no question: one of {} and a name", kinds.join(", ")));
    };
    let lookup = match answer {
        Value::String(word) => WORDS
            .iter()
            .find(|(known, _)| known == word)
            .map(|(_, lookup)| lookup.clone())
            .ok_or_else(|| no_answer(word))?,
        Value::Array(records) => {
            let read = |text: &Value| {
                text.as_str()
                    .and_then(|text| record(kind, text))
                    .ok_or_else(|| format!("{text} is no {word} record"))
            };
            Lookup::Found(records.iter().map(read).collect::<Result<Vec<_>, _>>()?.into())
        }
        other => return Err(no_answer(&other.to_string())),
    };
    Ok((question(name.trim(), kind), lookup))
}

fn no_answer(found: &str) -> String {
    let words: Vec<_> = WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    format!("{found} is no answer: a list of records, or one of {}", words.join(", "))
}

/// The answer as a file of cases writes it: what a plugin gets to see of it.
pub(crate) fn written(lookup: &Lookup) -> Value {
    match lookup {
        Lookup::Found(records) => records.iter().filter_map(RecordData::zone_text).map(Value::from).collect(),
        other => {
            WORDS.iter().find(|(_, known)| known == other).map_or(Value::Null, |(word, _)| (*word).into())
        }
    }
}

fn record(kind: RecordKind, text: &str) -> Option<RecordData> {
    let name = || Box::from(text.trim_end_matches('.'));
    Some(match kind {
        RecordKind::A => RecordData::Address(IpAddr::V4(text.parse().ok()?)),
        RecordKind::Aaaa => RecordData::Address(IpAddr::V6(text.parse().ok()?)),
        RecordKind::Mx => {
            let (preference, exchange) = text.split_once(' ')?;
            let exchange = exchange.trim().trim_end_matches('.').into();
            RecordData::Mx { preference: preference.parse().ok()?, exchange }
        }
        RecordKind::Txt => RecordData::Txt(text.into()),
        RecordKind::Ns => RecordData::Ns(name()),
        RecordKind::Ds | RecordKind::Caa | RecordKind::Ptr => RecordData::Present,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (asked, answer) in [
            ("A a.example", json!(["192.0.2.1", "192.0.2.2"])),
            ("AAAA a.example", json!(["2001:db8::1"])),
            ("MX a.example", json!(["10 mx.a.example", "0 "])),
            ("TXT _dmarc.a.example", json!(["v=DMARC1; p=none"])),
            ("NS a.example", json!(["ns.a.example"])),
            ("DS a.example", json!([""])),
            ("CAA a.example", json!("no-data")),
            ("MX b.example", json!("no-domain")),
            ("MX c.example", json!("timeout")),
            ("MX d.example", json!("server-failure")),
        ] {
            let (question, lookup) = read(asked, &answer).unwrap();
            assert_eq!((question.as_str(), written(&lookup)), (asked, answer));
        }
        assert_eq!(read("txt A.example.", &json!("refused")).unwrap().0, "TXT a.example");
    }

    #[test]
    fn mistakes_are_named() {
        for (asked, answer, said) in [
            ("TEXT a.example", json!([]), "\"TEXT a.example\" is no question"),
            ("TXT", json!([]), "\"TXT\" is no question"),
            ("A a.example", json!(["2001:db8::1"]), "\"2001:db8::1\" is no A record"),
            ("MX a.example", json!(["mx.a.example"]), "is no MX record"),
            ("MX a.example", json!([10]), "10 is no MX record"),
            ("MX a.example", json!("nxdomain"), "nxdomain is no answer"),
            ("MX a.example", json!(true), "true is no answer"),
        ] {
            let error = read(asked, &answer).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
