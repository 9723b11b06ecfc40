//! How likely a domain as typed is a slip of a domain that was meant: a Damerau-Levenshtein distance whose edits
//! cost what they are worth on a QWERTY keyboard, in decibans. It knows nothing of popularity or of which domains
//! exist.
//!
//! Two more edits than usual: a letter that jumps over two others (`yhoao`), and an end that is missing (`outlook.c`).

/// Ten times the decimal logarithm of a probability: -10 is one in ten, -20 one in a hundred. Sums are products.
pub(super) type Decibans = i32;

/// Octets of a typed domain that are looked at; longer ones are no slip of a provider's.
pub(super) const TYPED_MAX: usize = 64;

/// A typed domain may be this much longer or shorter than the one that was meant.
pub(super) const RESIZED_MAX: usize = 2;

/// Somebody slips in one domain of a hundred; every slip also pays [`EACH`], so the first costs 13 + 7.
const ANY: Decibans = 13;
/// One slip in five comes with a second one.
const EACH: Decibans = 7;

/// A stretch typed twice: `aolaol`, `.com.com`.
pub(super) const TWICE: Decibans = EACH + 20;
/// No suffix: `outlook`.
pub(super) const NO_SUFFIX: Decibans = EACH + 20;
/// A suffix, but no dot before it: `gmailcom`.
pub(super) const NO_DOT: Decibans = EACH + LEFT_OUT;

// What a slip costs beyond that: one among the places and keys where it could have happened.
const SWAPPED: Decibans = 15;
const LEFT_OUT: Decibans = 15;
const LEFT_OUT_DOUBLE: Decibans = 12;
const DOUBLED: Decibans = 17;
const NEAR_KEY: Decibans = 21;
const OTHER_KEY: Decibans = 30;
const NEAR_VOWEL: Decibans = 22;
const EXTRA_NEAR_KEY: Decibans = 22;
const EXTRA_KEY: Decibans = 28;
/// Few plurals of a name are slips: `oranges` is a word of its own.
const EXTRA_PLURAL: Decibans = 36;
const MOVED: Decibans = 24;
/// The end is missing: `outlook.c`.
const CUT_OFF: Decibans = 17;
/// Writers look at the first letter.
const FIRST_LETTER: Decibans = 4;

/// Characters that look alike on screen, or swap their places between keyboards of different countries.
const ALIKE: [(u8, u8); 7] =
    [(b'o', b'0'), (b'l', b'1'), (b'i', b'1'), (b'i', b'l'), (b'g', b'q'), (b'y', b'z'), (b'a', b'q')];

/// The characters of a domain as a set.
#[derive(Clone, Copy)]
pub(super) struct Letters(u32);

impl Letters {
    /// More than any domain has, and so near to none.
    pub(super) const ALL: Self = Self(u32::MAX);

    /// One bit per letter; digits share one.
    pub(super) fn of(domain: &[u8]) -> Self {
        Self(domain.iter().fold(0, |set, &byte| {
            set | match byte {
                b'a'..=b'z' => 1 << (byte - b'a'),
                b'.' => 1 << 26,
                b'-' => 1 << 27,
                _ => 1 << 28,
            }
        }))
    }

    /// Whether two slips can be enough: neither set has more than two characters that the other lacks.
    pub(super) fn is_near(self, other: Self) -> bool {
        (all_but_two(self.0 & !other.0) | all_but_two(other.0 & !self.0)) == 0
    }

    /// What it costs at least to type a domain of these letters and this length for one of those.
    pub(super) fn cost_min(self, meant: Self, len: usize, meant_len: usize) -> Decibans {
        let extra = (self.0 & !meant.0).count_ones().cast_signed();
        let missing = (meant.0 & !self.0).count_ones().cast_signed();
        let apart = Decibans::try_from(len.abs_diff(meant_len)).unwrap_or(FAR);
        let (replaced, resized) = if len >= meant_len {
            ((extra - apart).max(missing), apart * (EACH + DOUBLED))
        } else {
            ((missing - apart).max(extra), EACH + if apart == 1 { LEFT_OUT_DOUBLE } else { CUT_OFF })
        };
        ANY + replaced * (EACH + NEAR_KEY) + resized
    }
}

/// The set without two of its members. Cheaper than counting where the processor has no instruction for that.
fn all_but_two(set: u32) -> u32 {
    let without_one = |set: u32| set & set.wrapping_sub(1);
    without_one(without_one(set))
}

/// The cost of the likeliest way from `meant` to `typed`, unless it is more than `cost_max`. Both are lower case
/// ASCII of at most [`TYPED_MAX`] octets.
pub(super) fn cost(typed: &[u8], meant: &[u8], cost_max: Decibans) -> Option<Decibans> {
    let mut grid = Grid { rows: [[FAR; TYPED_MAX + 1]; ROWS], typed, meant };
    let budget = cost_max - ANY;
    // A cell depends on the rows that are kept; once all of them are past the budget, the rest is.
    let mut rows_past = 0;
    for i in 0..=typed.len() {
        let cheapest = grid.fill_row(i);
        rows_past = if cheapest > budget { rows_past + 1 } else { 0 };
        if rows_past == ROWS {
            return None;
        }
    }
    let cost = grid.cost();
    (cost <= budget).then_some(cost + ANY)
}

