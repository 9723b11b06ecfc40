//! Which word of a name is which part of it.
//!
//! Most names are written with the surname last; what speaks for another reading is a comma, capitals, the words' own
//! commonness in either place, and the customs of whoever bears such a family name. No reading is taken for certain.

use super::{
    families::{Custom, is_iberian},
    register::Levels,
    words,
    written::{Form, Token, Written},
};

/// A name divided into its parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts {
    /// The words of one given name; several where they belong together, or are initials.
    pub(super) given: Vec<Token>,
    pub(super) middle: Vec<Token>,
    pub(super) surname: Vec<Token>,
    /// Whether the given name is of East Asia, where several syllables are mostly written together.
    pub(super) is_east_asian: bool,
    pub(super) weight: f64,
}

/// That a comma, or capitals, mean what they say.
const COMMA: f64 = 0.97;
const CAPITALS: f64 = 0.94;

/// That somebody who writes an initial and a name goes by the name: J. Edgar.
const CALLED_BY_SECOND: f64 = 0.55;
/// That somebody goes by the middle name, written in full.
const CALLED_BY_MIDDLE: f64 = 0.03;

/// That a name which begins with a particle in small letters is a surname alone: van Gogh.
const SURNAME_ALONE: f64 = 0.7;

/// Odds, as logarithms, that the family name stands first, before the words are looked at.
const FAMILY_FIRST: f64 = -3.5;
/// What a step of commonness tells, and the most that all of them tell.
const LEVEL_ODDS: f64 = 0.45;
const LEVELS_ODDS_MAX: f64 = 4.5;

/// The ways to divide the name; their weights have the sum 1.
pub(super) fn readings(written: &Written) -> Vec<Parts> {
    let mut readings = Vec::new();
    match &written.form {
        Form::Inverted { surname, given } => {
            turned_by_comma(surname, given, COMMA, &mut readings);
            given_first(&[surname.as_slice(), given].concat(), 1.0 - COMMA, &mut readings);
        }
        Form::Running(tokens) => running(tokens, &mut readings),
    }
    readings
}

fn running(tokens: &[Token], readings: &mut Vec<Parts>) {
    match tokens {
        [] => {}
        [only] => single(only, readings),
        [first, last] if is_initials(last) && !is_initials(first) => {
            // "Doe J" in a list of authors, or "Jane D." where surnames are cut.
            let is_list = last.text.len() == last.key.len();
            let turned = if is_list && Levels::of(&first.key).leaning() >= 0.0 { 0.8 } else { 0.2 };
            family_first(tokens, None, turned, readings);
            given_first(tokens, 1.0 - turned, readings);
        }
        [particle, rest @ ..]
            if words::is_particle(&particle.text) && rest.iter().any(Token::is_capitalised) =>
        {
            readings.push(Parts { surname: tokens.to_vec(), weight: SURNAME_ALONE, ..Parts::default() });
            given_first(tokens, 1.0 - SURNAME_ALONE, readings);
        }
        _ => {
            if let Some(surname) = capitals(tokens) {
                let (before, after) = (&tokens[..surname.start], &tokens[surname.end..]);
                let given: Vec<Token> = before.iter().chain(after).cloned().collect();
                turned_by_comma(&tokens[surname], &given, CAPITALS, readings);
                given_first(tokens, 1.0 - CAPITALS, readings);
                return;
            }
            let (turned, custom) = family_first_weight(tokens);
            family_first(tokens, custom, turned, readings);
            given_first(tokens, 1.0 - turned, readings);
        }
    }
}

/// One word: what somebody is called, or a surname.
fn single(only: &Token, readings: &mut Vec<Parts>) {
    let is_surname = if Levels::of(&only.key).leaning() > 0.0 { 0.6 } else { 0.25 };
    let only = vec![only.clone()];
    readings.push(Parts { given: only.clone(), weight: 1.0 - is_surname, ..Parts::default() });
    readings.push(Parts { surname: only, weight: is_surname, ..Parts::default() });
}

