//! Numbers of the trained model. Written by `data/train_random_pattern.py`: do not edit.

use super::Mark;

/// Surprise of each level of the n-gram table, in bits.
pub(super) const LEVEL_BITS: [f32; 16] = [
    0.64, 1.645, 2.403, 3.087, 3.78, 4.5, 5.244, 6.031, 6.846, 7.669, 8.523, 9.433, 10.457, 11.702, 13.435,
    15.645,
];
/// Surprise of a letter of ordinary text, in bits.
pub(super) const ORDINARY_BITS: f32 = 3.8;
/// How many ordinary letters are mixed into the mean.
pub(super) const PSEUDO_LETTERS: f32 = 4.0;
/// Log odds of being random when the evidence is just enough.
pub(super) const LOG_ODDS_AT_THRESHOLD: f64 = -1.841;
/// Log odds for each unit of evidence that lacks.
pub(super) const LOG_ODDS_BELOW: f64 = 1.539;
/// Log odds for each unit of evidence beyond.
pub(super) const LOG_ODDS_ABOVE: f64 = 0.96;
pub(super) const IMPROBABLE_NGRAMS: Mark = Mark { threshold: 5.0362, weight: 4.0564 };
pub(super) const HIGH_ENTROPY: Mark = Mark { threshold: 4.0, weight: 0.05 };
pub(super) const NO_VOWELS: Mark = Mark { threshold: 3.0, weight: 0.4203 };
pub(super) const CONSONANT_RUN: Mark = Mark { threshold: 4.0, weight: 0.05 };
pub(super) const DIGIT_RATIO: Mark = Mark { threshold: 0.6, weight: 0.05 };
pub(super) const KEYBOARD_WALK: Mark = Mark { threshold: 0.3, weight: 10.9991 };
pub(super) const HEX_LIKE: Mark = Mark { threshold: 7.0, weight: 1.0 };
pub(super) const UUID_LIKE: Mark = Mark { threshold: 0.0, weight: 16.0 };
pub(super) const REPEATED_NGRAM: Mark = Mark { threshold: 0.2, weight: 35.134 };