/// Rows kept of the distance matrix: the current one and as many as the longest edit reaches back.
const ROWS: usize = 4;
/// Cells kept on each side of the diagonal: no affordable slips lead further away.
const BAND: usize = RESIZED_MAX + 1;

/// More than any slip costs, for cells too far from the diagonal to matter.
const FAR: Decibans = 1000;

/// The distance matrix: `rows[i % ROWS][j]` is the cost of `typed[..i]` for `meant[..j]`.
struct Grid<'a> {
    rows: [[Decibans; TYPED_MAX + 1]; ROWS],
    typed: &'a [u8],
    meant: &'a [u8],
}

impl Grid<'_> {
    /// Fills row `i` and returns its smallest cost.
    fn fill_row(&mut self, i: usize) -> Decibans {
        let mut cheapest = FAR;
        self.rows[i % ROWS][..=self.meant.len()].fill(FAR);
        for j in i.saturating_sub(BAND)..=self.meant.len().min(i + BAND) {
            let cost = self.cell(i, j);
            self.rows[i % ROWS][j] = cost;
            cheapest = cheapest.min(cost);
        }
        cheapest
    }

    /// The cost of all that was typed, perhaps with the end cut off.
    fn cost(&self) -> Decibans {
        let (i, j) = (self.typed.len(), self.meant.len());
        let cut_off = (j.saturating_sub(RESIZED_MAX)..j).map(|j| self.at(i, j) + EACH + CUT_OFF);
        cut_off.fold(self.at(i, j), Decibans::min)
    }

    fn at(&self, i: usize, j: usize) -> Decibans {
        self.rows[i % ROWS][j]
    }

    fn cell(&self, i: usize, j: usize) -> Decibans {
        let (typed, meant) = (&self.typed[..i], &self.meant[..j]);
        let (Some(&key), Some(&letter)) = (typed.last(), meant.last()) else {
            return self.border(i, j);
        };
        if key == letter {
            return self.at(i - 1, j - 1);
        }
        let replaced = self.at(i - 1, j - 1) + EACH + replacement(key, self.meant, j - 1);
        let extra = self.at(i - 1, j) + EACH + insertion(typed, self.meant, j);
        let left_out = self.at(i, j - 1) + EACH + omission(self.meant, j - 1);
        let mut cost = replaced.min(extra).min(left_out);
        if let ([.., a, b], [.., c, d]) = (typed, meant)
            && (a, b) == (d, c)
        {
            cost = cost.min(self.at(i - 2, j - 2) + EACH + SWAPPED + first(j - 2));
        }
        if let ([.., a, b, c], [.., d, e, f]) = (typed, meant)
            && ((a, b, c) == (e, f, d) || (a, b, c) == (f, d, e))
        {
            cost = cost.min(self.at(i - 3, j - 3) + EACH + MOVED + first(j - 3));
        }
        cost
    }

    /// Nothing typed yet, or nothing meant yet.
    fn border(&self, i: usize, j: usize) -> Decibans {
        match (i, j) {
            (0, 0) => 0,
            (0, _) => self.at(0, j - 1) + EACH + omission(self.meant, j - 1),
            _ => self.at(i - 1, 0) + EACH + insertion(&self.typed[..i], self.meant, 0),
        }
    }
}

fn first(index: usize) -> Decibans {
    if index == 0 { FIRST_LETTER } else { 0 }
}

/// `key` was hit instead of `meant[index]`.
fn replacement(key: u8, meant: &[u8], index: usize) -> Decibans {
    let letter = meant[index];
    let cost = if is_near(key, letter) {
        NEAR_KEY
    } else if (is_vowel(key) && is_vowel(letter)) || is_beside(key, meant, index) {
        NEAR_VOWEL
    } else {
        OTHER_KEY
    };
    cost + first(index)
}

/// The last key of `typed` was hit before `meant[index]`, where there was nothing to hit.
fn insertion(typed: &[u8], meant: &[u8], index: usize) -> Decibans {
    let Some((&key, earlier)) = typed.split_last() else { return 0 };
    let neighbours = [index.checked_sub(1).map(|before| meant[before]), meant.get(index).copied()];
    let cost = if neighbours.contains(&Some(key)) || earlier.last() == Some(&key) {
        DOUBLED
    } else if key == b's' && neighbours[1] == Some(b'.') {
        EXTRA_PLURAL
    } else if neighbours.into_iter().flatten().any(|neighbour| is_near(key, neighbour)) {
        EXTRA_NEAR_KEY
    } else {
        EXTRA_KEY
    };
    cost + first(index)
}

/// `meant[index]` was not hit.
fn omission(meant: &[u8], index: usize) -> Decibans {
    let cost = if is_beside(meant[index], meant, index) { LEFT_OUT_DOUBLE } else { LEFT_OUT };
    cost + first(index)
}

