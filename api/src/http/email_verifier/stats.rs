//! `GET /api/v1/stats/…`: what the installation knows, by which addresses are verified: two lists of domains, and what it
//! remembers of mailboxes. All clients share that, so all hear the same.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::{civil, tz::TimeZone};
use mailsonde_builtin::lists::{ListName, Lists};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use utoipa::ToSchema;

use super::ApiError;
use crate::{
    facade::email_verifier::moment,
    http::{App, Refusal, answer},
    store::{
        Shared, StoreError,
        history::{self, Counts, LookUps, RETENTION_YEARS, StoredHistory},
    },
};

/// The tag of disposable domains of which is sure that they are.
const CURATED: u64 = 1;

/// How long a count of what is remembered is good for: the whole table is read for it, and it may have millions of rows.
const FRESH: Duration = Duration::from_secs(30);

/// How long the database may take for it; then nothing is known of it, for as long as a count is good for.
const COUNT_MAX: Duration = Duration::from_secs(10);

/// What is told.
pub(crate) struct Stats {
    disposable: DisposableStats,
    free_providers: FreeProviderStats,
    history: Arc<StoredHistory>,
    /// The last count, and when it was asked for; nothing where there was no answer.
    counted: Mutex<Option<(Instant, Option<Counts>)>>,
}

/// The list of disposable domains, without those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct DisposableStats {
    total_domains: usize,
    /// Those that are surely disposable.
    curated: usize,
    /// Those that only a broad list has; such lists have errors.
    broad: usize,
    /// The day of its newest source, at its beginning (UTC). None where the operator's own list does not say.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// The list of domains where anybody can open a mailbox, without those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FreeProviderStats {
    total_domains: usize,
    /// As for disposable domains.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// What spares asking mail servers, and how often it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct InternalCacheStats {
    /// Mailboxes to which a message could not be delivered.
    hard_bounces: i64,
    /// Always 0: what makes an address a high risk is looked at each time, and not remembered.
    high_risk: i64,
    /// Addresses of which something was remembered, since this process began.
    hits: u64,
    /// Addresses of which nothing was, since then.
    misses: u64,
}

/// What is remembered of mailboxes, for all clients together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct HistoryStats {
    total: i64,
    /// Mailboxes that refused mail for good: to a message, or when their server was asked.
    undeliverable: i64,
    /// Always 0: lists say which domains are disposable, so that need not be remembered.
    disposable: i64,
    /// Always 0: what makes an address a high risk is looked at each time.
    high_risk: i64,
    /// When the oldest of them was heard of.
    #[schema(format = DateTime)]
    oldest_at: Option<String>,
    /// For how long it is remembered, at most.
    retention_years: u32,
}

/// The list of disposable domains.
#[utoipa::path(
    get,
    path = "/api/v1/stats/disposable",
    tag = "Statistics",
    responses((status = 200, body = DisposableStats, description = "What is in it")),
)]
pub(super) async fn disposable(State(app): State<Arc<App>>) -> Response {
    answer(StatusCode::OK, &app.stats.disposable)
}

/// The list of free providers.
#[utoipa::path(
    get,
    path = "/api/v1/stats/free-providers",
    tag = "Statistics",
    responses((status = 200, body = FreeProviderStats, description = "What is in it")),
)]
pub(super) async fn free_providers(State(app): State<Arc<App>>) -> Response {
    answer(StatusCode::OK, &app.stats.free_providers)
}

/// What is remembered of mailboxes, and how often that was of use. Counts may be half a minute old.
#[utoipa::path(
    get,
    path = "/api/v1/stats/internal-cache",
    tag = "Statistics",
    responses((status = 200, body = InternalCacheStats, description = "What is remembered")),
)]
pub(super) async fn internal_cache(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let counts = app.stats.counts(&app.store).await?;
    let LookUps { hits, misses } = app.stats.history.look_ups();
    let told = InternalCacheStats { hard_bounces: counts.bounces, high_risk: 0, hits, misses };
    Ok(answer(StatusCode::OK, &told))
}

/// What is remembered of mailboxes, by what is known of them. Counts may be half a minute old.
#[utoipa::path(
    get,
    path = "/api/v1/stats/verification-history",
    tag = "Statistics",
    responses((status = 200, body = HistoryStats, description = "What is remembered")),
)]
pub(super) async fn verification_history(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let counts = app.stats.counts(&app.store).await?;
    Ok(answer(StatusCode::OK, &HistoryStats::of(counts)))
}