/// The words written in capitals, where they stand together at one end and the others are not.
fn capitals(tokens: &[Token]) -> Option<std::ops::Range<usize>> {
    let is_marked = |token: &Token| token.is_capitals() && !is_initials(token);
    let first = tokens.iter().position(is_marked)?;
    let length = tokens[first..].iter().take_while(|token| is_marked(token)).count();
    let end = first + length;
    let is_one_run = !tokens[end..].iter().any(is_marked);
    let others_are_small = tokens.iter().any(|token| token.text.contains(|c: char| c.is_ascii_lowercase()));
    // "Jan van den BERG": the particles before belong to it.
    let start =
        first - tokens[..first].iter().rev().take_while(|token| words::is_particle(&token.key)).count();
    let is_at_end = first == 0 || end == tokens.len();
    (is_one_run && others_are_small && is_at_end && end - start < tokens.len())
        .then_some(start.max(usize::from(first > 0))..end)
}

/// `J`, `J.`, `JR`: letters that stand for names.
fn is_initials(token: &Token) -> bool {
    let has_vowel = token.has_vowel();
    let is_name = has_vowel && Levels::of(&token.key) != Levels::default()
        || Custom::FAMILY_FIRST.iter().any(|custom| custom.has(&token.key));
    let letters_max = if has_vowel { 2 } else { 3 };
    token.is_initial() || token.is_capitals() && token.key.len() <= letters_max && !is_name
}

/// How likely the family name stands first, and by whose custom.
fn family_first_weight(tokens: &[Token]) -> (f64, Option<Custom>) {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return (0.0, None) };
    if is_initials(first)
        || tokens[1..].iter().any(|token| words::is_particle(&token.key)) && custom(tokens).is_none()
    {
        return (0.0, None);
    }
    if tokens.len() == 3 && words::is_patronymic(&last.key) {
        return (0.95, None);
    }
    if tokens.len() == 3 && words::is_patronymic(&tokens[1].key) {
        return (0.0, None);
    }
    let custom = custom(tokens);
    let prior = match custom {
        Some(Custom::Vietnamese) if tokens.len() > 2 => 1.5,
        Some(Custom::Chinese | Custom::Korean) if tokens.len() > 2 || last.text.contains('-') => 1.0,
        Some(Custom::Vietnamese | Custom::Chinese | Custom::Korean) => -0.3,
        Some(Custom::Japanese) => -1.0,
        Some(_) => -1.5,
        None => FAMILY_FIRST,
    };
    let (first, last) = (leaning(first), leaning(last));
    let told = ((first - last) * LEVEL_ODDS).clamp(-LEVELS_ODDS_MAX, LEVELS_ODDS_MAX);
    (1.0 / (1.0 + (-prior - told).exp()), custom)
}

/// How much rather the word is a family name. Family names that we know by their custom are at least as common as any.
fn leaning(token: &Token) -> f64 {
    let levels = token.pieces().map(|piece| Levels::of(&piece)).fold(Levels::default(), |all, one| Levels {
        given: all.given.max(one.given),
        family: all.family.max(one.family),
    });
    let is_known = Custom::FAMILY_FIRST.iter().any(|custom| custom.has(&token.key));
    Levels { family: if is_known { levels.family.max(5) } else { levels.family }, ..levels }.leaning()
}

/// The custom by which the first word is a family name and the others may be a given name.
fn custom(tokens: &[Token]) -> Option<Custom> {
    let (first, rest) = tokens.split_first()?;
    Custom::FAMILY_FIRST.into_iter().find(|custom| custom.has(&first.key) && may_be_given(*custom, rest))
}

/// Whether the words look like a given name of this custom.
fn may_be_given(custom: Custom, tokens: &[Token]) -> bool {
    let is_foreign = |token: &Token| is_initials(token) || is_western(token);
    let is_syllabic = |token: &Token| is_syllabic(&token.key) && !is_foreign(token);
    match custom {
        Custom::Vietnamese => tokens.len() <= 4 && tokens.iter().all(|t| t.key.len() <= 6 && !is_foreign(t)),
        Custom::Chinese | Custom::Korean => tokens.len() <= 2 && tokens.iter().all(is_syllabic),
        Custom::Japanese => tokens.len() == 1 && tokens.iter().all(|token| is_japanese(&token.key)),
        _ => tokens.len() <= 2 && tokens.iter().all(|token| Levels::of(&token.key).given >= 2),
    }
}