/// Whether `key` is the letter before or after `meant[index]`.
fn is_beside(key: u8, meant: &[u8], index: usize) -> bool {
    index.checked_sub(1).is_some_and(|before| meant[before] == key) || meant.get(index + 1) == Some(&key)
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Whether two keys touch, or two characters are easily taken for one another.
fn is_near(one: u8, other: u8) -> bool {
    NEAR.get(usize::from(one)).is_some_and(|near| near >> (other & 127) & 1 == 1)
}

/// For each ASCII character the set of those near it.
const NEAR: [u128; 128] = {
    // In quarters of a key's width, since the rows of a keyboard are staggered.
    let rows: [(&[u8], usize); 4] =
        [(b"1234567890-", 0), (b"qwertyuiop", 2), (b"asdfghjkl", 3), (b"zxcvbnm,.", 5)];
    let mut near = [0; 128];
    let mut row = 0;
    while row < rows.len() {
        near = touching(near, rows[row], rows[row]);
        if row > 0 {
            near = touching(near, rows[row - 1], rows[row]);
        }
        row += 1;
    }
    let mut pair = 0;
    while pair < ALIKE.len() {
        near = with_pair(near, ALIKE[pair].0, ALIKE[pair].1);
        pair += 1;
    }
    near
};

/// Adds the keys of two rows, each with its indent, that touch: less than a key's width and a half lies between them.
const fn touching(mut near: [u128; 128], upper: (&[u8], usize), lower: (&[u8], usize)) -> [u128; 128] {
    let mut one = 0;
    while one < upper.0.len() {
        let mut other = 0;
        while other < lower.0.len() {
            let apart = (upper.1 + 4 * one).abs_diff(lower.1 + 4 * other);
            if apart <= 4 && upper.0[one] != lower.0[other] {
                near = with_pair(near, upper.0[one], lower.0[other]);
            }
            other += 1;
        }
        one += 1;
    }
    near
}

const fn with_pair(mut near: [u128; 128], one: u8, other: u8) -> [u128; 128] {
    near[one as usize] |= 1 << other;
    near[other as usize] |= 1 << one;
    near
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost_of(typed: &str, meant: &str) -> Decibans {
        cost(typed.as_bytes(), meant.as_bytes(), FAR).unwrap()
    }

    #[test]
    fn keys_that_touch_are_near() {
        for (one, other) in
            [(b'g', b'h'), (b'g', b't'), (b'g', b'v'), (b'a', b'q'), (b'0', b'p'), (b'o', b'0')]
        {
            assert!(is_near(one, other) && is_near(other, one), "{} {}", one as char, other as char);
        }
        for (one, other) in [(b'g', b'g'), (b'g', b'k'), (b'a', b'p'), (b'q', b'm'), (b'_', b'a')] {
            assert!(!is_near(one, other), "{} {}", one as char, other as char);
        }
    }

    #[test]
    fn likelier_slips_cost_less() {
        let ladder = [
            "outlook.com",  // none
            "outlok.com",   // one of a double left out
            "outook.com",   // left out
            "ouutlook.com", // doubled
            "ourlook.com",  // next key
            "outoolk.com",  // a jump
            "outwook.com",  // far key
            "oitkook.com",  // two next keys
            "putwook.com",  // next key at the start, and a far one
        ];
        for pair in ladder.windows(2) {
            assert!(
                cost_of(pair[0], "outlook.com") < cost_of(pair[1], "outlook.com"),
                "{} {}",
                pair[0],
                pair[1]
            );
        }
    }

    #[test]
    fn one_slip_is_one_edit() {
        let one = |typed, meant, edit| assert_eq!(cost_of(typed, meant), ANY + EACH + edit, "{typed}");
        one("aol.ocm", "aol.com", SWAPPED);
        one("gaiml.com", "gmail.com", MOVED);
        one("aol.c", "aol.com", CUT_OFF);
        one("gmailcom", "gmail.com", LEFT_OUT);
        one("outlooks.com", "outlook.com", EXTRA_PLURAL);
        one("aaol.com", "aol.com", DOUBLED + FIRST_LETTER);
        one("gmail.com", "gmaik.com", NEAR_KEY);
    }

    proptest! {
        /// The letters alone never promise more than the letters in their order.
        #[test]
        fn the_least_cost_is_no_more_than_the_cost(typed in "[a-d.-]{1,9}", meant in "[a-d.]{1,9}") {
            let (letters, meant_letters) = (Letters::of(typed.as_bytes()), Letters::of(meant.as_bytes()));
            if let Some(cost) = cost(typed.as_bytes(), meant.as_bytes(), FAR / 2) {
                prop_assert!(letters.cost_min(meant_letters, typed.len(), meant.len()) <= cost);
                prop_assert_eq!(cost == ANY, typed == meant);
            }
        }

        #[test]
        fn a_smaller_budget_changes_nothing_but_refuses(typed in "[a-e]{1,8}", meant in "[a-e]{1,8}", most in 0..150) {
            let free = cost(typed.as_bytes(), meant.as_bytes(), FAR / 2);
            prop_assert_eq!(cost(typed.as_bytes(), meant.as_bytes(), most), free.filter(|&cost| cost <= most));
        }
    }
}
