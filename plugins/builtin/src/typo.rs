//! The stage `typo`: which mail domain the writer meant, when the one that stands there looks like a slip.
//!
//! It weighs two stories about the domain as typed. Either somebody meant a popular provider and slipped: the
//! provider's share of all addresses times the likelihood of that slip ([`slip`]). Or the domain is a genuine one
//! that we have never heard of, which is likelier the shorter its name is: every three-letter `.com` belongs to
//! somebody. A domain is suggested only where the first story is ten times the second. So `gmaul.com` is taken for
//! Gmail, and `hp.com` for itself.
//!
//! It never corrects the local part, never asks DNS, and never decides: the judge drops the suggestion when DNS
//! shows that the domain takes mail and it is no known trap. A trap is a look-alike domain that somebody registered
//! to collect mistyped mail.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use mailsonde_engine::{Check, Facts, Finding, Outcome, Subject};
use serde::{Deserialize, Serialize};

mod slip;

use slip::{Decibans, Letters, RESIZED_MAX, TYPED_MAX};

/// Popular domains, their share of all addresses, and whether the name is theirs under every suffix.
const POPULAR: &str = include_str!("../data/typo/popular.tsv");
/// Genuine domains that look like a slip of a popular one.
const GENUINE: &str = include_str!("../data/typo/genuine.tsv");
/// Registered look-alikes that take mail for any mailbox.
const TRAPS: &str = include_str!("../data/typo/traps.tsv");
/// Ordinary words and names one slip away from a popular name.
const WORDS: &str = include_str!("../data/typo/words.tsv");

/// How much likelier a slip must be than a genuine domain: twice.
const CERTAINTY: Decibans = 3;

/// Likelihood, by the length of its name, that an address is at one particular genuine domain that no table holds.
const UNLISTED: [Decibans; 9] = [-50, -50, -50, -50, -62, -78, -86, -91, -93];

/// An ordinary word is somebody's domain far more often than a random string of its length.
const IS_WORD: Decibans = 30;

/// Words have other words and their compounds near them: `charter` has `charger`.
const NEAR_WORD: Decibans = 12;

/// Webmail of all kinds is called this-or-that-mail …
const IS_MAIL: Decibans = 8;
/// … and most of all one-letter-mail.
const IS_LETTER_MAIL: Decibans = 22;

/// The likelihood that a provider's own name under another suffix is a genuine mail domain.
const OWN_ELSEWHERE: Decibans = -90;
/// The same for a coined name that other companies or countries have too.
const COINED_ELSEWHERE: Decibans = -68;

/// A domain under a suffix that does not exist is a slip of *something*; the same slip then counts in both stories.
const NO_SUCH_SUFFIX: Decibans = -40;

/// A name alone is evidence enough for a provider of one address in a thousand.
const BY_NAME_SHARE_MIN: Decibans = -30;

/// What no rival is below.
const UNLISTED_MIN: Decibans = UNLISTED[UNLISTED.len() - 1] + NO_SUCH_SUFFIX;

/// Longer domains are not searched for a stretch typed twice: a popular one twice over is this long.
const REPEATED_MAX: usize = 24;

/// Names compared at once.
const LANES: usize = 8;

/// Share given to the operator's own domains: one address in twenty.
const OPERATOR_PER_MILLION: u32 = 50_000;

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Further domains that many of your addresses have, your own for instance; slips of them are found too.
    pub domains: Vec<String>,
    /// Domains for which nothing is ever suggested.
    pub genuine: Vec<String>,
}