/// Whether it is a given name far more common in the West than East Asian names are on the list.
fn is_western(token: &Token) -> bool {
    Levels::of(&token.key).given >= 6 && token.key.len() >= 4
}

/// Syllables as those of Mandarin, Cantonese and Korean: without the clusters of European names, and with few endings.
fn is_syllabic(key: &str) -> bool {
    const CLUSTERS: [&str; 31] = [
        "st", "tr", "br", "cr", "dr", "fr", "gr", "pr", "bl", "cl", "fl", "gl", "pl", "sm", "sp", "th", "ck",
        "ll", "tt", "ss", "rr", "rv", "rt", "rd", "rk", "rs", "rl", "rm", "rn", "lk", "ks",
    ];
    let is_vowel = |c: char| "aeiouvy".contains(c);
    let ends_well = key.ends_with(|c: char| is_vowel(c) || "ngrhkptml".contains(c));
    let has_cluster = CLUSTERS.iter().any(|cluster| key.contains(cluster));
    ends_well && key.len() <= 12 && key.contains(is_vowel) && !has_cluster
}

/// Syllables of a consonant and a vowel, and `n` between them.
fn is_japanese(key: &str) -> bool {
    const PAIRS: [&[u8; 2]; 12] =
        [b"ch", b"sh", b"ts", b"ss", b"tt", b"kk", b"ky", b"ry", b"gy", b"ny", b"hy", b"my"];
    let is_vowel = |octet: u8| b"aeiou".contains(&octet);
    let follows = |pair: &[u8]| {
        is_vowel(pair[1]) || is_vowel(pair[0]) || pair[0] == b'n' || PAIRS.iter().any(|p| *p == pair)
    };
    key.as_bytes().windows(2).all(follows) && key.ends_with(['a', 'e', 'i', 'o', 'u', 'n', 'h'])
}

/// Family name, then given names.
fn family_first(tokens: &[Token], custom: Option<Custom>, weight: f64, readings: &mut Vec<Parts>) {
    let Some((surname, rest)) = tokens.split_first() else { return };
    let surname = std::slice::from_ref(surname);
    let mut add = |given: &[Token], middle: &[Token], is_east_asian, weight| {
        readings.push(Parts {
            given: given.to_vec(),
            middle: middle.to_vec(),
            surname: surname.to_vec(),
            is_east_asian,
            weight,
        });
    };
    match (custom, rest) {
        (Some(Custom::Vietnamese), [before @ .., last]) if !before.is_empty() => {
            add(std::slice::from_ref(last), before, true, weight * 0.7);
            add(rest, &[], true, weight * 0.3);
        }
        (Some(Custom::Chinese | Custom::Korean | Custom::Japanese), _) => add(rest, &[], true, weight),
        (_, [given, middle @ ..]) => add(std::slice::from_ref(given), middle, false, weight),
        (_, []) => {}
    }
}

/// Surname and given names apart, as a comma or capitals show them.
fn turned_by_comma(surname: &[Token], given: &[Token], weight: f64, readings: &mut Vec<Parts>) {
    let is_east_asian = surname.len() == 1 && custom(&[surname, given].concat()).is_some_and(is_of_syllables);
    let mut add = |given: &[Token], middle: &[Token], weight| {
        readings.push(Parts {
            given: given.to_vec(),
            middle: middle.to_vec(),
            surname: surname.to_vec(),
            is_east_asian,
            weight,
        });
    };
    if is_east_asian {
        add(given, &[], weight);
    } else {
        for (given, middle, share) in given_names(given) {
            add(given, middle, weight * share);
        }
    }
}

fn is_of_syllables(custom: Custom) -> bool {
    matches!(custom, Custom::Chinese | Custom::Korean)
}

/// Given names, then the surname: with each place where the surname may begin.
fn given_first(tokens: &[Token], weight: f64, readings: &mut Vec<Parts>) {
    for (start, share) in surname_starts(tokens) {
        let (before, surname) = tokens.split_at(start);
        let weight = weight * share;
        let mut add = |given: &[Token], middle: &[Token], is_east_asian, weight| {
            readings.push(Parts {
                given: given.to_vec(),
                middle: middle.to_vec(),
                surname: surname.to_vec(),
                is_east_asian,
                weight,
            });
        };
        // "Young Sam Kim", "Ki-moon Ban".
        let turned: Vec<Token> = surname.iter().chain(before).cloned().collect();
        if surname.len() == 1 && before.len() <= 2 && custom(&turned).is_some_and(is_of_syllables) {
            add(before, &[], true, weight);
            continue;
        }
        for (given, middle, share) in given_names(before) {
            add(given, middle, false, weight * share);
        }
    }
}

