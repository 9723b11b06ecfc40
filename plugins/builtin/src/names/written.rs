//! A name as written, without what is no name: asides, titles, suffixes; and whether a comma turns it around.
//!
//! The text is in Latin letters already. Which of its words is which part of the name is decided elsewhere.

use super::{register::Levels, words};

/// Words beyond this are no part of a name that an address is made of.
const TOKENS_MAX: usize = 12;

/// A title as common as this among given names is taken for one: Prince, Marshall.
const GIVEN_NAME: u8 = 4;

/// Brackets and quotes around nicknames. Single quotes are asides only where they stand around whole words.
const ASIDES: [(char, char); 10] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('"', '"'),
    ('“', '”'),
    ('„', '“'),
    ('«', '»'),
    ('‘', '’'),
    ('\'', '\''),
    ('`', '\''),
];

/// The words of a name.
#[derive(Debug, PartialEq)]
pub(super) struct Written {
    pub(super) form: Form,
    /// What stood in brackets or quotes, lower-case letters.
    pub(super) nicknames: Vec<String>,
}

/// How the words stand.
#[derive(Debug, PartialEq)]
pub(super) enum Form {
    /// In a row: Jane van Doe.
    Running(Vec<Token>),
    /// Turned around: van Doe, Jane.
    Inverted { surname: Vec<Token>, given: Vec<Token> },
}

/// A word of a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// As written, in ASCII.
    pub(super) text: String,
    /// Its letters and digits, in lower case; never empty.
    pub(super) key: String,
}

impl Token {
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let key: String =
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        (!key.is_empty()).then(|| Self { text: text.to_owned(), key })
    }

    pub(super) fn has_vowel(&self) -> bool {
        self.key.contains(['a', 'e', 'i', 'o', 'u', 'y'])
    }

    pub(super) fn is_initial(&self) -> bool {
        self.key.len() == 1
    }

    pub(super) fn is_capitalised(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_uppercase())
    }

    /// Whether it has two letters or more, all of them capitals.
    pub(super) fn is_capitals(&self) -> bool {
        self.key.len() >= 2 && !self.text.contains(|c: char| c.is_ascii_lowercase())
    }

    /// The words between its hyphens, lower-case letters.
    pub(super) fn pieces(&self) -> impl Iterator<Item = String> {
        self.text.split('-').filter_map(Self::new).map(|piece| piece.key)
    }
}

impl Written {
    pub(super) fn of(text: &str) -> Self {
        let (text, nicknames) = take_asides(before_dash(text));
        Self { form: form(&text), nicknames }
    }
}

fn form(text: &str) -> Form {
    let mut segments: Vec<Vec<Token>> = Vec::new();
    let parts: Vec<&str> = text.split([',', ';']).collect();
    for (place, segment) in parts.iter().enumerate() {
        let is_beside_full_name = segments.iter().flatten().count() > 1
            || parts[place + 1..].iter().any(|later| later.contains(is_letter) && !is_dropped(later, true));
        if !segments.is_empty() && is_dropped(segment, is_beside_full_name) {
            continue;
        }
        let mut tokens = tokens(segment);
        strip_suffixes(&mut tokens, if segments.is_empty() && !text.contains(',') { 2 } else { 1 });
        strip_titles(&mut tokens);
        if !tokens.is_empty() {
            segments.push(tokens);
        }
    }
    // "Co., Jane Doe &"
    if segments.len() > 1 && segments[0].iter().all(|token| words::is_company(&token.key)) {
        segments.remove(0);
    }
    let mut segments = segments.into_iter();
    let mut first = segments.next().unwrap_or_default();
    let Some(mut second) = segments.next() else { return Form::Running(first) };
    if is_remark(&first, &second) {
        return Form::Running(first);
    }
    // "Berg, Jan van den": the particles went to the end.
    let particles = second.iter().rev().take_while(|token| words::is_particle(&token.key)).count();
    if particles < second.len() {
        let moved = second.split_off(second.len() - particles);
        first.splice(0..0, moved);
    }
    Form::Inverted { surname: first, given: second }
}

