//! The cache of look-ups: bounded in memory, each answer for its own time, one flight per question.
//!
//! It does not refresh answers before they end, nor serve them after: a late answer about a mailbox is a wrong one.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use mailsonde_engine::{Lookup, RecordData, RecordKind};
use moka::{Expiry, future};

/// How long a failure is kept: long enough that a batch waits once for a dead server, short enough for the next retry.
const FAILURE_TTL: Duration = Duration::from_secs(5);

/// How long it is believed that something does not exist. Domains are registered and repaired within minutes, and
/// "no such domain" is a verdict that hurts when it is out of date.
const NEGATIVE_TTL_MAX: Duration = Duration::from_mins(15);

/// Octets of an answer that count as one entry.
const ENTRY_OCTETS: usize = 1024;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// Lower case, no final dot.
    pub(super) name: Box<str>,
    pub(super) kind: RecordKind,
}

impl Question {
    pub(super) fn new(name: &str, kind: RecordKind) -> Self {
        let mut name = Box::<str>::from(name.strip_suffix('.').unwrap_or(name));
        name.make_ascii_lowercase();
        Self { name, kind }
    }
}

/// Bounds of the time for which answers are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ttl {
    min: Duration,
    max: Duration,
}

impl Ttl {
    /// `None` when the bounds are the wrong way round.
    pub(super) fn new(min: Duration, max: Duration) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// For how long an answer is kept whose records say `seconds`.
    fn of(self, lookup: &Lookup, seconds: Option<u32>) -> Duration {
        let stated = Duration::from_secs(seconds.unwrap_or(0).into()).clamp(self.min, self.max);
        match lookup {
            Lookup::Found(_) => stated,
            Lookup::NoData | Lookup::NoDomain => stated.min(NEGATIVE_TTL_MAX),
            Lookup::Failed(_) => FAILURE_TTL.min(self.max),
        }
    }
}

/// An answer and for how long it is kept.
#[derive(Clone)]
pub(super) struct Kept {
    lookup: Lookup,
    ttl: Duration,
}

/// Answers by question.
pub(super) struct Cache {
    answers: future::Cache<Question, Kept>,
    ttl: Ttl,
}

impl Cache {
    /// Room for so many answers of ordinary size.
    pub(super) fn new(entries: u64, ttl: Ttl) -> Self {
        let answers = future::Cache::builder()
            .max_capacity(entries)
            .weigher(|question: &Question, kept: &Kept| weight(question, &kept.lookup))
            .expire_after(OwnTtl)
            .build();
        Self { answers, ttl }
    }

    /// Gives an answer the time for which it is kept.
    pub(super) fn keep(&self, lookup: Lookup, ttl_seconds: Option<u32>) -> Kept {
        Kept { ttl: self.ttl.of(&lookup, ttl_seconds), lookup }
    }

    /// The answer that is there, or else the one that `ask` gets; and whether it was `ask` of this very call.
    /// Of equal calls at the same time one asks; when its caller leaves, the next one does.
    pub(super) async fn get_or(&self, question: Question, ask: impl Future<Output = Kept>) -> (Lookup, bool) {
        let entry = self.answers.entry(question).or_insert_with(ask).await;
        let is_fresh = entry.is_fresh();
        (entry.into_value().lookup, is_fresh)
    }

    /// Answers in the cache, about.
    pub(super) fn len(&self) -> u64 {
        self.answers.entry_count()
    }
}

/// An answer counts by its size, so that a domain with long records takes no more memory than its share.
fn weight(question: &Question, lookup: &Lookup) -> u32 {
    let octets = |record: &RecordData| {
        let text = match record {
            RecordData::Mx { exchange, .. } => exchange.len(),
            RecordData::Txt(text) | RecordData::Ns(text) => text.len(),
            RecordData::Address(_) | RecordData::Alias | RecordData::Present => 0,
        };
        size_of::<RecordData>() + text
    };
    let answer = match lookup {
        Lookup::Found(records) => records.iter().map(octets).sum(),
        Lookup::NoData | Lookup::NoDomain | Lookup::Failed(_) => 0,
    };
    u32::try_from((question.name.len() + answer).div_ceil(ENTRY_OCTETS)).unwrap_or(u32::MAX).max(1)
}

/// Each answer ends at its own time.
struct OwnTtl;

impl Expiry<Question, Kept> for OwnTtl {
    fn expire_after_create(&self, _: &Question, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::LookupFailure;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn kept_for(lookup: &Lookup, seconds: impl Into<Option<u32>>) -> u64 {
        Ttl::new(Duration::from_secs(30), DAY).unwrap().of(lookup, seconds.into()).as_secs()
    }

    #[test]
    fn ttls_stay_between_half_a_minute_and_a_day() {
        let found = Lookup::Found(Arc::from([RecordData::Present]));
        assert_eq!(kept_for(&found, 0), 30);
        assert_eq!(kept_for(&found, 29), 30);
        assert_eq!(kept_for(&found, 3_600), 3_600);
        assert_eq!(kept_for(&found, 1 << 31), 86_400);
        assert_eq!(kept_for(&found, u32::MAX), 86_400);
    }

    #[test]
    fn what_is_missing_may_appear_within_the_quarter_of_an_hour() {
        for lookup in [Lookup::NoData, Lookup::NoDomain] {
            assert_eq!(kept_for(&lookup, None), 30);
            assert_eq!(kept_for(&lookup, 60), 60);
            assert_eq!(kept_for(&lookup, 86_400), 900);
        }
    }

    #[test]
    fn failures_are_forgotten_at_once() {
        assert_eq!(kept_for(&Lookup::Failed(LookupFailure::Timeout), None), 5);
    }

    #[test]
    fn bounds_the_wrong_way_round_are_refused() {
        assert!(Ttl::new(DAY, Duration::from_secs(1)).is_none());
    }

    #[test]
    fn spellings_of_a_name_are_one_question() {
        let question = Question::new("Example.COM.", RecordKind::Mx);
        assert_eq!(question, Question::new("example.com", RecordKind::Mx));
        assert_ne!(question, Question::new("example.com", RecordKind::A));
    }

    #[test]
    fn a_large_answer_counts_for_many() {
        let question = Question::new("example.com", RecordKind::Txt);
        let texts = vec![RecordData::Txt("x".repeat(4_000).into()); 10];
        assert_eq!(weight(&question, &Lookup::NoData), 1);
        assert!(weight(&question, &Lookup::Found(texts.into())) >= 40);
    }
}