/// Tells whether a domain (lower case) is known to be genuine, by a list of free providers for instance.
pub type IsKnown = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The stage: the tables, indexed.
pub struct Typo {
    /// By name; of one name, the most popular first.
    providers: Vec<Provider>,
    /// The distinct names, by length: the candidates for a name are neighbours.
    names: Vec<Name>,
    /// The letters of the names, apart from the rest: they are all that most comparisons need.
    letters: Vec<[Letters; LANES]>,
    /// `starts[n]` is the first name of at least `n` octets.
    starts: [usize; TYPED_MAX + RESIZED_MAX + 2],
    /// Index in `names`.
    by_name: HashMap<Box<[u8]>, usize>,
    standings: HashMap<Box<[u8]>, Standing>,
    words: HashSet<Box<[u8]>>,
    is_known: IsKnown,
}

/// The providers of one name: their index range.
type Name = Range<usize>;

/// A domain that many addresses have.
struct Provider {
    domain: Box<str>,
    /// Octets before the first dot.
    name_len: usize,
    letters: Letters,
    /// Likelihood that a random address is at this domain.
    share: Decibans,
    kind: Kind,
}

/// What kind of name a provider has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Coined, and nobody else's under any suffix.
    Own,
    /// Coined, but other companies or countries have it too.
    Coined,
    /// An ordinary word, name or abbreviation.
    Ordinary,
}

/// What the tables say of a domain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Popular(usize),
    Genuine,
    Trap,
}

