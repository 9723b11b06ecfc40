//! Packing: from lines of text to the bytes of a [`DomainList`].
//!
//! A line is a domain, perhaps with a tag behind it (`example.com 2`); `#` begins a comment. Domains become
//! A-labels in lower case (UTS 46). A line that is no domain is refused with its number and the rest is packed,
//! since one bad line must not cost a whole list. Whether a result is good enough to use is for the caller.

use std::{borrow::Cow, collections::BTreeMap};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{
    ListsError,
    domain_list::{DomainList, public_suffix},
};

/// Which names a list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Domains that somebody can register, or names below them; not `com`, not `co.uk`.
    Domains,
    /// Top-level domains.
    TopLevel,
}

/// A packed list, and what did not make it in.
#[derive(Debug)]
pub struct Packed {
    /// The list.
    pub list: DomainList,
    /// Lines that hold no name of the kind wanted, in order.
    pub refused: Vec<RefusedLine>,
}

/// A line that is not in the packed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Packs the lines of `text`; a line without a tag of its own gets `tag`.
pub fn pack(text: &str, names: Names, tag: u64) -> Result<Packed, ListsError> {
    let mut packer = Packer::default();
    packer.add_text(text, names, tag);
    packer.finish()
}

/// Collects entries from several sources. Where two disagree about a domain, the smaller tag wins: a domain that
/// is both curated (1) and broadly listed (2) is curated.
#[derive(Debug, Default)]
pub(super) struct Packer {
    entries: BTreeMap<String, u64>,
    refused: Vec<RefusedLine>,
}

impl Packer {
    /// Adds the lines of a text.
    pub(super) fn add_text(&mut self, text: &str, names: Names, tag: u64) {
        // Lists that were saved by a Windows editor begin with a byte order mark.
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            match parse_line(line, names, tag) {
                Ok(Some((domain, tag))) => self.add(&domain, tag),
                Ok(None) => {}
                Err(reason) => self.refused.push(RefusedLine { number: index + 1, reason }),
            }
        }
    }

    /// Adds one domain, which is an A-label in lower case already.
    pub(super) fn add(&mut self, domain: &str, tag: u64) {
        let listed = self.entries.entry(domain.to_owned()).or_insert(tag);
        *listed = tag.min(*listed);
    }

    /// Drops every entry for which `unwanted` is true; returns how many.
    pub(super) fn remove(&mut self, unwanted: impl Fn(&str) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|domain, _| !unwanted(domain));
        before - self.entries.len()
    }

    /// Packs what was collected.
    pub(super) fn finish(self) -> Result<Packed, ListsError> {
        Ok(Packed { list: DomainList::from_entries(&self.entries)?, refused: self.refused })
    }
}

/// A name as an A-label in lower case, or why it is none that `names` allows.
pub fn normalise(name: &str, names: Names) -> Result<Cow<'_, str>, &'static str> {
    // Usual ways to say "and everything below it" and "addresses at": a listed parent means both anyway.
    let name = name.strip_prefix("*.").or(name.strip_prefix('@')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| "not a domain name")?;
    let top = ascii.rsplit('.').next().unwrap_or_default();
    if top.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the top-level domain is a number");
    }
    match (names, ascii.contains('.')) {
        (Names::TopLevel, true) => Err("not a top-level domain"),
        (Names::Domains, false) => Err("only one label"),
        (Names::Domains, true) if is_registry(&ascii) => Err("a suffix under which anyone registers names"),
        _ => Ok(ascii),
    }
}

/// Whether the name is run by a registry, like `co.uk`. Suffixes that a company runs (`duckdns.org`) are not meant:
/// they are somebody's domain, and can have mailboxes.
fn is_registry(name: &str) -> bool {
    public_suffix(name).len() == name.len()
        && psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.typ() == Some(psl::Type::Icann))
}