impl Stats {
    /// Of these lists, which do not change, and of what is remembered.
    pub(crate) fn new(lists: &Lists, history: Arc<StoredHistory>) -> Self {
        Self {
            disposable: DisposableStats::of(lists),
            free_providers: FreeProviderStats {
                total_domains: lists.get(ListName::FreeProviders).len(),
                updated_at: updated_at(lists, ListName::FreeProviders),
            },
            history,
            counted: Mutex::default(),
        }
    }

    /// What is remembered. However many ask, the database is asked by one of them, and not often.
    async fn counts(&self, store: &Shared) -> Result<Counts, Refusal> {
        let mut last = self.counted.lock().await;
        if last.as_ref().is_none_or(|(asked, _)| asked.elapsed() >= FRESH) {
            // Before it is known: whoever leaves meanwhile lets nobody begin again.
            *last = Some((Instant::now(), None));
            *last = Some((Instant::now(), count(store).await));
        }
        let counts = last.as_ref().and_then(|(_, counts)| *counts);
        counts.ok_or(Refusal::Unavailable(FRESH))
    }
}

/// By a connection of work in the background: those of requests are for what takes milliseconds.
async fn count(store: &Shared) -> Option<Counts> {
    let counted = async { history::counts(&mut store.worker().await?).await };
    let late = || StoreError::Busy("it takes too long".into());
    let counted = timeout(COUNT_MAX, counted).await.unwrap_or_else(|_| Err(late()));
    counted.inspect_err(|error| tracing::warn!("what is remembered cannot be counted: {error}")).ok()
}

impl DisposableStats {
    fn of(lists: &Lists) -> Self {
        let list = lists.get(ListName::Disposable);
        let (total_domains, curated) = (list.len(), list.count(CURATED));
        let updated_at = updated_at(lists, ListName::Disposable);
        Self { total_domains, curated, broad: total_domains - curated, updated_at }
    }
}

fn updated_at(lists: &Lists, list: ListName) -> Option<String> {
    let day: civil::Date = lists.updated(list)?.parse().ok()?;
    Some(moment(day.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

impl HistoryStats {
    fn of(counts: Counts) -> Self {
        let undeliverable = counts.bounces + counts.probes;
        Self {
            total: undeliverable,
            undeliverable,
            disposable: 0,
            high_risk: 0,
            oldest_at: counts.oldest_at.map(moment),
            retention_years: RETENTION_YEARS,
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::{Address, HistorySource, Tier};

    use super::*;
    use crate::store::{history::Refusal as Refused, testing};

    #[test]
    fn the_tiers_of_a_list_are_those_that_verdicts_rest_on() {
        let lists = Lists::embedded();
        let stats = DisposableStats::of(&lists);
        let of = |tier| {
            let domains = lists.get(ListName::Disposable).iter();
            domains.filter(|(domain, _)| lists.disposable_tier(domain) == Some(tier)).count()
        };
        assert_eq!((stats.curated, stats.broad), (of(Tier::Curated), of(Tier::Broad)));
        assert_eq!(stats.total_domains, stats.curated + stats.broad);
        let updated_at: jiff::Timestamp = stats.updated_at.unwrap().parse().unwrap();
        assert!(updated_at > jiff::Timestamp::UNIX_EPOCH);
    }

    #[tokio::test]
    async fn what_is_remembered_is_counted_now_and_then() {
        let store: Shared = Arc::new(testing::store().await);
        let refused = |local: &str, source| Refused {
            address: Address::new(local, "example.com"),
            source,
            seen_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let all = [refused("ann", HistorySource::Bounce), refused("bob", HistorySource::Probe)];
        let client = store.worker().await.unwrap();
        history::remember(&client, store.keys(), &all).await.unwrap();
        let known = Arc::new(StoredHistory::new(store.workers().clone(), store.keys().clone()));
        let stats = Stats::new(&Lists::embedded(), known);
        let counts = stats.counts(&store).await.unwrap();
        assert_eq!((counts.bounces, counts.probes), (1, 1));
        // As long as it is good for, nobody asks: not even where nothing could be heard.
        client.batch_execute("drop table history").await.unwrap();
        assert_eq!(stats.counts(&store).await, Ok(counts));
        *stats.counted.lock().await = None;
        assert_eq!(stats.counts(&store).await, Err(Refusal::Unavailable(FRESH)));
        let oldest = HistoryStats::of(counts).oldest_at;
        assert_eq!(oldest.as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
