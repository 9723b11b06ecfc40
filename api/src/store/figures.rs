//! Figures for whoever watches: how much waits and since when, and how things stand. Read together, in one moment.

use deadpool_postgres::Client;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use super::{StoreError, billing};

/// Who asks for figures waits no longer than a little more: what he has left does not stay at work, nor on its connection.
const PATIENCE: &str = "set local statement_timeout = '2500ms'";

/// How long a task could have been begun: since it was due.
pub(super) const TASKS: &str = "
select kind, state, count(*), extract(epoch from now() - min(due_at))::float8 as oldest_s,
    extract(epoch from min(deadline_at) filter (where kind = 'chunk' and state = 'ready') - now())::float8 as slack_s
from task group by kind, state";

pub(super) const JOBS: &str = "
select state, count(*), extract(epoch from min(deadline_at) filter (where ended_at is null) - now())::float8 as slack_s
from job group by state";

pub(super) const WORKERS: &str = "select count(*) from worker where seen_at > now() - interval '1 minute'";

pub(super) const WEBHOOKS: &str = "select state, count(*) from webhook group by state";

/// Clients of whom it is told how much of their quota is used up: those who have used most of it.
const QUOTAS_MAX: i64 = 1_000;

/// Tasks of a kind and state.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) count: u64,
    pub(crate) oldest_seconds: Option<f64>,
}

/// How things stand.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) tasks: Vec<TaskRow>,
    /// Until the earliest virtual deadline of a chunk that waits.
    pub(crate) chunk_slack_seconds: Option<f64>,
    /// Until the earliest deadline of a job that has not ended.
    pub(crate) job_slack_seconds: Option<f64>,
    pub(crate) jobs: Vec<(String, u64)>,
    pub(crate) workers: u64,
    pub(crate) webhooks: Vec<(String, u64)>,
    pub(crate) quotas: Vec<(Uuid, f64)>,
}

/// Reads them.
pub(crate) async fn read(client: &mut Client) -> Result<Snapshot, StoreError> {
    let one_moment =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let tx = &one_moment.start().await?;
    tx.batch_execute(PATIENCE).await?;
    let rows = |statement: &'static str| async move {
        let prepared = tx.prepare_cached(statement).await?;
        tx.query(&prepared, &[]).await
    };
    let tasks = rows(TASKS).await?;
    let jobs = rows(JOBS).await?;
    let workers = rows(WORKERS).await?;
    let webhooks = rows(WEBHOOKS).await?;
    let quotas = billing::quotas(tx, QUOTAS_MAX).await?;
    let least = |rows: &[tokio_postgres::Row]| {
        rows.iter().filter_map(|row| row.get::<_, Option<f64>>("slack_s")).min_by(f64::total_cmp)
    };
    let counts =
        |rows: &[tokio_postgres::Row]| rows.iter().map(|row| (row.get(0), counted(row.get(1)))).collect();
    Ok(Snapshot {
        chunk_slack_seconds: least(&tasks),
        job_slack_seconds: least(&jobs),
        tasks: tasks
            .iter()
            .map(|row| TaskRow {
                kind: row.get(0),
                state: row.get(1),
                count: counted(row.get(2)),
                oldest_seconds: row.get("oldest_s"),
            })
            .collect(),
        jobs: counts(&jobs),
        workers: workers.first().map_or(0, |row| counted(row.get(0))),
        webhooks: counts(&webhooks),
        quotas: quotas.iter().filter_map(ratio).collect(),
    })
}

/// What a client has used and reserved, as a part of its quota.
#[allow(clippy::cast_precision_loss)] // far below what a double holds exactly
fn ratio(usage: &billing::UsageRow) -> Option<(Uuid, f64)> {
    let quota = usage.monthly_quota.filter(|quota| *quota > 0)?;
    Some((usage.client, (usage.settled + usage.reserved) as f64 / quota as f64))
}

/// A count is never negative.
fn counted(count: i64) -> u64 {
    count.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::testing::{self, WAITS};

    const LOCK: &str = "begin; lock table webhook in access exclusive mode";

    #[tokio::test]
    async fn all_figures_are_of_one_moment() {
        let store = testing::store().await;
        let (other, mut ours) = (store.worker().await.unwrap(), store.worker().await.unwrap());
        other.batch_execute(LOCK).await.unwrap();
        let meanwhile = async {
            let client = store.worker().await.unwrap();
            while client.query_one(WAITS, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
            let add = "insert into client (id, name, monthly_quota) values (gen_random_uuid(), 'late', 10)";
            client.batch_execute(add).await.unwrap();
            other.batch_execute("commit").await.unwrap();
        };
        let (snapshot, ()) = tokio::join!(read(&mut ours), meanwhile);
        assert!(snapshot.unwrap().quotas.is_empty());
        assert_eq!(read(&mut ours).await.unwrap().quotas.len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_does_not_stay_at_work() {
        let store = testing::store().await;
        let (other, mut ours) = (store.worker().await.unwrap(), store.worker().await.unwrap());
        other.batch_execute(LOCK).await.unwrap();
        let asked = Instant::now();
        let error = read(&mut ours).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        // Others are waited for for twenty seconds.
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        other.batch_execute("rollback").await.unwrap();
        read(&mut ours).await.unwrap();
        let left = ours.query_one("show statement_timeout", &[]).await.unwrap();
        assert_eq!(left.get::<_, &str>(0), "20s", "it is for the figures alone");
    }
}