fn parse_line(line: &str, names: Names, tag: u64) -> Result<Option<(Cow<'_, str>, u64)>, &'static str> {
    let content = line.split_once('#').map_or(line, |(content, _comment)| content);
    let mut words = content.split_ascii_whitespace();
    let Some(name) = words.next() else { return Ok(None) };
    let tag = match words.next() {
        Some(word) => word.parse().map_err(|_| "the tag is no number")?,
        None => tag,
    };
    if words.next().is_some() {
        return Err("more than a domain and a tag");
    }
    Ok(Some((normalise(name, names)?, tag)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn domains(packed: &Packed) -> Vec<(String, u64)> {
        packed.list.iter().map(|(domain, tag)| (domain.to_owned(), tag)).collect()
    }

    fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(domain, tag)| ((*domain).to_owned(), *tag)).collect()
    }

    #[test]
    fn lines_become_lower_case_a_labels() {
        let text = "\u{feff}# Title\r\n Trash.EXAMPLE \r\n\r\nmüll.example # German\n*.wild.example\n@at.example\ndot.example.\n";
        let packed = pack(text, Names::Domains, 1).unwrap();
        let expected = ["at.example", "dot.example", "trash.example", "wild.example", "xn--mll-hoa.example"];
        assert_eq!(domains(&packed), pairs(&expected.map(|name| (name, 1))));
        assert_eq!(packed.refused, []);
    }

    #[test]
    fn lines_that_are_no_domain_are_refused_with_their_numbers() {
        let text = "good.example\nno dots here\nlocalhost\n-bad.example\n192.0.2.7\nco.uk\n\na_b.example\nx.example y\na..b";
        let packed = pack(text, Names::Domains, 1).unwrap();
        assert_eq!(domains(&packed), pairs(&[("good.example", 1)]));
        let numbers: Vec<usize> = packed.refused.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [2, 3, 4, 5, 6, 8, 9, 10]);
    }

    #[test]
    fn over_long_names_are_refused() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(normalise(&longest, Names::Domains).is_ok());
        assert!(normalise(&format!("{longest}a"), Names::Domains).is_err());
        assert!(normalise(&format!("{label}a.example"), Names::Domains).is_err());
    }

    #[test]
    fn the_smaller_tag_wins_in_any_order() {
        let packed =
            pack("a.example 2\na.example 1\nb.example 1\nb.example 2\nc.example", Names::Domains, 2).unwrap();
        assert_eq!(domains(&packed), pairs(&[("a.example", 1), ("b.example", 1), ("c.example", 2)]));
    }

    #[test]
    fn top_level_domains_have_no_dot() {
        let packed = pack("top 2984\nрф 3\nco.uk 1\n123 1", Names::TopLevel, 0).unwrap();
        assert_eq!(domains(&packed), pairs(&[("top", 2984), ("xn--p1ai", 3)]));
        assert_eq!(packed.refused.len(), 2);
    }

    #[test]
    fn entries_can_be_taken_out_again() {
        let mut packer = Packer::default();
        packer.add_text("a.example\nb.example", Names::Domains, 1);
        assert_eq!(packer.remove(|domain| domain == "a.example"), 1);
        assert_eq!(domains(&packer.finish().unwrap()), pairs(&[("b.example", 1)]));
    }

    proptest! {
        #[test]
        fn packing_sorts_the_distinct_lines(
            names in proptest::collection::vec("[a-c]{1,3}(\\.[a-c]{1,3}){1,3}\\.example", 0..50),
        ) {
            let packed = pack(&names.join("\n"), Names::Domains, 1).unwrap();
            let distinct: BTreeSet<String> = names.into_iter().collect();
            let listed: Vec<&str> = packed.list.iter().map(|(domain, _)| domain).collect();
            prop_assert_eq!(packed.list.len(), distinct.len());
            prop_assert_eq!(listed, Vec::from_iter(&distinct));
        }

        #[test]
        fn normalising_is_idempotent(name in "[a-zA-Zäß0-9-]{1,8}\\.[a-z]{2,6}") {
            if let Ok(once) = normalise(&name, Names::Domains) {
                prop_assert_eq!(normalise(&once, Names::Domains), Ok(once.clone()));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            pack(&text, Names::Domains, 1).unwrap();
        }
    }
}
