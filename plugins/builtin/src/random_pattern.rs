//! Random-pattern: does the local part read like a name or a word, or like characters drawn at random?
//!
//! The main witness is a model of letter 4-grams, counted in names, words and identifiers of many languages; Shannon's
//! entropy alone tells names from noise no better than chance. Shapes speak beside it: walks over the keyboard, repeats,
//! hex, UUIDs. Each signal is worth its weight times what passes its threshold. The sum is the evidence, and evidence
//! above nought makes a local part random: that is where at most 1 % of real names lie. The probability is calibrated
//! for lists in which one local part in twenty is random.
//!
//! It deliberately does not judge what it cannot read: other scripts than Latin, digits alone (phone and account
//! numbers are common local parts), and fewer than four characters (initials) are never random.
//!
//! The numbers come from `data/train_random_pattern.py`, which also says how good they are.

mod model;
mod shapes;
mod text;
mod weights;

use mailsonde_engine::{Check, Facts, Finding, Outcome, RandomPattern, Signal, SignalName, Subject};
use serde::{Deserialize, Serialize};

use shapes::Counts;
use text::Text;

/// Fewest letters and digits to have an opinion on: shorter ones are as often initials as noise.
const SYMBOLS_MIN: usize = 4;

/// Options of the stage: none yet.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomPatternStage;

impl RandomPatternStage {
    /// The stage's name.
    pub const NAME: &'static str = "random-pattern";

    /// A stage; there is nothing to configure.
    pub fn new(_: Config) -> Self {
        Self
    }
}

impl Check for RandomPatternStage {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["random.pattern"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let Some(address) = subject.address() else { return };
        let pattern = analyse(address.local());
        // An ordinary name is no finding.
        if pattern.confidence > 0.0 || !pattern.signals.is_empty() {
            outcome.found(Finding::RandomPattern(pattern));
        }
    }
}

/// How random `local` looks, up to its first `+`; case does not matter. Allocates only if a signal passes its threshold.
pub fn analyse(local: &str) -> RandomPattern {
    let local = before_tag(local);
    let text = Text::fold(local);
    let text = text.symbols();
    let bits = entropy_bits(local);
    let counts = Counts::of(text);
    let mut pattern = RandomPattern {
        confidence: 0.0,
        entropy: rounded(bits, 100.0),
        is_random: false,
        signals: Vec::new(),
    };
    if counts.letters == 0 || counts.letters + counts.digits < SYMBOLS_MIN {
        return pattern;
    }
    let mut evidence = 0.0;
    for (signal, value, mark) in measured(text, &counts, bits) {
        let excess = value - mark.threshold;
        // Only the n-grams may speak for a name: a missing shape says nothing.
        if excess > 0.0 || signal == SignalName::ImprobableNgrams {
            evidence += mark.weight * excess;
        }
        if excess > 0.0 {
            pattern.signals.push(mark.signal(signal, value));
        }
    }
    pattern.confidence = rounded(probability(evidence), 10_000.0);
    pattern.is_random = evidence > 0.0;
    pattern.signals.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    pattern
}

/// Shannon entropy of `local` in lower case, up to its first `+`, in bits per Unicode scalar, 2 decimals.
pub fn entropy(local: &str) -> f64 {
    rounded(entropy_bits(before_tag(local)), 100.0)
}

/// Where a signal begins to count, and how much each unit beyond counts.
struct Mark {
    threshold: f64,
    weight: f64,
}

impl Mark {
    fn signal(&self, signal: SignalName, value: f64) -> Signal {
        Signal { signal, value: rounded(value, 10_000.0), threshold: self.threshold, weight: self.weight }
    }
}