impl Typo {
    /// The stage with its built-in tables and the operator's own domains. Takes less than a millisecond.
    pub fn new(config: &Config, is_known: IsKnown) -> Self {
        let mut standings = HashMap::new();
        let lines =
            |table: &'static str| table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for domain in lines(GENUINE).chain(config.genuine.iter().map(String::as_str)) {
            standings.insert(key(domain), Standing::Genuine);
        }
        for domain in lines(TRAPS) {
            standings.insert(key(domain), Standing::Trap);
        }
        let own = config.domains.iter().filter(|domain| (1..TYPED_MAX).contains(&domain.len()));
        let mut providers: Vec<_> = lines(POPULAR).filter_map(Provider::parse).collect();
        providers.extend(own.map(|domain| Provider::new(domain, OPERATOR_PER_MILLION, Kind::Own)));
        providers.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));

        for (index, provider) in providers.iter().enumerate() {
            standings.insert(key(&provider.domain), Standing::Popular(index));
        }
        let (mut names, mut letters) = (Vec::new(), Vec::new());
        let mut by_name = HashMap::new();
        for group in providers.chunk_by(|a, b| a.name() == b.name()) {
            let start = names.last().map_or(0, |name: &Name| name.end);
            by_name.insert(key(group[0].name()), names.len());
            letters.push(Letters::of(group[0].name().as_bytes()));
            names.push(start..start + group.len());
        }
        let lanes =
            |group: &[Letters]| std::array::from_fn(|lane| group.get(lane).copied().unwrap_or(Letters::ALL));
        let name_len = |name: &Name| providers[name.start].name_len;
        Self {
            starts: std::array::from_fn(|len| names.partition_point(|name| name_len(name) < len)),
            words: lines(WORDS).map(key).collect(),
            providers,
            names,
            letters: letters.chunks(LANES).map(lanes).collect(),
            by_name,
            standings,
            is_known,
        }
    }

    /// The domain that was meant by `raw_domain`, the text after the last `@` however broken it is; `None` when it
    /// is fine as it stands, or nothing is certain enough.
    pub fn suggest(&self, raw_domain: &str) -> Option<&str> {
        let typed = Typed::read(raw_domain)?;
        let standing = self.standings.get(typed.octets()).copied();
        let best = match standing {
            Some(Standing::Popular(index)) if typed.is_mended => &self.providers[index],
            Some(Standing::Popular(_) | Standing::Genuine) => return None,
            Some(Standing::Trap) => self.nearest(&typed, true)?,
            None => self.nearest(&typed, false).filter(|_| !(self.is_known)(typed.as_str()))?,
        };
        Some(&best.domain)
    }

    /// Whether `domain` (lower case) is a registered look-alike that collects mistyped mail.
    pub fn is_trap(&self, domain: &str) -> bool {
        self.standings.get(domain.as_bytes()) == Some(&Standing::Trap)
    }

    fn nearest(&self, typed: &Typed, is_trap: bool) -> Option<&Provider> {
        let read_as = |text: &Typed, cost| self.by_letters(typed, is_trap, text, cost);
        if let Some(with_suffix) = typed.with_suffix(".com") {
            // `orange`, `yahoocom`, `gmial`.
            return self
                .by_name(typed)
                .or_else(|| read_as(typed, 0))
                .or_else(|| read_as(&with_suffix, slip::NO_SUFFIX));
        }
        read_as(typed, 0)
            .or_else(|| self.by_name(typed))
            .or_else(|| read_as(&typed.without_repeat()?, slip::TWICE))
    }

    /// The likeliest provider among those whose name has nearly the same letters as `text`, which is `typed` after
    /// a slip of this cost was put right.
    fn by_letters(&self, typed: &Typed, is_trap: bool, text: &Typed, cost: Decibans) -> Option<&Provider> {
        let name = text.name();
        let letters = Letters::of(name);
        // Without a dot, the name may have swallowed the suffix: `yahoocom`.
        let suffix_max = if text.has_dot() { 0 } else { ".com".len() };
        let shortest = name.len().saturating_sub(RESIZED_MAX + suffix_max);
        let window = self.starts[shortest] / LANES..self.starts[name.len() + RESIZED_MAX + 1].div_ceil(LANES);
        let mut search =
            Search { typed, text, letters: Letters::of(text.octets()), cost, rival: None, best: None };
        for (group, lanes) in window.clone().zip(&self.letters[window]) {
            // Without a branch, so that the compiler compares several at once; most groups end here.
            if !lanes.map(|name| name.is_near(letters)).contains(&true) {
                continue;
            }
            for (lane, _) in lanes.iter().enumerate().filter(|(_, name)| name.is_near(letters)) {
                for provider in &self.providers[self.names[group * LANES + lane].clone()] {
                    search.weigh(provider, || self.rival(typed, is_trap));
                }
            }
        }
        search.best.map(|(_, provider)| provider)
    }

    /// The provider whose name it is, without a suffix or under one that is not the provider's.
    fn by_name(&self, typed: &Typed) -> Option<&Provider> {
        let provider = &self.providers[self.names[*self.by_name.get(typed.name())?].start];
        let is_meant = match provider.kind {
            Kind::Own => !typed.is_subdomain(),
            // `orange` without a dot; but `mail` and `home` are hosts in many an office.
            Kind::Coined | Kind::Ordinary => !typed.has_dot() && !self.words.contains(typed.name()),
        };
        (is_meant && provider.share >= BY_NAME_SHARE_MIN).then_some(provider)
    }

    fn rival(&self, typed: &Typed, is_trap: bool) -> Rival {
        let name = typed.name();
        let is_real = !is_trap && typed.has_real_suffix();
        let mut unlisted = UNLISTED[name.len().min(UNLISTED.len() - 1)];
        unlisted += match name {
            [_, b'm', b'a', b'i', b'l'] => IS_LETTER_MAIL,
            [.., b'm', b'a', b'i', b'l'] => IS_MAIL,
            _ => 0,
        };
        if self.words.contains(name) {
            unlisted += IS_WORD;
        }
        Rival { unlisted, is_real }
    }
}

/// A search for the provider that was most likely meant.
struct Search<'t, 'p> {
    typed: &'t Typed,
    /// What was typed, after a slip of cost `cost` was put right.
    text: &'t Typed,
    letters: Letters,
    cost: Decibans,
    /// Known once a provider comes near.
    rival: Option<Rival>,
    best: Option<(Decibans, &'p Provider)>,
}

impl<'p> Search<'_, 'p> {
    fn weigh(&mut self, provider: &'p Provider, rival: impl FnOnce() -> Rival) {
        let meant = provider.domain.as_bytes();
        let share = provider.share - self.cost;
        let cost_min = self.letters.cost_min(provider.letters, self.text.len, meant.len());
        let best = self.best.map_or(UNLISTED_MIN, |(best, _)| best);
        if share - cost_min <= best {
            return;
        }
        let Some(unlisted) = self.rival.get_or_insert_with(rival).against(self.typed, provider) else {
            return;
        };
        let cost_max = share - best.max(unlisted + CERTAINTY - 1) - 1;
        if cost_min > cost_max {
            return;
        }
        if let Some(cost) = slip::cost(self.text.octets(), meant, cost_max) {
            self.best = Some((share - cost, provider));
        }
    }
}

