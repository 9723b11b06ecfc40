//! Duplicates: rows of a job that name the mailbox of an earlier one. The first is verified, the others only say which
//! it is.
//!
//! Two inputs are the same when nothing but white space around them, the case of ASCII letters, and the way of writing
//! the domain tells them apart. What is no address is no duplicate: it has an answer of its own, which costs nothing.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
};

use mailsonde_builtin::syntax::{self, Policy};

/// For each input, the number from 1 of the row in which its mailbox stood first; `None` for those that are the first.
pub(crate) fn mark(inputs: &[String]) -> Vec<Option<u32>> {
    let mut seen = Seen::default();
    (1..).zip(inputs).map(|(row, input)| seen.before(row, input)).collect()
}

/// Domains whose A-labels are remembered, and their octets: enough for any list of one country, and 5 MB at most.
const DOMAINS_MAX: usize = 10_000;
const DOMAIN_MAX: usize = 255;

/// Mailboxes by two hashes of 64 bits. Their keys are drawn anew each time, so nobody can choose inputs that clash.
#[derive(Default)]
pub(crate) struct Seen {
    hashers: [RandomState; 2],
    first: HashMap<[u64; 2], u32>,
    /// A-labels of domains that were written otherwise.
    domains: HashMap<Box<str>, Box<str>>,
    /// The mailbox that is looked at, kept for its room.
    mailbox: String,
}

impl Seen {
    /// The number of the row in which the mailbox of `input` stood first, where that was an earlier one. Rows are asked
    /// about in their order.
    pub(crate) fn before(&mut self, row: u32, input: &str) -> Option<u32> {
        let (local, domain) = input.trim().rsplit_once('@')?;
        self.mailbox.clear();
        self.mailbox.push_str(local);
        self.mailbox.push('@');
        if domain.is_ascii() {
            self.mailbox.push_str(domain);
        } else {
            self.push_a_labels(domain);
        }
        self.mailbox.make_ascii_lowercase();
        let [one, other] = &self.hashers;
        match self.first.entry([one, other].map(|hasher| hasher.hash_one(&self.mailbox))) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(row);
                None
            }
        }
    }
}

impl Seen {
    /// To find out costs more than to remember, for those that come again and again.
    fn push_a_labels(&mut self, domain: &str) {
        if let Some(known) = self.domains.get(domain) {
            self.mailbox.push_str(known);
            return;
        }
        let found = a_labels(domain);
        self.mailbox.push_str(&found);
        if domain.len() <= DOMAIN_MAX {
            if self.domains.len() >= DOMAINS_MAX {
                self.domains.clear();
            }
            self.domains.insert(domain.into(), found);
        }
    }
}

/// The domain as it goes over the wire; as it was written, where it is none.
fn a_labels(domain: &str) -> Box<str> {
    let parsed = syntax::parse(&format!("a@{domain}"), Policy::Rfc5322);
    parsed.map_or_else(|_| domain.into(), |address| address.domain().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(inputs: &[&str]) -> Vec<Option<u32>> {
        mark(&inputs.iter().map(|input| (*input).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn spellings_of_a_mailbox_are_one() {
        let same = [
            "jane@bücher.example",
            " jane@bücher.example\t",
            "JANE@BÜCHER.example",
            "Jane@xn--bcher-kva.example",
            "jane@XN--BCHER-KVA.EXAMPLE",
            "jane@bu\u{308}cher.example",
        ];
        assert_eq!(marked(&same), [None, Some(1), Some(1), Some(1), Some(1), Some(1)]);
        assert_eq!(marked(&["b@x.example", "a@x.example", "a@X.example"]), [None, None, Some(2)]);
    }

    #[test]
    fn others_are_told_apart() {
        let different = [
            "jane@example.com",
            "jane+a@example.com",
            "ja.ne@example.com",
            "jane@example.org",
            "jane@sub.example.com",
            "\"jane\"@example.com",
            "jane@example.com.",
            "<jane@example.com>",
            "jürgen@example.com",
            "JÜRGEN@example.com",
        ];
        assert_eq!(marked(&different), [None; 10]);
    }

    #[test]
    fn what_is_no_address_is_no_duplicate() {
        assert_eq!(marked(&["", " ", "", "jane", "jane", "\u{3000}"]), [None; 6]);
    }

    #[test]
    fn all_of_many_are_found() {
        let inputs: Vec<String> =
            (0..20_000).map(|row| format!("p{}@d{}.example", row % 7_000, row % 7)).collect();
        let marks = mark(&inputs);
        assert!(marks[..7_000].iter().all(Option::is_none));
        assert!((7_000..20_000).all(|at| marks[at] == Some(u32::try_from(at % 7_000).unwrap() + 1)));
    }
}
