//! People's names: what somebody wrote as a full name, read as given name, middle name and surname.
//!
//! A name can often be read in more than one way: which end the surname stands at, whether a word in the middle belongs
//! to it, how `ü` is written without its dots. So a name is a list of readings, each with a weight, in letters that
//! stand in addresses. What an address is made of them, the formats say. Nothing here does I/O or knows a domain.

mod families;
mod nicknames;
mod order;
mod register;
mod romanise;
mod scripts;
mod spell;
mod words;
mod written;

pub(crate) use register::{family_share, given_share};
pub(crate) use words::is_particle;
use written::Written;

/// Longest name read, in characters after trimming.
pub const NAME_CHARACTERS_MAX: usize = 200;

/// Most readings of one name; the rest are the least likely ones.
const READINGS_MAX: usize = 32;

/// A reading less likely than this is not worth a probe.
const READING_WEIGHT_MIN: f64 = 0.001;

/// A full name, as it may be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    readings: Vec<Reading>,
}

/// One way to read a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How the given name may be written, the likeliest first; empty when there is none.
    pub given: Vec<Spelling>,
    /// The first of the middle names: lower-case letters, perhaps only one.
    pub middle: Option<String>,
    /// How the surname may be written, the likeliest first; empty when there is none.
    pub surname: Vec<Spelling>,
    /// How likely this reading is, 0 to 1. Those of a name have the sum 1.
    pub weight: f64,
}

/// A way to write a part of a name: `a-z` and `0-9`, with single hyphens or dots inside where people keep them.
#[derive(Debug, Clone, PartialEq)]
pub struct Spelling {
    /// The letters; never empty.
    pub text: String,
    /// How likely this spelling is, 0 to 1. Those of a part have the sum 1.
    pub weight: f64,
}

/// Why a text is not taken for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left after trimming.
    #[error("The name is empty.")]
    Empty,
    /// It has more than [`NAME_CHARACTERS_MAX`] characters.
    #[error("The name is longer than {NAME_CHARACTERS_MAX} characters.")]
    TooLong,
    /// It consists of digits and signs.
    #[error("The name has no letter in it.")]
    NoLetter,
    /// It has a line break, a tab or another control character inside.
    #[error("The name contains a control character.")]
    ControlCharacter,
}

impl Name {
    /// The readings, the likeliest first. None for a name that has no letters left in any spelling.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }
}

/// Reads a full name as people write it: with titles, in either order, in any script.
pub fn parse(full_name: &str) -> Result<Name, NameError> {
    let text = full_name.trim();
    check(text)?;
    let mut readings = Vec::new();
    for version in romanise::versions(text) {
        let written = Written::of(&version.text);
        for mut parts in order::readings(&written) {
            parts.weight *= version.weight;
            spell::add(&parts, &written.nicknames, &mut readings);
        }
    }
    Ok(Name { readings: likeliest(readings) })
}

/// Whether a text may be a name; it is trimmed.
///
/// # Errors
/// Why it is none.
pub(crate) fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        Err(NameError::Empty)
    } else if text.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        Err(NameError::TooLong)
    } else if text.contains(char::is_control) {
        Err(NameError::ControlCharacter)
    } else if !text.contains(char::is_alphabetic) {
        Err(NameError::NoLetter)
    } else {
        Ok(())
    }
}

/// The likeliest readings, with the sum 1.
fn likeliest(mut readings: Vec<Reading>) -> Vec<Reading> {
    readings.retain(|reading| !(reading.given.is_empty() && reading.surname.is_empty()));
    let sum = |readings: &[Reading]| readings.iter().map(|reading| reading.weight).sum::<f64>();
    let all = sum(&readings);
    readings.retain(|reading| reading.weight >= READING_WEIGHT_MIN * all);
    readings.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    readings.truncate(READINGS_MAX);
    let kept = sum(&readings);
    for reading in &mut readings {
        reading.weight /= kept;
    }
    readings
}

#[cfg(test)]
mod tests;
