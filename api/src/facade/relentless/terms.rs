//! What results cost, in millionths of the currency.

use serde::Deserialize;

use super::words::{Outcome, RequestType};

/// Prices of results. What could not be found out has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    pub(crate) finder_deliverable: u32,
    pub(crate) finder_undeliverable: u32,
    pub(crate) probe: u32,
}

impl Prices {
    /// The highest of them.
    pub(crate) fn highest(self) -> u32 {
        self.probe.max(self.highest_of(RequestType::Finder))
    }

    /// What a result costs at most.
    pub(crate) fn highest_of(self, asked: RequestType) -> u32 {
        match asked {
            RequestType::Finder => self.finder_deliverable.max(self.finder_undeliverable),
            RequestType::Probe => self.probe,
        }
    }

    /// What a result costs.
    pub(crate) fn of(self, asked: RequestType, outcome: Outcome) -> u32 {
        match (asked, outcome) {
            (_, Outcome::Error) => 0,
            (RequestType::Probe, _) => self.probe,
            (RequestType::Finder, Outcome::Found) => self.finder_deliverable,
            (RequestType::Finder, Outcome::NotFound) => self.finder_undeliverable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_free_and_nothing_costs_more_than_the_highest_price() {
        let prices = Prices { finder_deliverable: 5, finder_undeliverable: 7, probe: 3 };
        for asked in [RequestType::Finder, RequestType::Probe] {
            assert_eq!(prices.of(asked, Outcome::Error), 0);
            for outcome in [Outcome::Found, Outcome::NotFound] {
                assert!(prices.of(asked, outcome) <= prices.highest_of(asked));
            }
        }
        assert_eq!(prices.of(RequestType::Finder, Outcome::NotFound), 7);
        assert_eq!((prices.of(RequestType::Probe, Outcome::NotFound), prices.highest()), (3, 7));
    }
}