/// What each signal measures. Lengths are in characters of the folded text, shares in parts of its length.
fn measured(text: &[u8], counts: &Counts, entropy: f64) -> [(SignalName, f64, &'static Mark); 9] {
    use SignalName as Name;
    let share = |count| number(count) / number(text.len());
    [
        (Name::ImprobableNgrams, model::mean_surprise(text), &weights::IMPROBABLE_NGRAMS),
        (Name::HighEntropy, entropy, &weights::HIGH_ENTROPY),
        (Name::NoVowels, if counts.vowels == 0 { number(counts.letters) } else { 0.0 }, &weights::NO_VOWELS),
        (Name::ConsonantRun, number(counts.consonant_run), &weights::CONSONANT_RUN),
        (Name::DigitRatio, share(counts.digits), &weights::DIGIT_RATIO),
        (Name::KeyboardWalk, share(shapes::walked(text)), &weights::KEYBOARD_WALK),
        (
            Name::HexLike,
            if counts.digits == 0 { 0.0 } else { number(shapes::hex_run(text)) },
            &weights::HEX_LIKE,
        ),
        (Name::UuidLike, if shapes::is_uuid(text) { 1.0 } else { 0.0 }, &weights::UUID_LIKE),
        (Name::RepeatedNgram, share(shapes::repeated(text)), &weights::REPEATED_NGRAM),
    ]
}

fn probability(evidence: f64) -> f64 {
    let slope = if evidence < 0.0 { weights::LOG_ODDS_BELOW } else { weights::LOG_ODDS_ABOVE };
    let log_odds = weights::LOG_ODDS_AT_THRESHOLD + slope * evidence;
    1.0 / (1.0 + (-log_odds).exp())
}

fn before_tag(local: &str) -> &str {
    local.split_once('+').map_or(local, |(head, _)| head)
}

/// Entropy as log₂ n − (Σ log₂ cᵢ) / n, where cᵢ is how often the i-th character occurs in all.
fn entropy_bits(local: &str) -> f64 {
    /// So many 16-bit counts can be multiplied before one logarithm is taken of them all.
    const FACTORS: usize = 32;
    let (scalars, logarithms): (_, f64) = if local.is_ascii() {
        let place = |byte: &u8| usize::from(byte.to_ascii_lowercase());
        let mut counts = [0_u16; 128];
        for byte in local.as_bytes() {
            counts[place(byte)] = counts[place(byte)].saturating_add(1);
        }
        let product = |bytes: &[u8]| bytes.iter().map(|byte| f64::from(counts[place(byte)])).product::<f64>();
        (local.len(), local.as_bytes().chunks(FACTORS).map(|bytes| product(bytes).log2()).sum())
    } else {
        let scalars = || local.chars().flat_map(char::to_lowercase);
        let count = |scalar| number(scalars().filter(|other| *other == scalar).count());
        (scalars().count(), scalars().map(|scalar| count(scalar).log2()).sum())
    };
    if scalars == 0 { 0.0 } else { number(scalars).log2() - logarithms / number(scalars) }
}

/// A count of characters as a float; they never come near the limit.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_are_certain() {
        for local in
            ["jane.doe", "Jane.Doe", "john.smith+news", "maria1975", "info", "nguyen.thi.anh", "jürgen.groß"]
        {
            let pattern = analyse(local);
            assert!(pattern.confidence <= 0.0001 && !pattern.is_random, "{local}: {pattern:?}");
            assert_eq!(pattern.signals, [], "{local}");
        }
        assert_eq!(analyse("jane.doe").confidence.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn rare_names_are_not_random() {
        for local in [
            "wojciech.krzyzewski",
            "zhao.xiuying",
            "bjork.gudmundsdottir",
            "rgreenwood",
            "kwame_nkansah",
            "tshepo.dlamini",
            "oleksandr.hryhorenko",
            "mbappe7",
            "schwarzkopf",
            "siobhan.oshaughnessy",
            "mehmetyildiz34",
            "fangfang",
            "coco.lulu",
            "acmeshippingservices",
            "the_real_gardener",
            "accounts-payable",
        ] {
            assert!(!analyse(local).is_random, "{local}: {:?}", analyse(local));
        }
    }

    #[test]
    fn noise_is_random() {
        for local in [
            "xkqjvzpw",
            "q8z3kx71vm",
            "sdlkfjsldkfj",
            "asdfghjkl",
            "qazwsxedc",
            "hjkhjkhjk",
            "zzzzzzzz",
            "bcdfghjk",
            "9f1c7be204a8d3",
            "mzxw6ytboi3gs2lt",
            "1q2w3e4r5t",
            "kjhgfdsa99",
            "c29tzxrozwfz",
            "wvxqzjrtplkmn",
        ] {
            assert!(analyse(local).is_random, "{local}: {:?}", analyse(local));
        }
    }

    #[test]
    fn no_opinion_without_latin_letters_or_on_initials() {
        for local in [
            "",
            "+tag",
            "13800138000",
            "иван.петров",
            "фывапролдж",
            "山田太郎",
            "γιώργος",
            "jk",
            "xqz",
            "x.q-7",
        ] {
            let pattern = analyse(local);
            assert!(pattern.confidence == 0.0 && pattern.signals.is_empty(), "{local}: {pattern:?}");
        }
    }

    #[test]
    fn the_signal_that_tells_most_is_there() {
        for (local, expected) in [
            ("0f8fad5b-d9cb-469f-a165-70867728950e", SignalName::UuidLike),
            ("qwertyuiop", SignalName::KeyboardWalk),
            ("lalalalala", SignalName::RepeatedNgram),
            ("a0b1c2d3e4f5a6b7", SignalName::HexLike),
            ("xkqjvzpw", SignalName::ImprobableNgrams),
            ("hjkmnbvcxw", SignalName::NoVowels),
            ("ts7r2lqvz0wnpx4kd8fm", SignalName::HighEntropy),
        ] {
            let pattern = analyse(local);
            assert!(pattern.signals.iter().any(|signal| signal.signal == expected), "{local}: {pattern:?}");
            assert!(pattern.signals.is_sorted_by(|a, b| a.weight >= b.weight), "{local}: {pattern:?}");
        }
    }

    #[test]
    fn entropy_is_shannons() {
        for (local, bits) in [
            ("jane.doe", 2.75),
            ("JANE.doe+tag", 2.75),
            ("", 0.0),
            ("aaaa", 0.0),
            ("abcd", 2.0),
            ("aab", 0.92),
            ("aaab", 0.81),
            ("ÄäÖö", 1.0),
            ("ии.пп", 1.52),
        ] {
            assert!((entropy(local) - bits).abs() < 1e-9, "{local}: {}", entropy(local));
        }
    }

    #[test]
    fn subjects_without_an_address_have_no_pattern() {
        let mut outcome = Outcome::default();
        RandomPatternStage::new(Config {}).check(&Subject::new("jane.doe"), &mut outcome);
        assert!(outcome.findings().is_empty());
    }

    proptest! {
        #[test]
        fn confidence_is_a_probability_and_random_has_a_reason(local in "\\PC{0,70}|[a-z0-9._-]{0,64}") {
            let pattern = analyse(&local);
            prop_assert!((0.0..=1.0).contains(&pattern.confidence));
            prop_assert!(pattern.entropy >= 0.0);
            prop_assert!(!pattern.is_random || !pattern.signals.is_empty());
            prop_assert!(pattern.signals.iter().all(|signal| signal.value >= signal.threshold && signal.weight > 0.0));
            prop_assert_eq!(&pattern, &analyse(&local));
        }

        #[test]
        fn tag_and_case_change_nothing(local in "[a-zA-Z0-9._-]{0,40}", tag in "[a-z0-9+]{0,12}") {
            let plain = analyse(&local);
            prop_assert_eq!(&plain, &analyse(&format!("{local}+{tag}")));
            prop_assert_eq!(&plain, &analyse(&local.to_lowercase()));
        }

        #[test]
        fn ascii_and_other_text_have_the_same_entropy(local in "[a-z]{1,30}") {
            let greek: String = local.bytes().map(|b| char::from_u32(0x3b1 + u32::from(b - b'a')).unwrap()).collect();
            // Final and medial sigma are two scalars, as they should be.
            prop_assert!((entropy(&local) - entropy(&greek)).abs() < 1e-9);
        }
    }
}
