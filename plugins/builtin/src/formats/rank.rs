//! Which local parts a person most likely has, best first.
//!
//! The chance of a candidate is that of its format, times that of the reading and the spellings it is made of, summed
//! where several make the same local part. The chance of a format is its prior, as if [`PRIOR_COLLEAGUES`] people at the
//! company had been seen, mixed with the formats that were.

use std::collections::HashMap;

use super::{Format, infer::is_role_word};
use crate::names::{Name, Reading, Spelling};

/// How many known colleagues the prior weighs as much as. Companies mostly have one format, so two that agree decide.
const PRIOR_COLLEAGUES: f64 = 1.2;

/// That a name of which only the initial is known has just this initial for it: `j.doe` where others are `jane.doe`.
const INITIAL_AS_NAME: f64 = 0.2;

/// What is known of the formats at a domain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// People seen with each format, perhaps less than one where an address tells it but vaguely or was seen long ago.
    pub counts: Vec<(Format, f64)>,
}

/// A local part that a person may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// `a-z`, `0-9`, and single `.`, `-`, `_` inside; at most 64 octets.
    pub local: String,
    /// The format that most likely made it.
    pub format: Format,
    /// That this is the person's address, 0 to 1. The chances of all guesses sum to less than 1.
    pub chance: f64,
}

/// The likeliest local parts, best first, each once; at most `max`.
pub fn rank(name: &Name, known: &Known, max: usize) -> Vec<Guess> {
    let shares = shares(known);
    // With each guess, the greatest part of its chance that one format and reading have.
    let mut chances: HashMap<String, (Guess, f64)> = HashMap::new();
    for reading in name.readings() {
        for (format, share) in &shares {
            for_each_local(*format, reading, |local, weight| {
                let chance = share * weight;
                let (guess, greatest) = chances.entry(local).or_insert_with_key(|local| {
                    (Guess { local: local.clone(), format: *format, chance: 0.0 }, 0.0)
                });
                guess.chance += chance;
                if chance > *greatest {
                    (*greatest, guess.format) = (chance, *format);
                }
            });
        }
    }
    let mut guesses: Vec<Guess> = chances.into_values().map(|(guess, _)| guess).collect();
    // Whoever has the initials of a function is not found where that answers.
    guesses.retain(|guess| !is_role_word(&guess.local));
    guesses.sort_by(|a, b| b.chance.total_cmp(&a.chance).then_with(|| a.local.cmp(&b.local)));
    guesses.truncate(max);
    guesses
}

/// Gives each local part that the format makes of the reading, and its weight.
pub(super) fn for_each_local(format: Format, reading: &Reading, mut give: impl FnMut(String, f64)) {
    let none = [Spelling { text: String::new(), weight: 1.0 }];
    let or_none = |spellings| if <[Spelling]>::is_empty(spellings) { &none } else { spellings };
    let word = format.word();
    let (of_given, of_surname) = (word.contains("first"), word.contains("last"));
    for given in or_none(&reading.given) {
        for surname in or_none(&reading.surname) {
            let Some(local) = format.local(&given.text, reading.middle.as_deref(), &surname.text) else {
                continue;
            };
            let is_vague = of_given && given.text.len() == 1 || of_surname && surname.text.len() == 1;
            let weight = reading.weight * given.weight * surname.weight;
            give(local, if is_vague { weight * INITIAL_AS_NAME } else { weight });
        }
    }
}

/// The chance of each format at the company; the sum is below 1.
fn shares(known: &Known) -> Vec<(Format, f64)> {
    let count = |format| {
        known.counts.iter().filter(|(of, _)| *of == format).map(|(_, count)| count.max(0.0)).sum::<f64>()
    };
    let seen: f64 = Format::ALL.into_iter().map(count).sum();
    let posterior =
        |format: Format| (PRIOR_COLLEAGUES * format.prior() + count(format)) / (PRIOR_COLLEAGUES + seen);
    // Whoever comes second to a name gets an address of another format.
    let taken: f64 = Format::ALL.into_iter().map(|format| posterior(format) * taken(format)).sum();
    Format::ALL
        .into_iter()
        .map(|format| (format, posterior(format) * (1.0 - self::taken(format)) + taken * format.prior()))
        .collect()
}

/// That the local part of this format is somebody else's already, at a company of usual size.
fn taken(format: Format) -> f64 {
    match format {
        Format::First | Format::Fl => 0.12,
        Format::Last => 0.06,
        Format::FirstL | Format::Fml => 0.04,
        Format::FLast | Format::LastF => 0.03,
        _ => 0.01,
    }
}

#[cfg(test)]
mod tests;
