//! How the parts of a name are spelled in an address: hyphens kept or dropped, particles with or without, one surname of
//! two, a nickname for a given name.
//!
//! Weights are estimates of what people do; what they have to achieve is in the tests of the ranking.

use super::{Reading, Spelling, families::Custom, nicknames, order::Parts, words, written::Token};

/// A spelling longer than this leaves no room in a local part of 64 octets (RFC 5321 §4.5.3.1.1).
const SPELLING_OCTETS_MAX: usize = 60;

/// That somebody with a nickname in the full name uses it.
const NICKNAME_GIVEN: f64 = 0.45;
/// That one particular other form of the name that is written is used instead, and that any of them is.
const OTHER_FORM: f64 = 0.06;
const OTHER_FORMS_MAX: f64 = 0.15;

/// What is done with several words, or with the hyphens between them: in given name and surname alike.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    /// `jean-pierre`
    Kept,
    /// `jeanpierre`
    Joined,
    /// `jean`
    One,
}

/// Adds the parts' readings: one for each style that makes a difference.
pub(super) fn add(parts: &Parts, aliases: &[String], readings: &mut Vec<Reading>) {
    let middle = parts.middle.iter().find(|token| !words::is_particle(&token.key));
    for &(style, share) in styles(parts) {
        let given = given(parts, style);
        readings.push(Reading {
            given: given.map_or_else(Vec::new, |name| with_nicknames(name, aliases)),
            middle: middle.map(|token| token.key.clone()),
            surname: surname(&parts.surname, style),
            weight: parts.weight * share,
        });
    }
}

fn styles(parts: &Parts) -> &'static [(Style, f64)] {
    let has_hyphen = |tokens: &[Token]| tokens.iter().any(|token| token.pieces().nth(1).is_some());
    match () {
        () if parts.is_east_asian && (parts.given.len() > 1 || has_hyphen(&parts.given)) => {
            &[(Style::Joined, 0.65), (Style::Kept, 0.2), (Style::One, 0.15)]
        }
        () if parts.given.len() > 1 && parts.given.iter().all(|token| token.key.len() <= 3) => {
            &[(Style::Joined, 1.0)]
        }
        () if parts.given.len() > 1 => &[(Style::One, 0.6), (Style::Joined, 0.2), (Style::Kept, 0.2)],
        () if has_hyphen(&parts.given) || has_hyphen(&parts.surname) => {
            &[(Style::Kept, 0.45), (Style::Joined, 0.4), (Style::One, 0.15)]
        }
        () => &[(Style::Joined, 1.0)],
    }
}

fn given(parts: &Parts, style: Style) -> Option<String> {
    let pieces: Vec<String> = parts.given.iter().flat_map(Token::pieces).collect();
    let text = match style {
        Style::Kept => pieces.join("-"),
        Style::Joined => pieces.concat(),
        Style::One => pieces.into_iter().next()?,
    };
    (!text.is_empty()).then_some(shortened(text))
}

