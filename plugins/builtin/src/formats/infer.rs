//! What format an address has, told from its local part alone, or exactly when its bearer's name is known.
//!
//! From the local part alone it is a guess by how common its pieces are as given and as family names: `brian` may be
//! Brian or B. Rian. Local parts that name a function or look like nobody's name tell nothing.

use std::{collections::HashSet, sync::LazyLock};

use super::{Format, LOCAL_OCTETS_MAX, rank::for_each_local};
use crate::names::{Name, family_share, given_share, is_particle};

/// The words that name functions; lines of a type, a colon, and words.
const ROLES: &str = include_str!("../../data/roles.txt");

static ROLE_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = ROLES.lines().filter_map(|line| line.split_once(": "));
    lines.flat_map(|(_, words)| words.split_ascii_whitespace()).collect()
});

/// Share of people with an initial: some are more common than one in 26.
const INITIAL: f64 = 1.0 / 18.0;

/// Share of local parts that are no format of a name, and among how many letters each of theirs is chosen.
const NO_NAME: f64 = 0.28;
const NO_NAME_LETTERS: f64 = 14.0;
/// Few of them are as short as initials, beside those of longer lengths.
const NO_NAME_OF_TWO: f64 = 0.005;
const NO_NAME_OF_THREE: f64 = 0.02;

/// How much more than given and family name the order of a pair may tell: names are borne in either place.
const PAIR_ODDS_MAX: f64 = 400.0;

/// A local part with a number behind the name: what was free, or no company's format.
const NUMBERED: f64 = 0.6;

/// A weight below this says nothing.
const WEIGHT_MIN: f64 = 0.01;

/// The formats that an address may have by its local part, the likeliest first. Weights are chances, with a sum of at most
/// 1; empty when nothing can be told.
pub fn formats_of(local: &str) -> Vec<(Format, f64)> {
    let lower = local.to_lowercase();
    let untagged = lower.split_once('+').map_or(lower.as_str(), |(before, _tag)| before);
    let name = untagged.trim_end_matches(|c: char| c.is_ascii_digit());
    let certainty = if name.len() == untagged.len() { 1.0 } else { NUMBERED };
    let separators: Vec<char> = name.chars().filter(|c| !c.is_ascii_lowercase()).collect();
    let is_plain = separators.iter().all(|c| matches!(c, '.' | '_' | '-'));
    let pieces: Vec<&str> = name.split(['.', '_', '-']).collect();
    if !is_plain
        || name.len() > LOCAL_OCTETS_MAX
        || pieces.iter().any(|piece| piece.is_empty())
        || is_role(&pieces)
    {
        return Vec::new();
    }
    let mut formats = match (pieces.as_slice(), separators.as_slice()) {
        ([word], _) => of_word(word),
        ([first, second], [separator]) => of_pair(first, second, *separator),
        (_, separators) if separators.iter().all(|c| *c == '.') => of_dotted(&pieces),
        _ => Vec::new(),
    };
    for (_, weight) in &mut formats {
        *weight *= certainty;
    }
    formats.retain(|(_, weight)| *weight >= WEIGHT_MIN);
    formats.sort_by(|a, b| b.1.total_cmp(&a.1));
    formats
}

/// The format by which the local part is made of the name, exactly; the commonest where several do.
pub fn format_for(name: &Name, local: &str) -> Option<Format> {
    let local = local.to_ascii_lowercase();
    let mut best: Option<(Format, f64)> = None;
    for reading in name.readings() {
        for format in Format::ALL {
            for_each_local(format, reading, |made, weight| {
                let chance = weight * format.prior();
                if made == local && best.is_none_or(|(_, of_best)| chance > of_best) {
                    best = Some((format, chance));
                }
            });
        }
    }
    best.map(|(format, _)| format)
}

fn is_role(pieces: &[&str]) -> bool {
    is_role_word(&pieces.concat()) || is_role_word(pieces[0])
}