/// Whether what stands behind a comma is no given name, but says what somebody does: "Jane Doe, Head of Sales".
fn is_remark(before: &[Token], after: &[Token]) -> bool {
    let [first, _, ..] = before else { return false };
    let is_given = |token: &Token| token.is_initial() || Levels::of(&token.key).given > 0;
    let begins_with_given = Levels::of(&first.key).leaning() < 0.0 && !words::is_particle(&first.key);
    begins_with_given && !after.first().is_some_and(is_given)
}

/// Whether what stands between commas is a suffix as a whole: "Jane Doe, MD, MBA", "Doe, Jane, Jr."
fn is_dropped(segment: &str, is_beside_full_name: bool) -> bool {
    let mut words = segment.split(' ').filter(|word| !word.is_empty());
    if !is_beside_full_name && words.clone().all(are_initials) {
        return false;
    }
    let is_suffix = |token: &Token| words::is_suffix(&token.key) || words::is_company(&token.key);
    let may_be_suffix = |token: &Token| {
        may_be_title(token) || words::is_doubtful_suffix(&token.key) || is_abbreviation(token)
    };
    words.all(|word| {
        Token::new(word).is_none_or(|token| is_suffix(&token) || is_beside_full_name && may_be_suffix(&token))
    })
}

fn may_be_title(token: &Token) -> bool {
    words::is_title(&token.key) && Levels::of(&token.key).given == 0
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}

/// `J.R.`
fn are_initials(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|piece| piece.len() <= 1)
}

/// Capitals that nobody is called: degrees and offices that no list has.
fn is_abbreviation(token: &Token) -> bool {
    token.is_capitals() && token.key.len() <= 6 && Levels::of(&token.key) == Levels::default()
}

/// What stands before a dash or bar between spaces, before other people, or before a bracket that nothing closes:
/// `Jane Doe | Acme`, `Jane Doe et al.`
fn before_dash(text: &str) -> &str {
    const MARKS: [&str; 6] = [" - ", " – ", " — ", " | ", " / ", " @ "];
    const AFTER_TWO_WORDS: [&str; 5] = [" & ", " et al", " et. al", " ET AL", " ("];
    let end = MARKS.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    let is_word = |word: &&str| Token::new(word).is_some_and(|token| !words::is_title(&token.key));
    let has_two_words = |text: &str| text.split(' ').filter(is_word).count() >= 2;
    let before = if has_two_words(&text[..end]) { &text[..end] } else { text };
    let cuts = AFTER_TWO_WORDS.iter().filter(|mark| !(**mark == " (" && before.contains(')')));
    let cut = cuts.filter_map(|mark| before.find(mark)).min().unwrap_or(before.len());
    if has_two_words(&before[..cut]) { &before[..cut] } else { before }
}

/// The text without what stands in brackets or quotes, and the nicknames among that.
fn take_asides(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut nicknames) = (text.to_owned(), Vec::new());
    let mut from = 0;
    while let Some((start, opening)) = rest[from..].char_indices().find(|(_, c)| opens(*c)) {
        let start = from + start;
        from = start + opening.len_utf8();
        let Some(length) = aside_length(&rest, start, opening) else { continue };
        let aside = &rest[from..from + length];
        nicknames.extend(nickname(aside));
        let closing = rest[from + length..].chars().next().map_or(0, char::len_utf8);
        let without = format!("{} {}", &rest[..start], &rest[from + length + closing..]);
        if !without.contains(is_letter) {
            break;
        }
        rest = without;
        from = start;
    }
    (rest, nicknames)
}

fn opens(c: char) -> bool {
    ASIDES.iter().any(|(opening, _)| *opening == c)
}

/// Octets between the opening sign at `start` and the one that closes it.
fn aside_length(text: &str, start: usize, opening: char) -> Option<usize> {
    let inside = &text[start + opening.len_utf8()..];
    let is_apostrophe = matches!(opening, '\'' | '`' | '‘');
    if is_apostrophe && text[..start].ends_with(|c: char| !c.is_whitespace()) {
        return None;
    }
    let closes = |c: char| ASIDES.contains(&(opening, c));
    inside.char_indices().filter(|(_, c)| closes(*c)).map(|(place, _)| place).find(|place| {
        let after = inside[*place..].chars().nth(1);
        !is_apostrophe || after.is_none_or(|c| c.is_whitespace() || c == ',')
    })
}

