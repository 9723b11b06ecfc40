//! Cutting a job into chunks: by operator where it is known, else by domain; small domains share a chunk.
//!
//! A domain's items are in no more chunks than they need, so that few sessions serve them. Whether an input is an
//! address is not asked here: what stands behind its last `@` is enough to put it beside its neighbours.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use mailsonde_builtin::person::Person;

/// Recipients that are asked about because of a chunk, and its items at most. Enough for a few full sessions, few enough
/// that what a crash repeats, and what a blob holds in memory, stays small.
pub const CHUNK_MAX: usize = 500;

/// Recipients that are asked about for one person. 24 candidates are the most, and most people are found before the last
/// one: 8.5 on average, of 1,000 people at 100 companies and 100 who are not there (`benches/run finder`).
pub const ASKS_OF_A_PERSON: u32 = 9;

/// A domain of nobody known at which so many recipients are asked about has chunks of its own: they keep its two sessions
/// busy for a minute, and items of others should not wait along.
pub const OWN_CHUNK_MIN: usize = 100;

/// [`Chunk::operator`] of a chunk of many small domains. Has no dot, so it is no domain.
pub const MIXED: &str = "mixed";

/// [`Chunk::operator`] of a chunk that asks nobody. Has no dot, so it is no domain.
pub const OFFLINE: &str = "offline";

/// Octets of the longest domain name (RFC 1035 §2.3.4).
const DOMAIN_OCTETS_MAX: usize = 255;

/// Whose an item is, as far as can be told without asking. Equal for addresses with the same domain, and for people at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u32);

impl Key {
    /// The key of inputs that have no domain: nobody is asked about them.
    pub const NOBODY: Self = Self(0);
}

/// The keys of a job's inputs: each domain is written down once, or twice, where people are looked for at it and addresses
/// asked about.
#[derive(Debug)]
pub struct Keys<F> {
    known: F,
    addresses: HashMap<Box<str>, Key>,
    people: HashMap<Box<str>, Key>,
    /// By key.
    operators: Vec<Option<&'static str>>,
    /// By key, the recipients that are asked about for one item.
    asks: Vec<u32>,
    /// A domain in lower case, kept for its room.
    lowered: String,
}

impl<F: Fn(&str) -> Option<&'static str>> Keys<F> {
    /// Keys for a job. `known` tells the operator's id of a domain in lower case, where it is known without asking; it is
    /// called once for each domain of addresses, and of people.
    pub fn new(known: F) -> Self {
        Self {
            known,
            addresses: HashMap::new(),
            people: HashMap::new(),
            operators: vec![None],
            asks: vec![0],
            lowered: String::new(),
        }
    }

    /// The key of an input. The same inputs in the same order get the same keys.
    pub fn of(&mut self, input: &str) -> Key {
        let Some(asked) = Asked::of(input) else { return Key::NOBODY };
        self.lowered.clear();
        self.lowered.push_str(&asked.domain);
        self.lowered.make_ascii_lowercase();
        let keys = if asked.is_person { &mut self.people } else { &mut self.addresses };
        if let Some(key) = keys.get(self.lowered.as_str()) {
            return *key;
        }
        let key = Key(u32::try_from(self.operators.len()).unwrap_or(u32::MAX));
        keys.insert(self.lowered.as_str().into(), key);
        self.operators.push((self.known)(&self.lowered));
        self.asks.push(asked.asks());
        key
    }

    /// Where the items with each key belong, when so many have it.
    fn groups(&self, counts: &[usize]) -> BTreeMap<Group, Vec<Key>> {
        let mut groups: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
        for (id, &count) in (0..).zip(counts).skip(1).filter(|(_, count)| **count > 0) {
            let group = match self.operators[id as usize] {
                Some(operator) => Group::Operator(operator),
                None if count * self.asks[id as usize] as usize >= OWN_CHUNK_MIN => Group::Domain(Key(id)),
                None => Group::Mixed,
            };
            groups.entry(group).or_default().push(Key(id));
        }
        groups
    }

    /// The names of the domains that have chunks of their own.
    fn names(&self, groups: &BTreeMap<Group, Vec<Key>>) -> HashMap<Key, &str> {
        let own = |key: &Key| groups.contains_key(&Group::Domain(*key));
        let all = self.addresses.iter().chain(&self.people);
        all.filter(|(_, key)| own(key)).map(|(name, key)| (*key, &**name)).collect()
    }
}

/// Recipients that somebody may be asked about because of an input: one for an address, [`ASKS_OF_A_PERSON`] for a person who
/// is to be found, none where there is no domain.
pub fn asks_of(input: &str) -> u32 {
    Asked::of(input).map_or(0, |asked| asked.asks())
}

/// Who is asked about because of an input.
struct Asked<'a> {
    domain: Cow<'a, str>,
    is_person: bool,
}

