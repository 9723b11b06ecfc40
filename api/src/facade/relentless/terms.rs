//! What results cost, in millionths of the currency, and what else was so when a job was taken.

use serde::{Deserialize, Serialize};

use super::{
    job::Counts,
    words::{CatchAllPolicy, Outcome, RequestType},
};
use crate::store::StoreError;

/// What holds for a job to its end, whatever is configured later. Kept in the clear: it tells of nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// As long as it was likely to take.
    pub(crate) estimate_seconds: u32,
    /// Domains of its inputs.
    pub(crate) unique_domains: u32,
    catchall: CatchAllPolicy,
    prices: Prices,
}

impl Terms {
    /// Of a job that is taken now.
    pub(crate) fn new(
        estimate_seconds: u32,
        unique_domains: u32,
        catchall: CatchAllPolicy,
        prices: Prices,
    ) -> Self {
        Self { estimate_seconds, unique_domains, catchall, prices }
    }

    /// As they are kept.
    pub(crate) fn write(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Refused(error.to_string().into()))
    }

    /// Those that were kept.
    pub(crate) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text)
            .map_err(|_| StoreError::Unread("the terms of a job are not what they were".into()))
    }

    /// What is told of an address at a domain that accepts everybody.
    pub(crate) fn catchall(&self, asked: RequestType) -> CatchAllPolicy {
        self.catchall.of(asked)
    }

    /// What a result costs.
    pub(crate) fn charge(&self, asked: RequestType, outcome: Outcome) -> u32 {
        self.prices.of(asked, outcome)
    }

    /// What so many items cost at most.
    pub(crate) fn reserved(&self, asked: RequestType, items: i32) -> i64 {
        i64::from(self.prices.highest_of(asked)) * i64::from(items)
    }

    /// What items cost that came to this.
    pub(crate) fn actual(&self, asked: RequestType, counts: Counts) -> i64 {
        let of = |outcome, count| i64::from(self.prices.of(asked, outcome)) * i64::from(count);
        of(Outcome::Found, counts.found) + of(Outcome::NotFound, counts.not_found)
    }
}

/// Prices of results. What could not be found out has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    use mailsonde_engine::Category;

    use super::*;

    #[test]
    fn nobody_pays_for_a_guess_at_a_domain_that_accepts_everybody() {
        let prices = Prices { finder_deliverable: 5, finder_undeliverable: 7, probe: 3 };
        let terms = Terms::new(1, 1, CatchAllPolicy::Deliverable, prices);
        let counts = Category::ALL.map(|category| i32::from(category == Category::AcceptAll));
        let told = |asked| {
            let counts = Counts::of(&counts, terms.catchall(asked));
            (counts.found, counts.errors, terms.actual(asked, counts))
        };
        assert_eq!(told(RequestType::Finder), (0, 1, 0));
        assert_eq!(told(RequestType::Probe), (1, 0, 3));
    }

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