/// Whether a mailbox of this name is a function's: `it`, `hr`, `post`.
pub(super) fn is_role_word(local: &str) -> bool {
    ROLE_WORDS.contains(local)
}

/// Weighs what may have made one word.
fn of_word(word: &str) -> Vec<(Format, f64)> {
    let length = word.len();
    let initials = |count: i32| INITIAL.powi(count);
    let mut found = vec![];
    match length {
        0 | 1 => return found,
        2 => found.push((Format::Fl, initials(2))),
        3 => found.push((Format::Fml, initials(3))),
        _ => {}
    }
    let given = |part: &str| if part.len() > 1 { given_share(part) } else { 0.0 };
    let family = |part: &str| if part.len() > 1 { family_share(part) } else { 0.0 };
    found.extend([
        (Format::First, given(word)),
        (Format::Last, family(word)),
        (Format::FLast, initials(1) * family(&word[1..])),
        (Format::LFirst, initials(1) * given(&word[1..])),
        (Format::FirstL, initials(1) * given(&word[..length - 1])),
        (Format::LastF, initials(1) * family(&word[..length - 1])),
        (Format::FMLast, initials(2) * family(word.get(2..).unwrap_or_default())),
        (Format::FirstLast, halves(word, &given, &family)),
        (Format::LastFirst, halves(word, &family, &given)),
    ]);
    let letters = i32::try_from(length).unwrap_or(i32::MAX);
    let of_length = match length {
        2 => NO_NAME_OF_TWO,
        3 => NO_NAME_OF_THREE,
        _ => 1.0,
    };
    weighed(found, NO_NAME * of_length * NO_NAME_LETTERS.powi(-letters))
}

/// How likely the word is two names without anything between, over all the places where one may end.
fn halves(word: &str, before: &impl Fn(&str) -> f64, after: &impl Fn(&str) -> f64) -> f64 {
    (2..word.len().saturating_sub(1)).map(|place| before(&word[..place]) * after(&word[place..])).sum()
}

/// Chances from likelihoods, by the formats' priors, against the local part being no name.
fn weighed(mut found: Vec<(Format, f64)>, no_name: f64) -> Vec<(Format, f64)> {
    for (format, likelihood) in &mut found {
        *likelihood *= format.prior();
    }
    let all: f64 = no_name + found.iter().map(|(_, weight)| weight).sum::<f64>();
    if all > 0.0 {
        for (_, weight) in &mut found {
            *weight /= all;
        }
    }
    found
}

fn of_pair(first: &str, second: &str, separator: char) -> Vec<(Format, f64)> {
    let formats = |initial: [Format; 2], names: [Format; 2]| match (first.len(), second.len()) {
        (1, 1) => Vec::new(),
        (1, _) => weighed(vec![(initial[0], 1.0)], initial[0].prior() * 0.1),
        (_, 1) => by_order(first, initial),
        _ => in_order(first, second, names),
    };
    match separator {
        '.' => match (first.len(), second.len()) {
            (2.., 1) => by_order(first, [Format::FirstDotL, Format::LastDotF]),
            _ => formats([Format::FDotLast, Format::LastDotF], [Format::FirstDotLast, Format::LastDotFirst]),
        },
        '_' if second.len() > 1 => formats(
            [Format::FUnderscoreLast, Format::FUnderscoreLast],
            [Format::FirstUnderscoreLast, Format::LastUnderscoreFirst],
        ),
        '-' if second.len() > 1 => formats(
            [Format::FHyphenLast, Format::FHyphenLast],
            [Format::FirstHyphenLast, Format::LastHyphenFirst],
        ),
        _ => Vec::new(),
    }
}

/// A name and an initial: which of the two the name is.
fn by_order(name: &str, [of_given, of_family]: [Format; 2]) -> Vec<(Format, f64)> {
    let found = vec![(of_given, given_share(name)), (of_family, family_share(name))];
    let least = given_share(name).min(family_share(name)) * of_given.prior().min(of_family.prior());
    weighed(found, least * 0.1)
}

