//! The popular domains, indexed by name so that a typed domain is compared with few of them. It does not judge how
//! near two names are beyond their letters.

use std::{collections::HashMap, ops::Range};

use super::slip::{Decibans, Letters, RESIZED_MAX, TYPED_MAX};

/// Names compared at once.
const LANES: usize = 8;

/// A domain that many addresses have.
pub(super) struct Provider {
    /// Lower case.
    pub(super) domain: Box<str>,
    /// Octets before the first dot.
    name_len: usize,
    /// The characters of the domain.
    pub(super) letters: Letters,
    /// Likelihood that a random address is at this domain.
    pub(super) share: Decibans,
    pub(super) kind: Kind,
}

/// What kind of name a provider has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Coined, and nobody else's under any suffix.
    Own,
    /// Coined, but other companies or countries have it too.
    Coined,
    /// An ordinary word, name or abbreviation.
    Ordinary,
}

impl Provider {
    /// A line of the table: domain, addresses per million, kind of name.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (domain, per_million) = (columns.next()?, columns.next()?.parse().ok()?);
        let kind = match columns.next() {
            Some("own") => Kind::Own,
            Some("coined") => Kind::Coined,
            Some(_) => return None,
            None => Kind::Ordinary,
        };
        Some(Self::new(domain, per_million, kind))
    }

    pub(super) fn new(domain: &str, per_million: u32, kind: Kind) -> Self {
        #[allow(clippy::cast_possible_truncation)] // -60 to 0
        let share = (10.0 * (f64::from(per_million) / 1e6).log10()).round() as Decibans;
        let domain = domain.to_ascii_lowercase();
        let name_len = domain.find('.').unwrap_or(domain.len());
        Self { name_len, letters: Letters::of(domain.as_bytes()), domain: domain.into(), share, kind }
    }

    /// What stands before the first dot.
    pub(super) fn name(&self) -> &[u8] {
        &self.domain.as_bytes()[..self.name_len]
    }
}

/// All providers.
pub(super) struct Providers {
    /// By the length of the name, then by name; of one name, the most popular first.
    all: Vec<Provider>,
    /// The providers of each name, in the same order.
    names: Vec<Range<usize>>,
    /// The letters of the names, apart from the rest: they are all that most comparisons need.
    letters: Vec<[Letters; LANES]>,
    /// `starts[n]` is the first name of at least `n` octets.
    starts: [usize; TYPED_MAX + RESIZED_MAX + 2],
    /// Index in `names`.
    by_name: HashMap<Box<[u8]>, usize>,
}

impl Providers {
    pub(super) fn new(mut all: Vec<Provider>) -> Self {
        all.sort_by(|a, b| {
            (a.name_len, a.name(), -a.share, &a.domain).cmp(&(b.name_len, b.name(), -b.share, &b.domain))
        });
        let (mut names, mut letters, mut by_name) = (Vec::new(), Vec::new(), HashMap::new());
        for group in all.chunk_by(|a, b| a.name() == b.name()) {
            let start = names.last().map_or(0, |name: &Range<usize>| name.end);
            by_name.insert(group[0].name().into(), names.len());
            letters.push(Letters::of(group[0].name()));
            names.push(start..start + group.len());
        }
        let name_len = |name: &Range<usize>| all[name.start].name_len;
        let lanes = |group: &[Letters]| std::array::from_fn(|lane| *group.get(lane).unwrap_or(&Letters::ALL));
        Self {
            starts: std::array::from_fn(|len| names.partition_point(|name| name_len(name) < len)),
            letters: letters.chunks(LANES).map(lanes).collect(),
            all,
            names,
            by_name,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.all.iter()
    }

    /// The provider at this position of [`Providers::iter`].
    pub(super) fn get(&self, index: usize) -> &Provider {
        &self.all[index]
    }

    /// The most popular provider of this very name.
    pub(super) fn of_name(&self, name: &[u8]) -> Option<&Provider> {
        let index = *self.by_name.get(name)?;
        Some(&self.all[self.names[index].start])
    }

    /// Visits the providers whose name has nearly the letters and the length of `name`; of lengths that share a
    /// group with those, too.
    pub(super) fn for_each_near<'a>(&'a self, name: &[u8], mut visit: impl FnMut(&'a Provider)) {
        let letters = Letters::of(name);
        let shortest = self.starts[name.len().saturating_sub(RESIZED_MAX)];
        let longest = self.starts[name.len() + RESIZED_MAX + 1];
        let groups = shortest / LANES..longest.div_ceil(LANES);
        for (group, lanes) in groups.clone().zip(&self.letters[groups]) {
            // Without a branch, so that the compiler compares several at once; most groups end here.
            if !lanes.map(|name| name.is_near(letters)).contains(&true) {
                continue;
            }
            for (lane, _) in lanes.iter().enumerate().filter(|(_, name)| name.is_near(letters)) {
                self.all[self.names[group * LANES + lane].clone()].iter().for_each(&mut visit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers() -> Providers {
        let lines =
            ["orange.fr\t8000", "yahoo.fr\t7000\town", "yahoo.com\t130000\town", "aol.com\t25000\town"];
        Providers::new(lines.into_iter().filter_map(Provider::parse).collect())
    }

    fn near(name: &str) -> Vec<String> {
        let mut seen = Vec::new();
        providers().for_each_near(name.as_bytes(), |provider| seen.push(provider.domain.to_string()));
        seen
    }

    #[test]
    fn a_name_stands_for_its_most_popular_provider() {
        assert_eq!(&*providers().of_name(b"yahoo").unwrap().domain, "yahoo.com");
        assert!(providers().of_name(b"yaho").is_none());
    }

    #[test]
    fn names_of_other_letters_are_not_visited() {
        assert_eq!(near("yahop"), ["yahoo.com", "yahoo.fr"]);
        assert_eq!(near("ornaeg"), ["orange.fr"]);
        assert_eq!(near("siemens"), [""; 0]);
    }

    #[test]
    fn a_share_is_a_likelihood_in_decibans() {
        let share = |line| Provider::parse(line).unwrap().share;
        assert_eq!(share("a.example\t100000"), -10);
        assert_eq!(share("a.example\t500"), -33);
        assert!(Provider::parse("a.example\tmany").is_none());
        assert!(Provider::parse("a.example\t1\towned").is_none());
    }
}