/// One or two words that somebody is called; none for pronouns, earlier names and remarks.
fn nickname(aside: &str) -> Option<String> {
    let tokens: Vec<Token> = aside.split([' ', '/', ',']).filter_map(Token::new).collect();
    let is_remark = tokens.iter().map(|token| token.key.as_str()).any(|key| {
        words::is_pronoun(key) || words::is_other_name(key) || words::is_title(key) || words::is_suffix(key)
    });
    let is_name = (1..=2).contains(&tokens.len()) && !is_remark;
    let key: String = tokens.iter().map(|token| token.key.as_str()).collect();
    (is_name && key.len() > 1).then_some(key)
}

/// The words of a segment, initials apart: "J.R. Doe" has three. Letters at its beginning are initials, elsewhere they
/// may be a degree.
fn tokens(segment: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for word in segment.split([' ', '\u{a0}', '_', '/', '&', '+', '@', '|']) {
        let may_be_one = !(tokens.is_empty() && are_initials(word));
        let is_one = |token: &Token| {
            words::is_title(&token.key)
                || words::is_suffix(&token.key)
                || words::is_doubtful_suffix(&token.key)
        };
        match Token::new(word).filter(|token| may_be_one && is_one(token)) {
            Some(token) => tokens.push(token),
            None => tokens.extend(word.split('.').filter_map(Token::new)),
        }
    }
    if let Some(end) = tokens.iter().skip(2).position(|token| words::is_other_name(&token.key)) {
        tokens.truncate(end + 2);
    }
    if tokens.len() > TOKENS_MAX {
        tokens.drain(TOKENS_MAX - 1..tokens.len() - 1);
    }
    tokens
}

/// Drops titles at the beginning, also those of two people, and of offices: "Mr and Mrs", "The Deputy Secretary of State".
fn strip_titles(tokens: &mut Vec<Token>) {
    let (mut place, mut titles) = (0, 0);
    while place + 1 < tokens.len() {
        let key = tokens[place].key.as_str();
        let is_first_of_full_name = place + 3 <= tokens.len();
        if titles == place && place > 0 && key == "of" && is_first_of_full_name {
            place += 2;
            titles = place;
        } else if is_title(&tokens[place], is_first_of_full_name) {
            place += 1;
            titles = place;
        } else if words::leads_to_title(key) {
            place += 1;
        } else {
            break;
        }
    }
    tokens.drain(..titles.min(tokens.len().saturating_sub(1)));
}

/// Whether the word is a title. One that somebody may be called is none before a single word.
fn is_title(token: &Token, is_before_full_name: bool) -> bool {
    let is_one = |key: &str| {
        let may_be_name = Levels::of(key).given > 0;
        words::is_title(key) && (!may_be_name || is_before_full_name)
            || words::is_doubtful_title(key) && is_before_full_name && Levels::of(key).given < GIVEN_NAME
    };
    token.pieces().all(|piece| is_one(&piece)) || is_one(&token.key)
}