impl<'a> Asked<'a> {
    /// What stands behind the last `@`, without what surrounds an address, or a person's domain; none where that cannot be
    /// a domain. Names without a dot are none: nobody gets mail there, and they might read like an operator's id.
    fn of(input: &'a str) -> Option<Self> {
        let input = input.trim_end();
        let person = Person::read(input);
        let is_person = person.is_some();
        let domain = match person {
            Some(person) => Cow::Owned(person.ok()?.domain().to_owned()),
            None => Cow::Borrowed(behind_at(input)?),
        };
        let is_one =
            domain.len() <= DOMAIN_OCTETS_MAX && domain.contains('.') && !domain.contains(char::is_control);
        is_one.then_some(Self { domain, is_person })
    }

    fn asks(&self) -> u32 {
        if self.is_person { ASKS_OF_A_PERSON } else { 1 }
    }
}

fn behind_at(input: &str) -> Option<&str> {
    let (_, domain) = input.rsplit_once('@')?;
    Some(domain.trim_end_matches(|c: char| c.is_whitespace() || c == '>' || c == '.'))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Operator(&'static str),
    Domain(Key),
    Mixed,
}

/// Items that are worked at together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Whose patience it uses up: an operator's id, a domain (which has a dot), [`MIXED`] or [`OFFLINE`].
    pub operator: Box<str>,
    /// Which of the job's items, in ascending order.
    pub rows: Vec<u32>,
    /// Recipients that somebody may be asked about because of them.
    pub asks: u32,
}

/// Cuts a job whose item `row` has the key `items[row]`. Every row is in exactly one chunk, in the order of the chunks'
/// first rows. The same keys give the same chunks.
///
/// # Panics
/// When a key is of other [`Keys`], or there are more than `u32::MAX` items.
pub fn cut<F: Fn(&str) -> Option<&'static str>>(keys: &Keys<F>, items: &[Key]) -> Vec<Chunk> {
    cut_to(keys, items, CHUNK_MAX)
}

/// Cuts a job that asks nobody: row after row.
///
/// # Panics
/// When there are more than `u32::MAX` items.
pub fn cut_offline(items: usize) -> Vec<Chunk> {
    let chunk = |start: usize| Chunk {
        operator: OFFLINE.into(),
        rows: (start..items.min(start + CHUNK_MAX)).map(row).collect(),
        asks: 0,
    };
    (0..items).step_by(CHUNK_MAX).map(chunk).collect()
}

fn cut_to<F: Fn(&str) -> Option<&'static str>>(keys: &Keys<F>, items: &[Key], max: usize) -> Vec<Chunk> {
    let mut counts = vec![0; keys.operators.len()];
    for key in items {
        counts[key.0 as usize] += 1;
    }
    let groups = keys.groups(&counts);
    let names = keys.names(&groups);
    let places = vec![Vec::new(); counts.len()];
    let mut plan = Plan { asks: &keys.asks, chunks: Vec::new(), sizes: Vec::new(), places, max };
    for (group, members) in groups {
        let name = match group {
            Group::Operator(id) => id,
            Group::Domain(key) => names[&key],
            Group::Mixed => MIXED,
        };
        plan.pack(name, members, &counts);
    }
    plan.pack_nobody(counts[0]);
    plan.fill(items)
}

struct Plan<'a> {
    /// By key, the recipients of one item.
    asks: &'a [u32],
    chunks: Vec<Chunk>,
    /// What each chunk is to take, in the unit of `max`: see [`Plan::size`].
    sizes: Vec<usize>,
    /// For each key, the chunks that take its items, with how many, last one first.
    places: Vec<Vec<(usize, usize)>>,
    max: usize,
}

