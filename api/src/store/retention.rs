//! Retention: what has been kept long enough. Sealed texts go first, the headers of jobs later.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};

use super::{StoreError, billing, history, idempotency, learned, leases, webhooks};

/// Jobs whose results go in one transaction: so that nobody is held up for long.
const JOBS_MAX: i64 = 100;

/// Entries that go in one statement.
const ENTRIES_MAX: i64 = 10_000;

pub(super) const EXPIRED: &str = "
update job set pruned_at = now() where id in (
    select id from job where expires_at < now() and pruned_at is null and ended_at is not null order by expires_at limit $1
    for update skip locked
)
returning id";

pub(super) const DROP_CHUNKS: &str = "delete from chunk where job = any ($1)";
pub(super) const DROP_PARTS: &str = "delete from part where job = any ($1)";
pub(super) const DROP_TASKS: &str = "delete from task where job = any ($1)";

pub(super) const DROP_HEADERS: &str = "
delete from job where id in (
    select id from job where pruned_at is not null and deadline_at < now() - $1 * interval '1 second' limit $2
)";

/// Who was not heard of for two leases is not counted any more; for a day it can be seen which hosts worked.
pub(super) const DROP_WORKERS: &str = "delete from worker where seen_at < now() - interval '1 day'";

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Jobs whose items and verdicts went.
    pub(crate) jobs: usize,
}

/// Deletes what has been kept long enough; `headers`: how long after its deadline a job is still known.
pub(crate) async fn prune(client: &mut Client, headers: Duration) -> Result<Pruned, StoreError> {
    let mut jobs = 0;
    loop {
        let pruned = prune_jobs(client).await?;
        jobs += pruned;
        if pruned == 0 {
            break;
        }
    }
    let drop_headers = client.prepare_cached(DROP_HEADERS).await?;
    client.execute(&drop_headers, &[&headers.as_secs_f64(), &ENTRIES_MAX]).await?;
    for statement in
        [learned::FORGET_OLD, leases::SWEEP, billing::DROP_LEDGERS, idempotency::FORGET_OLD, DROP_WORKERS]
    {
        let statement = client.prepare_cached(statement).await?;
        client.execute(&statement, &[]).await?;
    }
    let drop_webhooks = client.prepare_cached(webhooks::DROP_OLD).await?;
    while client.execute(&drop_webhooks, &[&headers.as_secs_f64(), &ENTRIES_MAX]).await? > 0 {}
    let forget = client.prepare_cached(history::FORGET_OLD).await?;
    while client.execute(&forget, &[&ENTRIES_MAX]).await? > 0 {}
    Ok(Pruned { jobs })
}

async fn prune_jobs(client: &mut Client) -> Result<usize, StoreError> {
    let tx = client.transaction().await?;
    let expired = tx.prepare_cached(EXPIRED).await?;
    let jobs: Vec<uuid::Uuid> =
        tx.query(&expired, &[&JOBS_MAX]).await?.iter().map(|row| row.get(0)).collect();
    for statement in [DROP_TASKS, DROP_CHUNKS, DROP_PARTS] {
        let statement = tx.prepare_cached(statement).await?;
        tx.execute(&statement, &[&jobs]).await?;
    }
    tx.commit().await?;
    Ok(jobs.len())
}