/// Divides given names into the one that somebody goes by and the others, each way with its share.
fn given_names(names: &[Token]) -> Vec<(&[Token], &[Token], f64)> {
    let initials = names.iter().take_while(|token| is_initials(token)).count();
    match names {
        [] => vec![(names, names, 1.0)],
        [first, second, ..] if words::begins_compound(&first.key, &second.key) => {
            vec![(&names[..2], &names[2..], 1.0)]
        }
        // "J. Edgar Doe" and "J. R. Doe"; the latter's letters may be one word.
        [_, second, ..] if initials == 1 && !is_initials(second) => {
            vec![
                (&names[1..2], &names[..1], CALLED_BY_SECOND),
                (&names[..1], &names[1..], 1.0 - CALLED_BY_SECOND),
            ]
        }
        _ if initials >= 2 => {
            vec![(&names[..1], &names[1..], 0.7), (&names[..initials], &names[initials..], 0.3)]
        }
        [_, second, ..] if may_be_used(second) => {
            vec![
                (&names[..1], &names[1..], 1.0 - CALLED_BY_MIDDLE),
                (&names[1..2], &names[..1], CALLED_BY_MIDDLE),
            ]
        }
        _ => vec![(&names[..1], &names[1..], 1.0)],
    }
}

/// Whether somebody may go by this middle name.
fn may_be_used(middle: &Token) -> bool {
    !is_initials(middle) && !words::is_patronymic(&middle.key) && !words::is_particle(&middle.key)
}

/// Where the surname may begin, with shares of the sum 1.
fn surname_starts(tokens: &[Token]) -> Vec<(usize, f64)> {
    let last = tokens.len() - 1;
    if last <= 1 {
        return vec![(last.min(1), 1.0)];
    }
    let joined = (2..last).find(|place| {
        let beside = [&tokens[*place - 1], &tokens[*place + 1]];
        words::is_conjunction(&tokens[*place].key) && !beside.iter().any(|token| token.is_initial())
    });
    if let Some(place) = joined {
        return vec![(place - 1, 1.0)];
    }
    let base = particle(tokens).unwrap_or(last);
    let before = &tokens[base - 1];
    if base < 2 || is_initials(before) {
        return vec![(base, 1.0)];
    }
    let double = double_weight(tokens, base);
    vec![(base, 1.0 - double), (base - 1, double)]
}

/// The first particle of the surname.
fn particle(tokens: &[Token]) -> Option<usize> {
    let last = tokens.len() - 1;
    let mut place = 1;
    while place < last {
        if words::is_particle(&tokens[place].key) {
            let end =
                place + tokens[place..last].iter().take_while(|token| words::is_particle(&token.key)).count();
            // "María del Carmen López": the particle belongs to what is before.
            if end < last && words::continues_given_name(&tokens[end].key) {
                place = end + 1;
                continue;
            }
            return Some(place);
        }
        place += 1;
    }
    None
}

/// How likely the word before `base` is a surname too.
fn double_weight(tokens: &[Token], base: usize) -> f64 {
    let (before, after) = (&tokens[base - 1], &tokens[tokens.len() - 1]);
    let is_nordic = after.key.ends_with("sson") || after.key.ends_with("dottir");
    if words::is_patronymic(&before.key) || words::is_particle(&before.key) || is_nordic {
        return 0.0;
    }
    let levels = Levels::of(&before.key);
    let leans = levels.leaning() > 0.0;
    match (is_iberian(&before.key), is_iberian(&after.key)) {
        (true, true) if leans || levels.given < 5 => 0.85,
        (true, _) | (_, true) if leans => 0.45,
        _ if levels.leaning() >= 3.0 => 0.2,
        _ if levels.given > 0 => 0.04,
        _ => 0.1,
    }
}