/// The given name and what its bearer may be called instead.
fn with_nicknames(name: String, aliases: &[String]) -> Vec<Spelling> {
    let is_explicit = !aliases.is_empty();
    let others = if is_explicit { aliases.to_vec() } else { nicknames::other_forms(&name) };
    let others: Vec<String> = others.into_iter().filter(|other| *other != name).map(shortened).collect();
    if others.is_empty() {
        return vec![Spelling { text: name, weight: 1.0 }];
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of names")]
    let count = others.len() as f64;
    let share = if is_explicit { NICKNAME_GIVEN } else { OTHER_FORMS_MAX.min(OTHER_FORM * count) };
    let mut spellings = vec![Spelling { text: name, weight: 1.0 - share }];
    spellings.extend(others.into_iter().map(|text| Spelling { text, weight: share / count }));
    spellings
}

/// One of the family names that a surname consists of, with its particles.
#[derive(Default)]
struct Family {
    /// What joins it to the one before: the `y` of Ortega y Gasset.
    conjunction: String,
    particles: Vec<String>,
    /// The words between its hyphens.
    pieces: Vec<String>,
}

impl Family {
    fn core(&self, style: Style) -> String {
        if style == Style::Kept { self.pieces.join("-") } else { self.pieces.concat() }
    }

    fn whole(&self, style: Style) -> String {
        format!("{}{}", self.particles.concat(), self.core(style))
    }

    /// Whether the particle is one that Arabic names are often written without, as `al-`.
    fn has_article(&self) -> bool {
        self.pieces.len() > 1 && matches!(self.pieces[0].as_str(), "al" | "el" | "ul" | "as" | "ar")
    }
}

fn families(tokens: &[Token]) -> Vec<Family> {
    let mut families = Vec::new();
    let mut family = Family::default();
    for (place, token) in tokens.iter().enumerate() {
        let is_last = place + 1 == tokens.len();
        if !is_last && !families.is_empty() && words::is_conjunction(&token.key) {
            family.conjunction.clone_from(&token.key);
        } else if !is_last && words::is_particle(&token.key) {
            family.particles.push(token.key.clone());
        } else {
            family.pieces = token.pieces().collect();
            families.push(std::mem::take(&mut family));
        }
    }
    families
}

/// The ways to write a surname, the likeliest first.
fn surname(tokens: &[Token], style: Style) -> Vec<Spelling> {
    let families = families(tokens);
    let spellings = match families.as_slice() {
        [] => return Vec::new(),
        [one] => single(one, style),
        several => double(several, style),
    };
    merged(spellings)
}

fn single(family: &Family, style: Style) -> Vec<(String, f64)> {
    if family.has_article() {
        let without = family.pieces[1..].concat();
        return vec![(family.whole(style), 0.75), (without, 0.25)];
    }
    if family.pieces.len() > 1 {
        let first = family.pieces.first().cloned().unwrap_or_default();
        let last = family.pieces.last().cloned().unwrap_or_default();
        return match style {
            Style::One => vec![(first, 0.5), (last, 0.5)],
            _ => vec![(family.whole(style), 0.9), (first, 0.04), (last, 0.06)],
        };
    }
    if family.particles.is_empty() {
        return vec![(family.whole(style), 1.0)];
    }
    let dotted = [family.particles.as_slice(), &family.pieces].concat().join(".");
    vec![(family.whole(style), 0.7), (family.core(style), 0.24), (dotted, 0.06)]
}

/// Several family names: Spanish custom uses the first alone, Portuguese and Arabic the last.
fn double(families: &[Family], style: Style) -> Vec<(String, f64)> {
    let [first, .., last] = families else { return Vec::new() };
    let (of_first, of_all, of_last) = shares(families);
    let joined = families.iter().map(|family| family.conjunction.clone() + &family.whole(style)).collect();
    let hyphened = families.iter().map(|family| family.whole(style)).collect::<Vec<_>>().join("-");
    let mut spellings = vec![(joined, of_all * 0.85), (hyphened, of_all * 0.15)];
    for (family, share) in [(first, of_first), (last, of_last)] {
        spellings.extend(single(family, style).into_iter().map(|(text, weight)| (text, weight * share)));
    }
    spellings
}

/// How likely the first of several family names is used alone, all of them, and the last alone.
fn shares(families: &[Family]) -> (f64, f64, f64) {
    let has_particle = |words: &[&str]| {
        families
            .iter()
            .flat_map(|family| &family.particles)
            .any(|particle| words.contains(&particle.as_str()))
    };
    let by =
        |custom: Custom| families.iter().filter(|family| custom.has(&family.core(Style::Joined))).count();
    let is_portuguese =
        by(Custom::Portuguese) > by(Custom::Spanish) || has_particle(&["da", "do", "dos", "das"]);
    match () {
        () if families.iter().any(|family| !family.conjunction.is_empty()) => (0.3, 0.55, 0.15),
        () if is_portuguese => (0.15, 0.35, 0.5),
        () if by(Custom::Spanish) > 0 => (0.4, 0.45, 0.15),
        () if has_particle(&["bin", "ibn", "bint", "binti"]) => (0.1, 0.4, 0.5),
        () => (0.2, 0.5, 0.3),
    }
}

/// The spellings without repetition, the likeliest first.
fn merged(spellings: Vec<(String, f64)>) -> Vec<Spelling> {
    let mut merged: Vec<Spelling> = Vec::new();
    for (text, weight) in spellings.into_iter().filter(|(text, _)| !text.is_empty()) {
        let text = shortened(text);
        match merged.iter_mut().find(|spelling| spelling.text == text) {
            Some(spelling) => spelling.weight += weight,
            None => merged.push(Spelling { text, weight }),
        }
    }
    merged.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    merged
}

/// What is longer than a local part is cut: no address has it, and nothing may grow without bound.
fn shortened(mut text: String) -> String {
    text.truncate(SPELLING_OCTETS_MAX);
    text.truncate(text.trim_end_matches(['-', '.']).len());
    text
}