impl Plan<'_> {
    /// Packs the domains of a group into as few chunks as can be found quickly: the largest first, each into the fullest
    /// chunk that has room for it (best fit decreasing).
    fn pack(&mut self, name: &str, mut members: Vec<Key>, counts: &[usize]) {
        let count = |key: Key| counts[key.0 as usize];
        let rest_of = |plan: &Self, key: Key| count(key) % plan.fit(key);
        members.sort_by_key(|key| (Reverse(rest_of(self, *key) * self.size(*key)), *key));
        let mut open = BTreeSet::new();
        for key in members {
            for _ in 0..count(key) / self.fit(key) {
                self.put(key, name, self.fit(key), None);
            }
            let rest = rest_of(self, key);
            if rest > 0 {
                let roomy = open.range((rest * self.size(key), 0)..).next().copied();
                roomy.inspect(|entry| _ = open.remove(entry));
                let chunk = self.put(key, name, rest, roomy.map(|(_, chunk)| chunk));
                open.insert((self.free(chunk), chunk));
            }
        }
    }

    /// Those without a domain go along where there is room: they cost nothing.
    fn pack_nobody(&mut self, mut left: usize) {
        for chunk in 0.. {
            if left == 0 {
                break;
            }
            let into = (chunk < self.chunks.len()).then_some(chunk);
            let count = left.min(into.map_or(self.max, |chunk| self.free(chunk)));
            if count > 0 {
                self.put(Key::NOBODY, MIXED, count, into);
                left -= count;
            }
        }
    }

    fn put(&mut self, key: Key, name: &str, count: usize, into: Option<usize>) -> usize {
        let chunk = into.unwrap_or_else(|| {
            self.chunks.push(Chunk { operator: name.into(), rows: Vec::new(), asks: 0 });
            self.sizes.push(0);
            self.chunks.len() - 1
        });
        self.sizes[chunk] += count * self.size(key);
        self.chunks[chunk].asks += row(count) * self.asks[key.0 as usize];
        self.places[key.0 as usize].push((chunk, count));
        chunk
    }

    /// What an item takes of a chunk: as much as is asked because of it. One of whom nobody is asked stands there all the
    /// same.
    fn size(&self, key: Key) -> usize {
        (self.asks[key.0 as usize].max(1) as usize).min(self.max)
    }

    /// Items that a chunk has room for.
    fn fit(&self, key: Key) -> usize {
        self.max / self.size(key)
    }

    fn free(&self, chunk: usize) -> usize {
        self.max - self.sizes[chunk]
    }

    fn fill(mut self, items: &[Key]) -> Vec<Chunk> {
        self.places.iter_mut().for_each(|places| places.reverse());
        for (at, key) in items.iter().enumerate() {
            let places = &mut self.places[key.0 as usize];
            let Some((chunk, left)) = places.last_mut() else { continue };
            self.chunks[*chunk].rows.push(row(at));
            *left -= 1;
            if *left == 0 {
                places.pop();
            }
        }
        self.chunks.sort_by_key(|chunk| chunk.rows.first().copied());
        self.chunks
    }
}

/// A row's number.
fn row(at: usize) -> u32 {
    u32::try_from(at).expect("a job has fewer than 4 billion items")
}

#[cfg(test)]
mod tests {
    use super::{super::simulation::Random, *};