/// Drops suffixes at the end while at least `least` words stay.
fn strip_suffixes(tokens: &mut Vec<Token>, least: usize) {
    let shouted = tokens.iter().filter(|token| token.key.len() > 1).all(Token::is_capitals);
    let is_sure = |token: &Token| words::is_suffix(&token.key);
    let is_doubtful = |token: &Token| {
        let is_written_so = token.text.contains('.') || token.is_capitals() && !shouted;
        words::is_doubtful_suffix(&token.key) && (is_written_so || token.key == "v" || token.text == "I")
    };
    // "Jane Doe ABCD PMP": what stands among suffixes is one.
    let is_part = |token: &Token| is_sure(token) || is_doubtful(token) || is_abbreviation(token) && !shouted;
    let run = tokens.iter().rev().take_while(|token| is_part(token)).count();
    if tokens[tokens.len() - run..].iter().any(is_sure) {
        tokens.truncate((tokens.len() - run).max(least.max(2)).min(tokens.len()));
    }
    // "Jane Doe Ph. D."
    if let [_, _, .., before, last] = tokens.as_slice()
        && last.is_initial()
        && [words::is_suffix, words::is_doubtful_suffix]
            .iter()
            .any(|is| is(&format!("{}{}", before.key, last.key)))
    {
        tokens.truncate(tokens.len() - 2);
    }
    while tokens.len() > least {
        let Some(last) = tokens.last() else { break };
        let is_unpronounceable = is_abbreviation(last) && last.key.len() > 2 && !last.has_vowel() && !shouted;
        if !(is_sure(last) || (is_doubtful(last) || is_unpronounceable) && tokens.len() > 2) {
            break;
        }
        tokens.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(tokens: &[Token]) -> String {
        tokens.iter().map(|token| token.key.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The surname before a comma, if there is one, and the rest.
    fn written(text: &str) -> String {
        match Written::of(text).form {
            Form::Running(tokens) => words_of(&tokens),
            Form::Inverted { surname, given } => format!("{}, {}", words_of(&surname), words_of(&given)),
        }
    }

    #[test]
    fn titles_and_suffixes_are_dropped() {
        for (text, expected) in [
            ("Prof. Dr. med. Petra Kolb", "petra kolb"),
            ("Dipl.-Ing. Jochen Adler", "jochen adler"),
            ("Mr. and Mrs. Walter Bray", "walter bray"),
            ("Judge Nora Quill", "nora quill"),
            ("Judge Quill", "judge quill"),
            ("Owen Tate III", "owen tate"),
            ("Owen Tate, Jr., M.D., Ph.D.", "owen tate"),
            ("Owen Tate MBA, CPA", "owen tate"),
            ("Owen Tate Ph. D.", "owen tate"),
            ("Lena Ma", "lena ma"),
            ("Rosa Linde MA", "rosa linde"),
            ("ROSA LINDE MA", "rosa linde ma"),
            ("Dr. Watson", "watson"),
            ("Clara Finch née Bird", "clara finch"),
            ("Clara Finch | Acme Corp.", "clara finch"),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn a_comma_turns_a_name_around() {
        for (text, expected) in [
            ("Finch, Clara", "finch, clara"),
            ("Finch, Clara, PhD", "finch, clara"),
            ("Finch Jr., Owen B.", "finch, owen b"),
            ("Finch, M.D., Clara", "finch, clara"),
            ("Clara Finch, Dr.", "clara finch"),
            ("Berg, Jan van den", "van den berg, jan"),
            ("Finch, J.D.", "finch, j d"),
            ("Clara Finch, Head of Sales", "clara finch"),
            ("van den Berg, Xandrik", "van den berg, xandrik"),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_in_brackets_is_a_nickname_or_nothing() {
        for (text, name, nicknames) in [
            ("Margaret (Peggy) Lund", "margaret lund", vec!["peggy"]),
            ("Margaret \"Peg\" Lund", "margaret lund", vec!["peg"]),
            ("Margaret 'Peg' O'Lund", "margaret olund", vec!["peg"]),
            ("Margaret Lund (she/her)", "margaret lund", vec![]),
            ("Lund, Margaret (Col.)", "lund, margaret", vec![]),
            ("Margaret Lund (née Vik)", "margaret lund", vec![]),
            ("(Margaret Lund)", "margaret lund", vec!["margaretlund"]),
            ("Margaret (Lund", "margaret lund", vec![]),
        ] {
            assert_eq!(written(text), name, "{text}");
            assert_eq!(Written::of(text).nicknames, nicknames, "{text}");
        }
    }

    #[test]
    fn initials_are_words_of_their_own() {
        assert_eq!(written("J.R.R. Doe"), "j r r doe");
        assert_eq!(written("J.Doe"), "j doe");
    }
}
