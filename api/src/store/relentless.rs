//! What Relentless Identity knows of a job besides: the terms on which it was taken, what came of it, and how far its
//! client was told; and what a client has used.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient, Transaction};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    StoreError,
    keys::{self, Keyring},
    tasks::Parameter,
};

pub(super) const ADD: &str = "
insert into relentless_job (job, terms, reserved_micros, header_until)
values ($1, $2, $3, $4::timestamptz + $5 * interval '1 second')";

pub(super) const TERMS: &str = "select terms from relentless_job where job = $1";

pub(super) const SUM_UP: &str = "update relentless_job set actual_micros = $2, summary = $3 where job = $1";

pub(super) const KNOWN: &str = "
select relentless_job.job, terms, summary, webhook.id as webhook, webhook.state as webhook_state, webhook.attempts,
    webhook.error
from relentless_job left join webhook on webhook.job = relentless_job.job
where relentless_job.job = any($1)";

/// Whoever is forgotten changes the tokens of the chunk in which he was submitted.
pub(super) const VERSION: &str = "
select md5(coalesce(string_agg(md5(tokens), '' order by no), '')) from chunk where job = $1 and round = 0";

/// Requests and items of the last hours and of the last week; millionths that were used since the month began (UTC), and
/// those that are held.
pub(super) const USAGE: &str = "
with asked as (
    select created_at, 1 as requests, charge_micros as used, 0 as reserved from request
    where client = $1 and created_at > now() - interval '31 days'
    union all
    select created_at, items, actual_micros, case when ended_at is null then reserved_micros else 0 end
    from job join relentless_job on relentless_job.job = job.id
    where client = $1 and (created_at > now() - interval '31 days' or ended_at is null)
)
select coalesce(sum(requests) filter (where created_at > now() - $2::float8 * interval '1 hour'), 0)::bigint as in_window,
    coalesce(sum(requests) filter (where created_at > now() - interval '7 days'), 0)::bigint as in_week,
    coalesce(sum(used) filter (
        where created_at >= date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'), 0)::bigint as used,
    coalesce(sum(reserved), 0)::bigint as reserved
from asked";

/// Whoever has asked that much waits no longer for the sum, and the connection is free again.
const USAGE_PATIENCE: &str = "set local statement_timeout = '2s'";

/// The terms of a job on its way in.
#[derive(Debug, Clone)]
pub(crate) struct NewTerms {
    pub(crate) terms: String,
    pub(crate) reserved_micros: i32,
    /// How long it is known after its deadline that there was such a job.
    pub(crate) header: Duration,
    /// What its client may use, with this job; whatever it likes, where there are none.
    pub(crate) limits: Option<Limits>,
}

/// What a client may use, where it is billed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The hours of [`UsageRow::in_window`].
    pub(crate) window_hours: u32,
    /// Requests and items in these hours.
    pub(crate) in_window: i64,
    /// In seven days.
    pub(crate) in_week: i64,
    /// Millionths in a month, what is held for jobs among them; without end, where there is none.
    pub(crate) in_cycle: Option<i64>,
}

impl Limits {
    /// Whether whoever has used so much may have so many requests or items more, which cost so much at most.
    pub(crate) fn cover(&self, used: UsageRow, requests: i64, micros: i64) -> bool {
        let held = used.used_micros.saturating_add(used.reserved_micros);
        let fits = |limit: i64, used: i64, more: i64| more <= limit.saturating_sub(used).max(0);
        fits(self.in_window, used.in_window, requests)
            && fits(self.in_week, used.in_week, requests)
            && self.in_cycle.is_none_or(|limit| fits(limit, held, micros))
    }
}

/// What is known of a job besides.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) terms: String,
    /// None before it ends.
    pub(crate) summary: Option<String>,
    pub(crate) told: Option<Told>,
}

/// How far a client was told of a job's end.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    webhook: Uuid,
    /// `pending`, `delivered` or `failed`.
    pub(crate) state: String,
    pub(crate) attempts: i32,
    /// Sealed.
    error: Option<Vec<u8>>,
}