    fn known(domain: &str) -> Option<&'static str> {
        match domain {
            "gmail.com" | "googlemail.com" => Some("gmail"),
            "gmx.de" => Some("gmx"),
            _ => None,
        }
    }

    fn cut_inputs(inputs: &[String], max: usize) -> Vec<Chunk> {
        let mut keys = Keys::new(known);
        let items: Vec<_> = inputs.iter().map(|input| keys.of(input)).collect();
        cut_to(&keys, &items, max)
    }

    fn at(domain: &str, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("user{n}@{domain}")).collect()
    }

    /// Operator, items, asks.
    fn shape(chunks: &[Chunk]) -> Vec<(&str, usize, u32)> {
        chunks.iter().map(|chunk| (&*chunk.operator, chunk.rows.len(), chunk.asks)).collect()
    }

    #[test]
    fn the_domain_is_behind_the_last_at_sign() {
        let mut keys = Keys::new(known);
        let one = keys.of("jane@Example.COM");
        for same in ["x@example.com", "\"a@b\"@EXAMPLE.com. ", "Jane <jane@example.com>"] {
            assert_eq!(keys.of(same), one, "{same}");
        }
        assert_ne!(keys.of("jane@example.org"), one);
        let long = format!("a@{}.com", "x".repeat(300));
        for nobody in ["", "jane", "jane@", "@", "jane@localhost", "x@gmail", "Jane\tgmail", &long] {
            assert_eq!((keys.of(nobody), asks_of(nobody)), (Key::NOBODY, 0), "{nobody}");
        }
        assert_eq!(asks_of("jane@example.com"), 1);
    }

    #[test]
    fn people_stand_with_those_of_their_domain_and_count_for_as_many_as_are_asked_about() {
        let mut keys = Keys::new(known);
        let one = keys.of("Jane Doe\texample.com");
        for same in ["John\thttps://www.example.com/about", "John Smith\t@EXAMPLE.com "] {
            assert_eq!((keys.of(same), asks_of(same)), (one, ASKS_OF_A_PERSON), "{same}");
        }
        let people = |domain: &str, count| (0..count).map(|n| format!("Jane{n} Doe\t{domain}")).collect();
        let mut inputs: Vec<String> = people("large.example", 60);
        inputs.extend((0..20).flat_map(|n| people(&format!("small{n}.example"), 3)));
        inputs.extend(at("large.example", 100));
        let expected = [
            ("large.example", 55, 495),
            ("large.example", 5, 45),
            ("mixed", 54, 486),
            ("mixed", 6, 54),
            ("large.example", 100, 100),
        ];
        assert_eq!(shape(&cut_inputs(&inputs, CHUNK_MAX)), expected);
    }

    #[test]
    fn operators_and_large_domains_have_chunks_of_their_own_and_small_ones_share() {
        let mut inputs = at("gmail.com", 700);
        inputs.extend(at("large.example", 120));
        inputs.extend((0..40).flat_map(|n| at(&format!("small{n}.example"), 10)));
        inputs.extend(at("GoogleMail.com", 50));
        inputs.push("nobody".to_owned());
        let chunks = cut_inputs(&inputs, CHUNK_MAX);
        let expected =
            [("gmail", 500, 500), ("gmail", 251, 250), ("large.example", 120, 120), ("mixed", 400, 400)];
        assert_eq!(shape(&chunks), expected);
    }

    #[test]
    fn those_without_a_domain_fill_up_and_cost_nothing() {
        assert_eq!(shape(&cut_inputs(&vec![String::new(); 7], 5)), [("mixed", 5, 0), ("mixed", 2, 0)]);
        let mut inputs = at("gmx.de", 3);
        inputs.extend(vec![String::new(); 4]);
        assert_eq!(shape(&cut_inputs(&inputs, 5)), [("gmx", 5, 3), ("mixed", 2, 0)]);
        assert_eq!(cut_inputs(&[], 5), []);
    }

    #[test]
    fn those_that_ask_nobody_are_cut_in_order() {
        let rows: Vec<_> = cut_offline(1_200).into_iter().flat_map(|chunk| chunk.rows).collect();
        assert_eq!(rows, (0..1_200).collect::<Vec<_>>());
        assert_eq!(cut_offline(1_200).len(), 3);
    }

    /// Inputs of some hundred domains, few of them large, some without any.
    fn drawn(random: &mut Random) -> Vec<String> {
        let domains = 1 + random.below(300);
        let domain = |n: u64| match n {
            0 => "@gmail.com".to_owned(),
            1 => "@googlemail.com".to_owned(),
            2 => String::new(),
            3..6 => format!("\td{n}.example"),
            n => format!("@d{n}.example"),
        };
        let count = random.below(3_000);
        // The square of a chance: some domains have many.
        let skewed = |random: &mut Random| random.below(domains) * random.below(domains) / domains;
        (0..count).map(|n| format!("u{n}{}", domain(skewed(random)))).collect()
    }

    #[test]
    fn chunks_are_a_partition_in_order() {
        let mut random = Random::new(1);
        for _ in 0..300 {
            let (inputs, max) = (drawn(&mut random), 1 + usize::try_from(random.below(600)).unwrap());
            let chunks = cut_inputs(&inputs, max);
            let mut rows: Vec<_> = chunks.iter().flat_map(|chunk| chunk.rows.clone()).collect();
            rows.sort_unstable();
            assert!(rows.iter().copied().eq(0..row(inputs.len())), "every row once");
            assert!(chunks.iter().all(|chunk| (1..=max).contains(&chunk.rows.len())));
            assert!(chunks.iter().all(|chunk| chunk.rows.is_sorted()));
            assert!(chunks.is_sorted_by_key(|chunk| chunk.rows[0]));
            assert_eq!(chunks, cut_inputs(&inputs, max));
        }
    }

    #[test]
    fn a_domain_is_in_no_more_chunks_than_it_needs_and_chunks_are_few() {
        let mut random = Random::new(2);
        for _ in 0..200 {
            let (inputs, max) = (drawn(&mut random), 1 + usize::try_from(random.below(600)).unwrap());
            let chunks = cut_inputs(&inputs, max);
            let of = |input: &str| Asked::of(input).map(|asked| (asked.domain.into_owned(), asked.is_person));
            let domain = |row: &u32| of(&inputs[*row as usize]);
            let mut sizes: HashMap<_, usize> = HashMap::new();
            for input in &inputs {
                *sizes.entry(of(input)).or_default() += 1;
            }
            let mut spread: HashMap<_, usize> = HashMap::new();
            for chunk in &chunks {
                let domains: BTreeSet<_> = chunk.rows.iter().filter_map(domain).collect();
                for domain in domains {
                    *spread.entry(domain).or_default() += 1;
                }
            }
            for (domain, chunks) in spread {
                let fit = if domain.1 { max / max.min(ASKS_OF_A_PERSON as usize) } else { max };
                assert_eq!(chunks, sizes[&Some(domain)].div_ceil(fit));
            }
            // Best fit decreasing leaves at most one chunk of a group less than half full.
            let mut small: HashMap<&str, usize> = HashMap::new();
            for chunk in chunks.iter().filter(|chunk| (chunk.asks as usize) < max / 2 && chunk.asks > 0) {
                *small.entry(&chunk.operator).or_default() += 1;
            }
            assert!(small.values().all(|count| *count <= 1), "{small:?}");
        }
    }
}