/// The other story: the domain as typed is a genuine one that no table holds.
struct Rival {
    /// Its likelihood by its name alone.
    unlisted: Decibans,
    /// Whether such a domain can exist.
    is_real: bool,
}

impl Rival {
    /// Its likelihood beside a slip of `provider`; `None` when there is no doubt about it: an ordinary word that is
    /// somebody else's under another suffix.
    fn against(&self, typed: &Typed, provider: &Provider) -> Option<Decibans> {
        if !self.is_real {
            return Some(self.unlisted + NO_SUCH_SUFFIX);
        }
        let has_same_name = typed.name() == provider.name().as_bytes();
        match (provider.kind, has_same_name) {
            (Kind::Own, true) => Some(OWN_ELSEWHERE),
            (Kind::Coined, true) => Some(COINED_ELSEWHERE),
            (Kind::Ordinary, true) => None,
            (Kind::Own | Kind::Coined, false) => Some(self.unlisted),
            (Kind::Ordinary, false) => Some(self.unlisted + NEAR_WORD),
        }
    }
}

impl Provider {
    /// A line of the table: domain, addresses per million, kind of name.
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (domain, per_million) = (columns.next()?, columns.next()?.parse().ok()?);
        let kind = match columns.next() {
            Some("own") => Kind::Own,
            Some("coined") => Kind::Coined,
            _ => Kind::Ordinary,
        };
        Some(Self::new(domain, per_million, kind))
    }

    fn new(domain: &str, per_million: u32, kind: Kind) -> Self {
        #[allow(clippy::cast_possible_truncation)] // -60 to 0
        let share = (10.0 * (f64::from(per_million) / 1e6).log10()).round() as Decibans;
        let domain = domain.to_ascii_lowercase();
        let name_len = domain.find('.').unwrap_or(domain.len());
        Self { name_len, letters: Letters::of(domain.as_bytes()), domain: domain.into(), share, kind }
    }

    fn sort_key(&self) -> (usize, &str, Decibans) {
        (self.name_len, self.name(), -self.share)
    }

    fn name(&self) -> &str {
        &self.domain[..self.name_len]
    }
}

fn key(domain: &str) -> Box<[u8]> {
    domain.to_ascii_lowercase().into_bytes().into()
}

/// The domain as typed: lower case ASCII letters, digits, dots and hyphens.
struct Typed {
    text: [u8; TYPED_MAX],
    len: usize,
    /// More than capitals had to be put right: `gmail,com'`.
    is_mended: bool,
}