impl Told {
    /// What went wrong last.
    pub(crate) fn error(&self, keys: &Keyring) -> Result<Option<String>, StoreError> {
        let Some(sealed) = &self.error else { return Ok(None) };
        let text = keys.open(keys::Row::WebhookError { id: self.webhook }, sealed)?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }
}

/// What a client has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UsageRow {
    /// Requests and items of the last hours.
    pub(crate) in_window: i64,
    /// Of the last seven days.
    pub(crate) in_week: i64,
    /// Millionths since the month began (UTC).
    pub(crate) used_micros: i64,
    /// Millionths that are held for jobs.
    pub(crate) reserved_micros: i64,
}

/// Adds the terms of a job with this deadline, in the transaction in which it is taken.
pub(super) async fn add(
    tx: &Transaction<'_>,
    job: Uuid,
    deadline_at: Timestamp,
    new: &NewTerms,
) -> Result<(), StoreError> {
    let add = tx.prepare_cached(ADD).await?;
    let header = new.header.as_secs_f64();
    let parameters: [Parameter<'_>; 5] = [&job, &new.terms, &new.reserved_micros, &deadline_at, &header];
    tx.execute(&add, &parameters).await?;
    Ok(())
}

/// The terms of a job.
pub(in crate::store) async fn terms(
    client: &impl GenericClient,
    job: Uuid,
) -> Result<Option<String>, StoreError> {
    let terms = client.prepare_cached(TERMS).await?;
    Ok(client.query_opt(&terms, &[&job]).await?.map(|row| row.get(0)))
}

/// Writes down what came of a job that ends.
pub(in crate::store) async fn sum_up(
    tx: &Transaction<'_>,
    job: Uuid,
    actual_micros: i32,
    summary: &str,
) -> Result<(), StoreError> {
    let sum_up = tx.prepare_cached(SUM_UP).await?;
    tx.execute(&sum_up, &[&job, &actual_micros, &summary]).await?;
    Ok(())
}

/// What is known of jobs besides, each with its id.
pub(crate) async fn known(
    client: &impl GenericClient,
    jobs: &[Uuid],
) -> Result<Vec<(Uuid, Known)>, StoreError> {
    let known = client.prepare_cached(KNOWN).await?;
    Ok(client.query(&known, &[&jobs]).await?.iter().map(|row| (row.get("job"), Known::from(row))).collect())
}

impl From<&Row> for Known {
    fn from(row: &Row) -> Self {
        let told = row.get::<_, Option<Uuid>>("webhook").map(|webhook| Told {
            webhook,
            state: row.get("webhook_state"),
            attempts: row.get("attempts"),
            error: row.get("error"),
        });
        Self { terms: row.get("terms"), summary: row.get("summary"), told }
    }
}

/// What tells one state of a job's items from another, once they are not worked at any more.
pub(crate) async fn version(client: &impl GenericClient, job: Uuid) -> Result<String, StoreError> {
    let version = client.prepare_cached(VERSION).await?;
    Ok(client.query_one(&version, &[&job]).await?.get(0))
}

/// What a client has used, in so many hours and in a week.
pub(crate) async fn usage(client: &mut Client, of: Uuid, window_hours: u32) -> Result<UsageRow, StoreError> {
    used(client.transaction().await?, of, window_hours).await
}

/// The same within a transaction, which goes on with its own patience.
pub(super) async fn usage_within(
    tx: &mut Transaction<'_>,
    of: Uuid,
    window_hours: u32,
) -> Result<UsageRow, StoreError> {
    used(tx.transaction().await?, of, window_hours).await
}

/// Changes nothing, so nothing is lost when it is rolled back.
async fn used(tx: Transaction<'_>, of: Uuid, window_hours: u32) -> Result<UsageRow, StoreError> {
    tx.batch_execute(USAGE_PATIENCE).await?;
    let usage = tx.prepare_cached(USAGE).await?;
    let row = tx.query_one(&usage, &[&of, &f64::from(window_hours)]).await?;
    tx.rollback().await?;
    Ok(UsageRow {
        in_window: row.get("in_window"),
        in_week: row.get("in_week"),
        used_micros: row.get("used"),
        reserved_micros: row.get("reserved"),
    })
}