/// Two names: which of them comes first.
fn in_order(first: &str, second: &str, [usual, turned]: [Format; 2]) -> Vec<(Format, f64)> {
    let odds = (given_share(first) * family_share(second)) / (family_share(first) * given_share(second));
    let odds = if odds.is_finite() { odds.sqrt().clamp(1.0 / PAIR_ODDS_MAX, PAIR_ODDS_MAX) } else { 1.0 };
    weighed(vec![(usual, odds), (turned, 1.0 / odds)], usual.prior() * 0.05)
}

/// Three pieces or more between dots.
fn of_dotted(pieces: &[&str]) -> Vec<(Format, f64)> {
    let [first, middle @ .., last] = pieces else { return Vec::new() };
    let has_particle = middle.first().is_some_and(|piece| is_particle(piece));
    match (first.len(), middle, last.len()) {
        (_, _, 0 | 1) => Vec::new(),
        (1, _, _) if has_particle => vec![(Format::FDotLast, 0.9)],
        (2.., _, _) if has_particle => vec![(Format::FirstDotLast, 0.9)],
        (1, [middle], _) if middle.len() == 1 => vec![(Format::FDotMDotLast, 0.9)],
        (2.., [middle], _) if middle.len() == 1 => vec![(Format::FirstDotMDotLast, 0.9)],
        // Two surnames, or two given names.
        (2.., [_], _) => vec![(Format::FirstDotLast, 0.5), (Format::FirstDotMiddleDotLast, 0.4)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::parse;

    fn likeliest(local: &str) -> Option<&'static str> {
        formats_of(local).first().map(|(format, _)| format.word())
    }

    #[test]
    fn a_local_part_tells_its_format() {
        for (local, format) in [
            ("margaret.lund", "first.last"),
            ("lund.margaret", "last.first"),
            ("Margaret_Lund", "first_last"),
            ("margaret-lund", "first-last"),
            ("m.lund", "f.last"),
            ("margaret.l", "first.l"),
            ("andersen.m", "last.f"),
            ("margaret", "first"),
            ("mlund", "flast"),
            ("walkerp", "lastf"),
            ("margaretl", "firstl"),
            ("margaretwalker", "firstlast"),
            ("walkermargaret", "lastfirst"),
            ("nguyen", "last"),
            ("ml", "fl"),
            ("margaret.k.lund", "first.m.last"),
            ("m.k.lund", "f.m.last"),
            ("margaret.van.lund", "first.last"),
            ("mlund2", "flast"),
            ("mlund+news", "flast"),
        ] {
            assert_eq!(likeliest(local), Some(format), "{local}: {:?}", formats_of(local));
        }
    }

    #[test]
    fn what_is_nobodys_name_tells_nothing() {
        for local in
            ["", "info", "sales.emea", "12345", "x", "a.b", "..", "mlund@", "jürgen", "_lund", "m..lund"]
        {
            assert_eq!(formats_of(local), [], "{local}");
        }
        let sum = |local: &str| formats_of(local).iter().map(|(_, weight)| weight).sum::<f64>();
        assert!(sum("qxzvkwpjq") < 0.5, "{:?}", formats_of("qxzvkwpjq"));
        assert!(sum("margaret") > 0.9);
    }

    #[test]
    fn an_order_that_names_do_not_tell_is_the_usual_one() {
        let formats = formats_of("thomas.martin");
        assert_eq!(formats[0].0, Format::FirstDotLast);
        assert!(formats.iter().map(|(_, weight)| weight).sum::<f64>() <= 1.0);
    }

    #[test]
    fn with_the_name_the_format_is_exact() {
        let name = parse("Brian Marie Lund").unwrap();
        for (local, format) in [
            ("brian", Some(Format::First)),
            ("Lund", Some(Format::Last)),
            ("brian.lund", Some(Format::FirstDotLast)),
            ("bmlund", Some(Format::FMLast)),
            ("brian.lunt", None),
        ] {
            assert_eq!(format_for(&name, local), format, "{local}");
        }
    }
}
