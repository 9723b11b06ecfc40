//! What records and answers mean: pure reading, no questions.

use std::{net::IpAddr, sync::Arc};

use mailsonde_engine::{DmarcPolicy, Lookup, RecordData};

/// The records of an answer, none where there are none; `None` without an answer.
pub(super) fn answered(lookup: Lookup) -> Option<Arc<[RecordData]>> {
    match lookup {
        Lookup::Found(records) => Some(records),
        Lookup::NoData | Lookup::NoDomain => Some(Arc::from([])),
        Lookup::Failed(_) => None,
    }
}

pub(super) fn texts(records: &[RecordData]) -> impl Iterator<Item = &str> {
    records.iter().filter_map(|record| match record {
        RecordData::Txt(text) => Some(&**text),
        _ => None,
    })
}

/// `v=spf1`, alone or before a space, in any case (RFC 7208 §4.5).
pub(super) fn is_spf(record: &RecordData) -> bool {
    let RecordData::Txt(text) = record else { return false };
    let (version, rest) = text.split_at_checked("v=spf1".len()).unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1") && (rest.is_empty() || rest.starts_with(' '))
}

/// Whether the first tag is this version, as all three RFCs want it: exactly so, and first.
pub(super) fn has_version(text: &str, version: &str) -> bool {
    let (name, wanted) = version.split_once('=').unwrap_or_default();
    tags(text).next() == Some((name, wanted))
}

/// `name=value` pairs between semicolons, without the white space around them.
fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|tag| tag.split_once('=')).map(|(name, value)| (name.trim(), value.trim()))
}

/// The value of the first of these tags that a record has. One that makes no sense asks for nothing.
pub(super) fn dmarc_policy(text: &str, wanted: &[&str]) -> DmarcPolicy {
    let value_of = |wanted: &&str| tags(text).find(|(name, _)| name == wanted).map(|(_, value)| value);
    match wanted.iter().find_map(value_of) {
        Some(value) if value.eq_ignore_ascii_case("reject") => DmarcPolicy::Reject,
        Some(value) if value.eq_ignore_ascii_case("quarantine") => DmarcPolicy::Quarantine,
        _ => DmarcPolicy::None,
    }
}

/// A listed name has an address in 127/8 (RFC 5782 §2.1). 127.255.255/24 tells of an error, usually that the zone
/// refuses the name server it was asked through, and any other address that the zone has fallen into other hands.
pub(super) fn is_listed(lookup: Lookup) -> Option<bool> {
    let records = answered(lookup)?;
    let mut codes = records.iter().filter_map(|record| match record {
        RecordData::Address(IpAddr::V4(address)) => Some(address.octets()),
        _ => None,
    });
    if records.is_empty() {
        return Some(false);
    }
    codes.all(|code| code[0] == 127 && code[..3] != [127, 255, 255]).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spf_begins_with_its_version_and_nothing_else() {
        let is_spf = |text: &str| is_spf(&RecordData::Txt(text.into()));
        for text in ["v=spf1", "v=spf1 -all", "V=SPF1 include:example.net ~all"] {
            assert!(is_spf(text), "{text}");
        }
        for text in ["", "v=spf", "v=spf10 -all", "v=spf1;", " v=spf1", "x v=spf1 -all", "v=spf\u{e9}\u{e9}"]
        {
            assert!(!is_spf(text), "{text}");
        }
    }

    #[test]
    fn a_version_is_the_first_tag_and_exact() {
        for text in ["v=DMARC1", "v=DMARC1;p=none", "v = DMARC1 ; p=none"] {
            assert!(has_version(text, "v=DMARC1"), "{text}");
        }
        for text in ["", "v=DMARC12", "v=dmarc1", "p=none; v=DMARC1", "v=DMARC1 p=none"] {
            assert!(!has_version(text, "v=DMARC1"), "{text}");
        }
    }

    #[test]
    fn policies_are_read_as_receivers_do() {
        for (text, policy) in [
            ("v=DMARC1; p=reject", DmarcPolicy::Reject),
            ("v=DMARC1; pct=5; p = Quarantine ;", DmarcPolicy::Quarantine),
            ("v=DMARC1; p=none; sp=reject", DmarcPolicy::None),
            ("v=DMARC1; p=block", DmarcPolicy::None),
            ("v=DMARC1; rua=mailto:a@example.test", DmarcPolicy::None),
        ] {
            assert_eq!(dmarc_policy(text, &["p"]), policy, "{text}");
        }
        let inherited = |text| dmarc_policy(text, &["sp", "p"]);
        assert_eq!(inherited("v=DMARC1; p=none; sp=reject"), DmarcPolicy::Reject);
        assert_eq!(inherited("v=DMARC1; p=reject"), DmarcPolicy::Reject);
    }
}
