//! How sure a verdict is: one minus the error of its evidence class, times what modifies it.
//!
//! All constants stand here, in one table. Errors are kept in thousandths so that sums and products are exact and
//! the score, rounded half up to hundredths, is the same on every machine.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A score from 0.00 to 1.00 in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence(u8);

impl Confidence {
    /// An unknown verdict claims nothing.
    pub const NOTHING: Self = Self(0);
    /// What does not depend on the world: syntax, duplicates.
    pub const CERTAIN: Self = Self(100);
    /// An undeliverable verdict below this is not given: calling a live mailbox dead is the worst error.
    pub const UNDELIVERABLE_MIN: Self = Self(90);

    /// From a probability, rounded half up and kept within 0.01 and 0.99: nothing observed is ever certain.
    pub fn from_probability(probability: f64) -> Self {
        // Clamped first, so the cast keeps it whole.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Self::from_ten_thousandths((probability.clamp(0.0, 1.0) * 10_000.0).round() as u32)
    }

    fn from_ten_thousandths(score: u32) -> Self {
        // At most 99, so it fits.
        #[allow(clippy::cast_possible_truncation)]
        Self(((score + 50) / 100).clamp(1, 99) as u8)
    }

    /// The score as a number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Serialize for Confidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let score = f64::deserialize(deserializer)?;
        // Clamped first, so the cast keeps it whole.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Self((score.clamp(0.0, 1.0) * 100.0).round() as u8))
    }
}

/// What a claim rests on, and how often such evidence misleads, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    AcceptedRandomRefused,
    AcceptedRandomRefusedBefore,
    CatchAllConfirmed,
    DomainGone,
    RefusedByOperatorRule,
    RefusedByCode,
    RefusedByText,
    RefusedBare,
    RandomAccepted,
    DisposableCurated,
    DisposableMx,
    Risky,
    HighRisk,
}

impl Evidence {
    fn error_thousandths(self) -> u32 {
        match self {
            Self::DomainGone => 10,
            Self::AcceptedRandomRefused
            | Self::RefusedByOperatorRule
            | Self::RandomAccepted
            | Self::DisposableCurated => 20,
            Self::AcceptedRandomRefusedBefore | Self::RefusedByCode => 30,
            Self::RefusedByText | Self::DisposableMx => 50,
            Self::CatchAllConfirmed | Self::Risky | Self::HighRisk => 100,
            Self::RefusedBare => 120,
        }
    }

    /// The score of a claim on this evidence. A second host or try that agrees halves the error; a domain without
    /// MX records doubles the error of an acceptance, since its host may not mean to take mail.
    pub(crate) fn score(self, agreed: bool, implicit_route: bool) -> Confidence {
        let mut error = self.error_thousandths() * 10;
        if agreed {
            error /= 2;
        }
        if implicit_route {
            error *= 2;
        }
        Confidence::from_ten_thousandths(10_000 - error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_up_within_bounds() {
        assert_eq!(Confidence::from_probability(0.985).as_f64(), 0.99);
        assert_eq!(Confidence::from_probability(0.0).as_f64(), 0.01);
        assert_eq!(Confidence::from_probability(1.0).as_f64(), 0.99);
        assert_eq!(Evidence::RefusedByOperatorRule.score(true, false).as_f64(), 0.99);
    }

    #[test]
    fn only_a_bare_refusal_is_too_weak_alone() {
        use Evidence::{DomainGone, RefusedBare, RefusedByCode, RefusedByOperatorRule, RefusedByText};
        for evidence in [DomainGone, RefusedByOperatorRule, RefusedByCode, RefusedByText] {
            assert!(evidence.score(false, false) >= Confidence::UNDELIVERABLE_MIN, "{evidence:?}");
        }
        assert!(RefusedBare.score(false, false) < Confidence::UNDELIVERABLE_MIN);
        assert!(RefusedBare.score(true, false) >= Confidence::UNDELIVERABLE_MIN);
    }
}
