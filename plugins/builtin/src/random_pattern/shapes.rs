//! Shapes in a text that no model of letters is needed for: runs, walks over the keyboard, repeats, hex and UUIDs.

/// Letters and digits of one text, counted in one pass.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) letters: usize,
    pub(super) vowels: usize,
    pub(super) digits: usize,
    /// Longest run of consonants; `y` is taken for a vowel.
    pub(super) consonant_run: usize,
}

impl Counts {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut run = 0;
        for symbol in text {
            let is_letter = symbol.is_ascii_lowercase();
            let is_vowel = matches!(symbol, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
            counts.letters += usize::from(is_letter);
            counts.vowels += usize::from(is_vowel);
            counts.digits += usize::from(symbol.is_ascii_digit());
            run = if is_letter && !is_vowel { run + 1 } else { 0 };
            counts.consonant_run = counts.consonant_run.max(run);
        }
        counts
    }
}

/// Longest run of hex digits that changes between letters and digits at least twice.
pub(super) fn hex_run(text: &[u8]) -> usize {
    let changes = |run: &[u8]| {
        run.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count()
    };
    let runs = text.split(|symbol| !symbol.is_ascii_hexdigit());
    runs.filter(|run| changes(run) >= 2).map(<[u8]>::len).max().unwrap_or(0)
}

/// Whether the text is a UUID in its usual form (RFC 9562 §4).
pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(place, symbol)| match place {
            8 | 13 | 18 | 23 => *symbol == b'.',
            _ => symbol.is_ascii_hexdigit(),
        })
}

/// Most letters in a row that are each the same as the one a period of 1 to 4 before, less one period: a chunk said
/// twice, as in so many nicknames, counts nothing.
pub(super) fn repeated(text: &[u8]) -> usize {
    (1..=4).map(|period| longest_echo(text, period).saturating_sub(period)).max().unwrap_or(0)
}

fn longest_echo(text: &[u8], period: usize) -> usize {
    let (mut best, mut run) = (0, 0);
    for (symbol, earlier) in text.iter().skip(period).zip(text) {
        if symbol == earlier && symbol.is_ascii_lowercase() {
            run += 1;
            best = best.max(run);
        } else {
            run = 0;
        }
    }
    best
}

/// How many characters belong to walks of three keys or more, each in one direction. The key at which one walk turns
/// into another counts for both.
pub(super) fn walked(text: &[u8]) -> usize {
    let leads = |from: u8, to: u8| i8::from(NEXT[usize::from(from)] >> to & 1 == 1);
    let (mut total, mut length, mut direction, mut before) = (0, 1, 0, NO_KEY);
    for symbol in text {
        let key = KEYS[usize::from(*symbol)];
        // Two paths may take the same step in opposite directions: then it is none.
        let step = leads(before, key) - leads(key, before);
        if step != 0 && step == direction {
            length += 1;
        } else {
            total += if length >= 3 { length } else { 0 };
            length = if step == 0 { 1 } else { 2 };
            direction = step;
        }
        before = key;
    }
    total + if length >= 3 { length } else { 0 }
}

/// Where a walk may lead: the rows of a keyboard, the columns of its left side, and the alphabet.
const PATHS: [&[u8]; 11] = [
    b"qwertyuiop",
    b"asdfghjkl",
    b"zxcvbnm",
    b"abcdefghijklmnopqrstuvwxyz",
    b"1qaz",
    b"2wsx",
    b"3edc",
    b"4rfv",
    b"5tgb",
    b"6yhn",
    b"7ujm",
];

/// The key of what is neither letter nor digit; no path has it.
const NO_KEY: u8 = 63;

/// The key of each byte: 0 to 25 for letters, 26 to 35 for digits.
const KEYS: [u8; 256] = {
    let mut keys = [NO_KEY; 256];
    let mut key = 0;
    while key < 36 {
        keys[(if key < 26 { b'a' + key } else { b'0' + key - 26 }) as usize] = key;
        key += 1;
    }
    keys
};

/// For each key, the set of those that follow it on some path.
const NEXT: [u64; 64] = {
    let mut next = [0; 64];
    let mut path = 0;
    while path < PATHS.len() {
        let mut place = 1;
        while place < PATHS[path].len() {
            let (from, to) = (PATHS[path][place - 1], PATHS[path][place]);
            next[KEYS[from as usize] as usize] |= 1 << KEYS[to as usize];
            place += 1;
        }
        path += 1;
    }
    next
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_runs_of_consonants_and_of_hex() {
        let counts = Counts::of(b"schnapps.dead8f00d.abc12");
        assert_eq!((counts.letters, counts.digits, counts.consonant_run), (17, 5, 4));
        assert_eq!(hex_run(b"schnapps.dead8f00d.abc12"), 9, "abc12 changes but once");
    }

    #[test]
    fn walks_need_three_keys_in_one_direction() {
        for (text, length) in [
            ("qwerty", 6),
            ("trewq", 5),
            ("werxrew", 6),
            ("werew", 6),
            ("asasas", 0),
            ("as.df", 0),
            ("1qaz2wsx", 8),
            ("lkjabc", 6),
        ] {
            assert_eq!(walked(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn repeats_count_from_the_third_time_on() {
        for (text, count) in
            [("coco", 0), ("cocoa", 0), ("cococo", 2), ("aaaa", 2), ("xyzxyzxyz", 3), ("1111", 0), ("", 0)]
        {
            assert_eq!(repeated(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn uuids_have_their_dots_in_place() {
        assert!(is_uuid(b"0191f2c3.7a4b.7c5d.8e6f.00112233aabb"));
        assert!(!is_uuid(b"0191f2c3.7a4b.7c5d.8e6f0.0112233aabb"));
        assert!(!is_uuid(b"0191f2c37a4b7c5d8e6f00112233aabb"));
    }
}
