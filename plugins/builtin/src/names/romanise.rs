//! A name in plain Latin letters: the ways to write those with marks, and those of other scripts.
//!
//! People of one place write all their letters by one habit, so a version is of the whole name: `Jörg Müller` is
//! `Joerg Mueller` or `Jorg Muller`, and rarely a mixture. Case, spaces and signs stay, for they say how to read it.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::scripts;

/// The name in ASCII letters, but for quotes and dashes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    pub(super) text: String,
    /// How likely the name is written so, 0 to 1.
    pub(super) weight: f64,
}

/// How letters that have no plain twin are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// The letter without its marks: `ü` is `u`; `ю` is `yu`.
    Plain,
    /// As it sounds at home, or in passports: `ü` is `ue`; `ю` is `iu`.
    Spelled,
}

/// The ways to write the name, without repetition.
pub(super) fn versions(name: &str) -> Vec<Version> {
    let name = ComposingNormalizerBorrowed::new_nfc().normalize(name);
    // The Irish one is no initial.
    let name = name.replace("Ó ", "O'");
    let spelled = spelled_weight(&name);
    let mut versions: Vec<Version> = Vec::new();
    for (habit, weight) in [(Habit::Plain, 1.0 - spelled), (Habit::Spelled, spelled)] {
        let text = written(&name, habit);
        match versions.iter_mut().find(|version| version.text == text) {
            Some(version) => version.weight += weight,
            None => versions.push(Version { text, weight }),
        }
    }
    versions
}

/// How likely somebody with this name spells letters out. Only German and Danish habits do; marks of other languages
/// in the same name speak against them.
fn spelled_weight(name: &str) -> f64 {
    let name = name.to_lowercase();
    let has = |letters: &str| name.contains(|c| letters.contains(c));
    let is_northern =
        ["ää", "öö", "ström", "sjö", "björ", "nen ", "sson"].iter().any(|part| name.contains(part))
            || name.ends_with("nen");
    let is_other_script = |c: char| ('\u{370}'..'\u{1e00}').contains(&c) || c > '\u{2e80}';
    match () {
        () if name.contains(is_other_script) => 0.4,
        () if has("ßæø") => 0.5,
        () if has("åőűışğçáéíóúêãõřěůñľ") || is_northern || name.contains("gü") => 0.1,
        () if has("đ") => 0.35,
        () => 0.5,
    }
}

fn written(name: &str, habit: Habit) -> String {
    let name = scripts::east_asian(name, habit);
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len());
    for (place, letter) in letters.iter().enumerate() {
        let around = (place.checked_sub(1).and_then(|before| letters.get(before)), letters.get(place + 1));
        push(&mut text, *letter, habit, around);
    }
    scripts::tidy(text, habit)
}

fn push(text: &mut String, letter: char, habit: Habit, around: (Option<&char>, Option<&char>)) {
    if letter.is_ascii() || is_sign(letter) {
        text.push(match letter {
            '’' | 'ʼ' | '´' | 'ʻ' | '′' if around.1.is_some_and(|next| next.is_alphabetic()) => '\'',
            '\u{2010}' | '\u{2011}' | '\u{2212}' => '-',
            sign => sign,
        });
        return;
    }
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    let plain = latin(lower, habit)
        .or_else(|| scripts::letter(lower, habit, around.0.copied()))
        .or_else(|| deunicode::deunicode_char(lower))
        .unwrap_or_default();
    if !letter.is_uppercase() {
        text.push_str(plain);
    } else if around.1.or(around.0).is_some_and(|next| next.is_uppercase()) {
        text.push_str(&plain.to_ascii_uppercase());
    } else {
        let mut letters = plain.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
}

/// Signs that say how to read a name.
fn is_sign(c: char) -> bool {
    "“”„«»‘’ʼ´ʻ′–—\u{2010}\u{2011}\u{2212}\u{a0}".contains(c)
}

/// Latin letters that people write in more than one way, or that `deunicode` writes in a way they do not.
fn latin(letter: char, habit: Habit) -> Option<&'static str> {
    let spelled = habit == Habit::Spelled;
    Some(match letter {
        'ä' | 'æ' if spelled => "ae",
        'ö' | 'ø' if spelled => "oe",
        'ü' if spelled => "ue",
        'å' if spelled => "aa",
        'đ' if spelled => "dj",
        'ä' | 'å' | 'ə' => "a",
        'æ' => "ae",
        'ö' | 'ø' => "o",
        'ü' => "u",
        'đ' | 'ð' => "d",
        'ß' => "ss",
        'œ' => "oe",
        'þ' => "th",
        'ı' => "i",
        'ʾ' | 'ʿ' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str) -> Vec<String> {
        versions(name).into_iter().map(|version| version.text).collect()
    }

    #[test]
    fn letters_with_marks_are_written_by_one_habit() {
        for (name, expected) in [
            ("Jörg Bäßler", ["Jorg Bassler", "Joerg Baessler"].as_slice()),
            ("JÖRG", &["JORG", "JOERG"]),
            ("Søren Ågård", &["Soren Agard", "Soeren Aagaard"]),
            ("Đorđe", &["Dorde", "Djordje"]),
            ("Zoë Núñez", &["Zoe Nunez"]),
            ("Nguyễn Ấn", &["Nguyen An"]),
            ("Jo\u{308}rg", &["Jorg", "Joerg"]),
            ("Jane D’Arcy", &["Jane D'Arcy"]),
            ("Jane Ó Dúill", &["Jane O'Duill"]),
        ] {
            assert_eq!(texts(name), expected, "{name}");
        }
    }

    #[test]
    fn a_swede_is_no_german() {
        let weight = |name| versions(name)[0].weight;
        assert!(weight("Björn Sjöström") > 0.8 && weight("Jörg Müller") < 0.6);
        assert!((versions("Jörg").iter().map(|version| version.weight).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
