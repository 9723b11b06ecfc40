//! A compact, read-only map from domains to a small number each (the tag), searched where it lies: nothing is parsed
//! when a list is opened, and nothing is allocated when it is asked.
//!
//! Packed form: the entries as sorted lines of text (`example.com`, or `example.com 2` where the tag is not 1), then a
//! hash table of where each line begins, then the frame. Names are hashed from their last character to their first, so
//! one pass over a domain meets all its parents. (A transducer of crate `fst` needs half the room, but took 190 ns and more
//! to find a listed name; this takes a tenth.) What the tags mean is for others to say.

use std::{borrow::Cow, collections::BTreeMap};

use super::ListsError;

/// Ends a packed list; the digit is the version of the format.
const MAGIC: &[u8] = b"domains1";

/// A slot holds where a line begins in 24 bits: room for about a million domains.
const LINES_OCTETS_MAX: usize = (1 << 24) - 1;

const SLOT_OCTETS: usize = size_of::<u32>();

/// The tag that lines do not spell out.
const DEFAULT_TAG: u64 = 1;

type Octets = Cow<'static, [u8]>;

/// Domains (A-labels, lower case, no final dot) and their tags.
#[derive(Clone)]
pub struct DomainList {
    lines: Octets,
    /// Little endian u32: 0 if empty, else eight bits of the name's hash and 1 + where its line begins.
    slots: Octets,
    len: usize,
    checksum: u64,
}

impl DomainList {
    /// Opens a packed list and reads no more than its frame. A list that was not embedded at compile time must
    /// also [`DomainList::verify`] before it is searched.
    pub fn open(packed: impl Into<Octets>) -> Result<Self, ListsError> {
        let (rest, magic) = split_at_end(packed.into(), MAGIC.len())?;
        if magic != MAGIC {
            return Err(ListsError::Malformed("it is not a packed list"));
        }
        let (rest, checksum) = split_number(rest)?;
        let (rest, len) = split_number(rest)?;
        let (rest, slots_octets) = split_number(rest)?;
        let (lines, slots) = split_at_end(rest, to_usize(slots_octets))?;
        Ok(Self { lines, slots, len: to_usize(len), checksum })
    }

    /// Reads all octets once and compares their checksum.
    pub fn verify(&self) -> Result<(), ListsError> {
        if self.checksum() != self.checksum {
            return Err(ListsError::Malformed("its checksum is wrong"));
        }
        Ok(())
    }

    /// A list of these entries.
    pub(super) fn from_entries(entries: &BTreeMap<String, u64>) -> Result<Self, ListsError> {
        let mut lines = String::new();
        // At most two slots in three are taken, so that a search soon meets an empty one.
        let mut slots = vec![0_u32; entries.len() + entries.len() / 2 + 1];
        for (domain, tag) in entries {
            let hash = Hash::of(domain);
            let mut index = hash.index(slots.len());
            while slots[index] != 0 {
                index = (index + 1) % slots.len();
            }
            slots[index] = hash.slot(lines.len())?;
            lines.push_str(domain);
            if *tag != DEFAULT_TAG {
                lines.push(' ');
                lines.push_str(&tag.to_string());
            }
            lines.push('\n');
        }
        let slots: Vec<u8> = slots.into_iter().flat_map(u32::to_le_bytes).collect();
        let mut list =
            Self { lines: lines.into_bytes().into(), slots: slots.into(), len: entries.len(), checksum: 0 };
        list.checksum = list.checksum();
        Ok(list)
    }

    /// The octets that [`DomainList::open`] takes.
    pub fn to_packed(&self) -> Vec<u8> {
        [&self.lines, &self.slots, self.lengths().as_flattened(), &self.checksum.to_le_bytes(), MAGIC]
            .concat()
    }

    /// Whether this very domain is listed.
    pub fn contains(&self, domain: &str) -> bool {
        self.get(domain).is_some()
    }

    /// The tag of this very domain.
    pub fn get(&self, domain: &str) -> Option<u64> {
        self.find(domain, Hash::of(domain))
    }

