//! How common names are, as given and as family names: a list of some 35,000, mostly of countries that write Latin
//! letters.
//!
//! The list is `data/names.txt`, made by `data/build_names.py`. A name's levels go from 1 to 9, each 2.2 times as
//! common as the one below; 0 is a name that the list does not know in that place.

use std::{collections::HashMap, sync::LazyLock};

/// Lines of two levels, a colon, and names.
const NAMES: &str = include_str!("../../data/names.txt");

/// Share of the people who bear a name of the highest level, and what lies between two levels.
const COMMONEST: f64 = 4e-3;
const STEP: f64 = 2.2;
const LEVEL_MAX: u8 = 9;

/// Share of the people whose name the list does not know, and among how many letters each of theirs is chosen.
const UNLISTED: f64 = 0.15;
const LETTERS: f64 = 11.0;
/// The list's rarest names are more common than this.
const UNLISTED_MAX: f64 = 2e-6;

static LEVELS: LazyLock<HashMap<&'static str, Levels>> = LazyLock::new(|| {
    let lines = NAMES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    lines
        .filter_map(|(levels, names)| {
            let [given, family] = *levels.as_bytes() else { return None };
            Some((Levels { given: given.wrapping_sub(b'0'), family: family.wrapping_sub(b'0') }, names))
        })
        .flat_map(|(levels, names)| names.split_ascii_whitespace().map(move |name| (name, levels)))
        .collect()
});

/// How common a name is, 0 to 9.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) given: u8,
    pub(super) family: u8,
}

impl Levels {
    pub(super) fn of(name: &str) -> Self {
        LEVELS.get(name).copied().unwrap_or_default()
    }

    /// How much rather it is a family name than a given one, in levels.
    pub(super) fn leaning(self) -> f64 {
        f64::from(self.family) - f64::from(self.given)
    }
}

/// Share of the people with this given name.
pub(crate) fn given_share(name: &str) -> f64 {
    share(Levels::of(name).given, name.len())
}

/// Share of the people with this family name.
pub(crate) fn family_share(name: &str) -> f64 {
    share(Levels::of(name).family, name.len())
}

fn share(level: u8, letters: usize) -> f64 {
    if level == 0 {
        let letters = i32::try_from(letters).unwrap_or(i32::MAX);
        return (UNLISTED * LETTERS.powi(-letters)).min(UNLISTED_MAX);
    }
    COMMONEST * STEP.powi(i32::from(level) - i32::from(LEVEL_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_knows_which_place_a_name_has() {
        assert!(LEVELS.len() > 30_000);
        assert!(LEVELS.values().all(|levels| levels.given.max(levels.family) <= LEVEL_MAX));
        assert!(NAMES.bytes().all(|octet| octet.is_ascii_alphanumeric() || b" \n:#.;,_".contains(&octet)));
        assert!(Levels::of("margaret").leaning() < -5.0);
        assert!(Levels::of("nguyen").leaning() > 5.0);
        assert_eq!(Levels::of("xqzzy"), Levels::default());
    }

    #[test]
    fn whom_the_list_does_not_know_is_rarer_the_longer_the_name() {
        assert!(given_share("thomas") > given_share("lindsey"));
        assert!(family_share("zzq") > family_share("zzqzzq"));
        assert!(family_share(&"q".repeat(60)) >= 0.0);
    }
}
