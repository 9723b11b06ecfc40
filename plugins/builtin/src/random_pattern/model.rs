//! The n-gram model: how surprising each letter is after the three before it, in bits.
//!
//! It has 28 symbols: the gap between words, the letters, and one for all digits. The table holds a level of surprise,
//! 0 to 15, for each of the 28⁴ sequences, two to a byte with the even index in the low half, and is read in place.

use super::weights::{LEVEL_BITS, ORDINARY_BITS, PSEUDO_LETTERS};

const SYMBOLS: usize = 28;
const GAP: usize = 0;
const DIGIT: usize = 27;

const NGRAMS: &[u8; SYMBOLS.pow(4) / 2] = include_bytes!("../../data/random_pattern/ngrams.bin");

/// Mean surprise of the text's symbols and of its end, in bits. A few ordinary letters are mixed in, so that a short
/// text has to be the more surprising. A digit after a digit says nothing; other digits bring the choice of ten along.
pub(super) fn mean_surprise(text: &[u8]) -> f64 {
    let (mut bits, mut count) = (PSEUDO_LETTERS * ORDINARY_BITS, PSEUDO_LETTERS);
    let (mut context, mut before) = (0, GAP);
    for symbol in text.iter().map(|byte| symbol(*byte)).chain([GAP]) {
        let index = context * SYMBOLS + symbol;
        if symbol != DIGIT || before != DIGIT {
            bits += LEVEL_BITS[level(index)];
            bits += if symbol == DIGIT { std::f32::consts::LOG2_10 } else { 0.0 };
            count += 1.0;
        }
        context = index % SYMBOLS.pow(3);
        before = symbol;
    }
    f64::from(bits / count)
}

fn level(index: usize) -> usize {
    usize::from(NGRAMS[index / 2] >> (index % 2 * 4) & 15)
}

fn symbol(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a') + 1,
        b'0'..=b'9' => DIGIT,
        _ => GAP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_surprise_less_than_noise() {
        assert!(mean_surprise(b"margarethe") + 2.0 < mean_surprise(b"qxkvzjwqpd"));
    }

    #[test]
    fn digits_after_digits_change_nothing() {
        assert!((mean_surprise(b"maria197") - mean_surprise(b"maria19754628")).abs() < f64::EPSILON);
    }
}