    /// The tag and the name of the most specific entry that is `domain` or a parent of it.
    ///
    /// An entry that is a public suffix (`duckdns.org`, where anyone can have a name) speaks for itself alone,
    /// never for the names below it.
    pub fn find_parent<'d>(&self, domain: &'d str) -> Option<(u64, &'d str)> {
        let mut found = None;
        let mut hash = Hash::START;
        let mut labels = 0;
        for (index, octet) in domain.bytes().enumerate().rev() {
            if octet == b'.' {
                labels += 1;
                // A top-level domain is always a public suffix.
                if labels > 1 {
                    let parent = &domain[index + 1..];
                    found = self.find(parent, hash).map(|tag| (tag, parent)).or(found);
                }
            }
            hash = hash.then(octet);
        }
        if let Some(tag) = self.find(domain, hash) {
            return Some((tag, domain));
        }
        found.filter(|(_, parent)| parent.len() > public_suffix(domain).len())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of entries with this tag. Reads the whole list.
    pub fn count(&self, tag: u64) -> usize {
        self.iter().filter(|entry| entry.1 == tag).count()
    }

    /// Entries and their tags, sorted by domain.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let lines = std::str::from_utf8(&self.lines).unwrap_or_default().lines();
        lines.map(|line| match line.split_once(' ') {
            Some((domain, tag)) => (domain, digits(tag.as_bytes())),
            None => (line, DEFAULT_TAG),
        })
    }

    fn find(&self, domain: &str, hash: Hash) -> Option<u64> {
        let (slots, _) = self.slots.as_chunks::<SLOT_OCTETS>();
        if slots.is_empty() {
            return None;
        }
        let (before, from) = slots.split_at(hash.index(slots.len()));
        for slot in from.iter().chain(before).map(|octets| u32::from_le_bytes(*octets)) {
            if slot == 0 {
                return None;
            }
            if slot >> 24 == hash.fingerprint()
                && let Some(tag) = self.tag_at((slot & 0x00ff_ffff) as usize - 1, domain)
            {
                return Some(tag);
            }
        }
        None
    }

    /// The tag of the line that begins at `start`, if it is the line of `domain`.
    fn tag_at(&self, start: usize, domain: &str) -> Option<u64> {
        match self.lines.get(start..)?.strip_prefix(domain.as_bytes())? {
            [b'\n', ..] => Some(DEFAULT_TAG),
            [b' ', tag @ ..] => Some(digits(tag)),
            _ => None,
        }
    }

    /// FNV-1a over words instead of octets: enough against accidents, and done in a millisecond.
    fn checksum(&self) -> u64 {
        let lengths = self.lengths();
        [&self.lines, &self.slots, lengths.as_flattened()].into_iter().fold(Hash::START, Hash::then_all).0
    }

    fn lengths(&self) -> [[u8; 8]; 2] {
        [self.slots.len(), self.len].map(|length| (length as u64).to_le_bytes())
    }
}

