//! A list of patterns, sorted into tables by how they are found. The nearest pattern is found first: the address, its
//! domain's patterns of mailboxes, the domain, its parents from near to far, and last what takes a comparison each,
//! in the order in which it was written.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::pattern::Pattern;

/// See the module.
#[derive(Default)]
pub struct List {
    patterns: Vec<Pattern>,
    /// `jane@example.org`, `*@example.org`: what is said of mailboxes, by the domain.
    mailboxes: Table<Mailboxes>,
    /// `bad.example`: the domain and what is below it.
    domains: Table<usize>,
    /// `*.example.net`: only what is below it.
    parents: Table<usize>,
    /// Patterns with a wildcard elsewhere in the domain.
    others: Vec<usize>,
}

/// Patterns of the mailboxes of one domain, as indices of `List::patterns`.
#[derive(Default)]
struct Mailboxes {
    literal: Table<usize>,
    wild: Vec<usize>,
}

impl List {
    /// Where two patterns are the same, the first one counts.
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let mut list = Self::default();
        // Most patterns are domains.
        list.domains.reserve(patterns.len());
        for (index, pattern) in patterns.iter().enumerate() {
            list.sort_in(index, pattern);
        }
        list.patterns = patterns;
        list
    }

    fn sort_in(&mut self, index: usize, pattern: &Pattern) {
        match (&pattern.local, pattern.domain.literal(), pattern.domain.parent()) {
            (None, Some(domain), _) => {
                self.domains.entry(domain.into()).or_insert(index);
            }
            (None, None, Some(domain)) => {
                self.parents.entry(domain.into()).or_insert(index);
            }
            (Some(local), Some(domain), _) => {
                let mailboxes = self.mailboxes.entry(domain.into()).or_default();
                match local.literal() {
                    Some(local) => {
                        mailboxes.literal.entry(local.into()).or_insert(index);
                    }
                    None => mailboxes.wild.push(index),
                }
            }
            _ => self.others.push(index),
        }
    }

    /// The nearest pattern that matches the address, which is in lower case.
    pub fn find(&self, local: &str, domain: &str) -> Option<&Pattern> {
        let index = self
            .of_mailbox(local, domain)
            .or_else(|| self.of_domain(domain))
            .or_else(|| self.others.iter().copied().find(|&index| self.matches(index, local, domain)))?;
        Some(&self.patterns[index])
    }

    fn of_mailbox(&self, local: &str, domain: &str) -> Option<usize> {
        if self.mailboxes.is_empty() {
            return None;
        }
        let mailboxes = self.mailboxes.get(domain)?;
        let literal = mailboxes.literal.get(local).copied();
        literal.or_else(|| mailboxes.wild.iter().copied().find(|&index| self.matches(index, local, domain)))
    }

    fn of_domain(&self, domain: &str) -> Option<usize> {
        if let Some(&index) = self.domains.get(domain) {
            return Some(index);
        }
        let mut below = domain;
        while let Some((_, parent)) = below.split_once('.') {
            let index = self.domains.get(parent).or_else(|| self.parents.get(parent));
            if let Some(&index) = index {
                return Some(index);
            }
            below = parent;
        }
        None
    }

    fn matches(&self, index: usize, local: &str, domain: &str) -> bool {
        let pattern = &self.patterns[index];
        pattern.local.as_ref().is_none_or(|glob| glob.matches(local)) && pattern.domain.matches(domain)
    }
}

type Table<V> = HashMap<Box<str>, V, BuildHasherDefault<Fnv>>;

/// FNV-1a, 64 bits: for names as short as domains it is several times as fast as the standard hash. That one could
/// choose names that collide does no harm, since the names in the tables are the operator's.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