impl Typed {
    /// Reads what can be a domain in `raw`; `None` when it is empty or longer than any provider's.
    fn read(raw: &str) -> Option<Self> {
        let mut typed = Self { text: [0; TYPED_MAX], len: 0, is_mended: false };
        for c in raw.chars() {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9' | '-') => typed.push(c)?,
                '.' if typed.len > 0 && !typed.octets().ends_with(b".") => typed.push('.')?,
                // A comma is the key beside the dot.
                ',' if typed.len > 0 && !typed.octets().ends_with(b".") => {
                    typed.push('.')?;
                    typed.is_mended = true;
                }
                c => {
                    typed.is_mended = true;
                    match plain_letter(c) {
                        Some(letter) => typed.push(letter)?,
                        None if ends_domain(c) && typed.octets().contains(&b'.') => break,
                        None => {}
                    }
                }
            }
        }
        while typed.octets().ends_with(b".") {
            typed.len -= 1;
            typed.is_mended = true;
        }
        (typed.len > 0).then_some(typed)
    }

    fn push(&mut self, c: char) -> Option<()> {
        *self.text.get_mut(self.len)? = u8::try_from(c).ok()?;
        self.len += 1;
        Some(())
    }

    /// The same with a suffix, if it has none.
    fn with_suffix(&self, suffix: &str) -> Option<Self> {
        if self.has_dot() {
            return None;
        }
        let mut whole = Self { ..*self };
        suffix.chars().try_for_each(|c| whole.push(c))?;
        Some(whole)
    }

    /// The same without a stretch of three octets or more that stands there twice in a row.
    fn without_repeat(&self) -> Option<Self> {
        let octets = self.octets();
        if octets.len() > REPEATED_MAX {
            return None;
        }
        for len in 3..=self.len / 2 {
            let mut same = 0;
            for end in len..self.len {
                same = if octets[end] == octets[end - len] { same + 1 } else { 0 };
                if same == len {
                    let mut once = Self { ..*self };
                    once.text.copy_within(end + 1.., end + 1 - len);
                    once.len -= len;
                    return Some(once);
                }
            }
        }
        None
    }

    fn octets(&self) -> &[u8] {
        &self.text[..self.len]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.octets()).unwrap_or_default()
    }

    /// The part before the first dot.
    fn name(&self) -> &[u8] {
        let octets = self.octets();
        &octets[..octets.iter().position(|&byte| byte == b'.').unwrap_or(octets.len())]
    }

    fn has_dot(&self) -> bool {
        self.name().len() < self.len
    }

    /// Whether it ends in a public suffix that exists, and has a name before it.
    fn has_real_suffix(&self) -> bool {
        self.has_dot() && psl::suffix(self.octets()).is_some_and(|suffix| suffix.is_known())
    }

    /// Whether somebody's own domain stands between the first label and the suffix: `gmail.somebody.example`.
    fn is_subdomain(&self) -> bool {
        let after_name = &self.octets()[self.name().len()..];
        psl::suffix(self.octets())
            .is_some_and(|suffix| suffix.is_known() && after_name.len() > suffix.as_bytes().len() + 1)
    }
}

/// What follows a domain in text that was pasted along.
fn ends_domain(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '/' | '?' | '#' | '&' | ';' | ':' | '>' | '<' | '(' | ')' | '[' | ']' | '"')
}

/// The letter that another keyboard layout or alphabet wrote so that it looks alike.
fn plain_letter(c: char) -> Option<char> {
    Some(match c {
        'à'..='å' | 'À'..='Å' | 'а' => 'a',
        'ç' | 'Ç' | 'с' => 'c',
        'è'..='ë' | 'È'..='Ë' | 'е' => 'e',
        'ì'..='ï' | 'Ì'..='Ï' | 'ı' | 'İ' | 'і' => 'i',
        'ñ' | 'Ñ' => 'n',
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' | 'о' => 'o',
        'р' => 'p',
        'ù'..='ü' | 'Ù'..='Ü' => 'u',
        'х' => 'x',
        'ý' | 'ÿ' | 'у' => 'y',
        _ => return None,
    })
}

impl Check for Typo {
    fn name(&self) -> &'static str {
        "typo"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["typo.suggestion", "typo.trap"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let written = || subject.input().rsplit_once('@').map_or("", |(_, domain)| domain);
        let domain = match subject.address() {
            // Letters outside ASCII can be judged only as they were written.
            Some(address) if !address.domain().contains("xn--") => address.domain(),
            _ => written(),
        };
        if let Some(meant) = self.suggest(domain) {
            outcome.found(Finding::TypoSuggestion(meant.into()));
            if self.is_trap(domain) {
                outcome.found(Finding::TypoTrap);
            }
        }
    }
}