impl std::fmt::Debug for DomainList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DomainList").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// FNV-1a, which is quick for short names. Nobody gains anything by names that collide here.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn of(domain: &str) -> Self {
        domain.bytes().rev().fold(Self::START, Self::then)
    }

    fn then(self, octet: u8) -> Self {
        self.then_word(u64::from(octet))
    }

    fn then_word(self, word: u64) -> Self {
        Self((self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn then_all(self, octets: &[u8]) -> Self {
        let (words, rest) = octets.as_chunks();
        let hash = words.iter().fold(self, |hash, word| hash.then_word(u64::from_le_bytes(*word)));
        rest.iter().copied().fold(hash, Self::then)
    }

    /// FNV leaves the last octets in the low bits; one multiplication spreads them (Fibonacci hashing).
    fn mixed(self) -> u64 {
        (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Which of `slots` slots to begin at, from the high half.
    #[allow(clippy::cast_possible_truncation)] // a product of two numbers below 2^32, shifted by 32
    fn index(self, slots: usize) -> usize {
        (((self.mixed() >> 32) * slots as u64) >> 32) as usize
    }

    /// Eight bits that the index does not depend on.
    fn fingerprint(self) -> u32 {
        u32::from(self.mixed().to_le_bytes()[1])
    }

    fn slot(self, start: usize) -> Result<u32, ListsError> {
        let place = u32::try_from(start).ok().filter(|_| start < LINES_OCTETS_MAX);
        let place = place.ok_or(ListsError::Malformed("it has more than 16 MiB of domains"))?;
        Ok(self.fingerprint() << 24 | (place + 1))
    }
}

/// The public suffix of a domain; the whole domain when it has no dot.
pub(super) fn public_suffix(domain: &str) -> &str {
    psl::suffix_str(domain).unwrap_or(domain)
}

/// The number that the text begins with.
fn digits(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Cuts `octets` off the end, without copying what is embedded in the program.
fn split_at_end(packed: Octets, octets: usize) -> Result<(Octets, Octets), ListsError> {
    let middle = packed.len().checked_sub(octets).ok_or(ListsError::Malformed("it is cut short"))?;
    Ok(match packed {
        Cow::Borrowed(all) => {
            let (rest, end) = all.split_at(middle);
            (rest.into(), end.into())
        }
        Cow::Owned(mut rest) => {
            let end = rest.split_off(middle);
            (rest.into(), end.into())
        }
    })
}

fn split_number(packed: Octets) -> Result<(Octets, u64), ListsError> {
    let (rest, number) = split_at_end(packed, size_of::<u64>())?;
    Ok((rest, number.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets))))
}

/// A length in a frame; one that no machine can hold is longer than any file, and refused as such.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn list(entries: &[(&str, u64)]) -> DomainList {
        let sorted = entries.iter().map(|(domain, tag)| ((*domain).to_owned(), *tag)).collect();
        DomainList::open(DomainList::from_entries(&sorted).unwrap().to_packed()).unwrap()
    }

    #[test]
    fn the_domain_itself_is_found_and_its_neighbours_are_not() {
        let list = list(&[("trash.example", 1), ("mail.trash2.example", 2)]);
        assert_eq!(list.get("trash.example"), Some(1));
        assert_eq!(list.get("mail.trash2.example"), Some(2));
        for other in ["trash2.example", "example", "rash.example", "xtrash.example", "trash.example2", ""] {
            assert_eq!(list.get(other), None, "{other}");
        }
    }

    #[test]
    fn parents_match_at_label_boundaries_only() {
        let list = list(&[("trash.com", 1)]);
        assert_eq!(list.find_parent("a.b.trash.com"), Some((1, "trash.com")));
        assert_eq!(list.find_parent("atrash.com"), None);
        assert_eq!(list.find_parent("trash.com.au"), None);
        assert!(!list.contains("a.trash.com"));
    }

    #[test]
    fn the_most_specific_entry_wins() {
        let list = list(&[("trash.com", 2), ("good.trash.com", 1)]);
        assert_eq!(list.find_parent("x.good.trash.com"), Some((1, "good.trash.com")));
        assert_eq!(list.find_parent("x.bad.trash.com"), Some((2, "trash.com")));
    }

    #[test]
    fn a_public_suffix_speaks_for_itself_alone() {
        let list = list(&[("co.uk", 1), ("duckdns.org", 1), ("xn--55qx5d.cn", 1), ("com", 1)]);
        assert_eq!(list.find_parent("shop.co.uk"), None);
        assert_eq!(list.find_parent("box.duckdns.org"), None);
        assert_eq!(list.find_parent("shop.xn--55qx5d.cn"), None);
        assert_eq!(list.find_parent("shop.com"), None);
        assert_eq!(list.find_parent("duckdns.org"), Some((1, "duckdns.org")));
    }

    #[test]
    fn cut_or_foreign_bytes_do_not_open() {
        let packed = list(&[("trash.example", 1)]).to_packed();
        for length in 0..packed.len() {
            assert!(DomainList::open(packed[..length].to_vec()).is_err(), "{length} octets");
        }
        assert!(
            DomainList::open(&b"<!doctype html><html><body>Moved permanently</body></html>"[..]).is_err()
        );
    }

    #[test]
    fn changed_bytes_do_not_verify() {
        let packed = list(&[("trash.example", 1)]).to_packed();
        assert!(DomainList::open(packed.clone()).unwrap().verify().is_ok());
        for position in 0..packed.len() {
            let mut changed = packed.clone();
            changed[position] ^= 1;
            let opened = DomainList::open(changed).and_then(|list| list.verify());
            assert!(opened.is_err(), "octet {position} of {}", packed.len());
        }
    }

    /// Labels from a tiny alphabet, so that parents, prefixes and equal names happen often.
    fn domain() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab-]{1,2}|com|uk|co|org", 1..5).prop_map(|labels| labels.join("."))
    }

    fn naive<'d>(entries: &BTreeMap<String, u64>, domain: &'d str) -> Option<(u64, &'d str)> {
        let starts = std::iter::once(0).chain(domain.match_indices('.').map(|(dot, _)| dot + 1));
        let parents: Vec<&str> = starts.map(|start| &domain[start..]).collect();
        parents
            .into_iter()
            .filter(|parent| *parent == domain || public_suffix(domain).len() < parent.len())
            .find_map(|parent| entries.get(parent).map(|tag| (*tag, parent)))
    }

    proptest! {
        #[test]
        fn parent_match_agrees_with_a_naive_model(
            entries in proptest::collection::btree_map(domain(), 0u64..5, 0..40),
            domain in domain(),
        ) {
            let pairs: Vec<(&str, u64)> = entries.iter().map(|(name, tag)| (name.as_str(), *tag)).collect();
            let list = list(&pairs);
            prop_assert_eq!(list.find_parent(&domain), naive(&entries, &domain));
            prop_assert_eq!(list.get(&domain), entries.get(&domain).copied());
        }
    }
}
