//! The queue's table: tasks are claimed, extended, and settled. docs/jobs.md has the states.
//!
//! All times are the database's. A task's fence counts its leases; every statement of a holder names the fence that it
//! was given, so one whose lease went to somebody else changes nothing.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use tokio::time::Instant;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::StoreError;

/// Extended while tasks are claimed: two claims at once could both count a client's running tasks, and pass its cap.
const CLAIMS_LOCK: i64 = 0x6d73_636c_6169_6d73;

pub(super) const TAKE_TURNS: &str = "select pg_advisory_xact_lock($1)";

/// The clients who have something ready, each as far as its cap allows; of these tasks the earliest deadlines.
pub(super) const CLAIM: &str = "
with recursive waiting as (
    (select client from task where state = 'ready' order by client limit 1)
    union all
    select (select t.client from task t where t.state = 'ready' and t.client > w.client order by t.client limit 1)
    from waiting w where w.client is not null
), room as (
    select c.id as client, c.running_max - (
        select count(*) from task t where t.state = 'running' and t.client = c.id
    ) as places
    from waiting w join client c on c.id = w.client
), due as materialized (
    select t.id from room cross join lateral (
        select id, deadline_at from task
        where state = 'ready' and client = room.client and due_at <= now()
        order by deadline_at, id
        limit least(greatest(room.places, 0), $3)
        for update skip locked
    ) t
    order by t.deadline_at, t.id limit $3
)
update task set state = 'running', fence = task.fence + 1, worker = $1, leased_until = clock_timestamp() + $2 * interval '1 second'
from due left join task own on own.id = due.id left join job on job.id = own.job
where task.id = due.id
returning task.id, task.kind, task.client, task.job, task.chunk, task.attempt, task.fence,
    task.deadline_at, job.state as job_state, job.pipeline, job.skips, job.facade,
    extract(epoch from job.deadline_at - clock_timestamp())::float8 as left_s";

/// Until the next task is due that is not due yet.
pub(super) const NEXT_DUE: &str = "
select extract(epoch from min(due_at) - now())::float8 from task where state = 'ready' and due_at > now()";

pub(super) const EXTEND: &str = "
with ours as (
    select task.id from task join unnest($1::bigint[], $2::bigint[]) as held (id, fence)
        on task.id = held.id and task.fence = held.fence
    where task.state = 'running' order by task.id for update of task
)
update task set leased_until = now() + $3 * interval '1 second'
from ours where task.id = ours.id
returning task.id, task.fence, (select state from job where job.id = task.job) as job_state";

/// Whose lease has run out has failed once more. The last failure is the end of a chunk, whose items are waited for no
/// longer; our own tasks have no last one.
pub(super) const RESCUE: &str = "
with expired as (
    select id from task where state = 'running' and leased_until < now() for update skip locked
), failed as (
    update task set
        state = case when kind = 'chunk' and attempt + 1 >= $1 then 'dead' else 'ready' end,
        attempt = least(attempt + 1, 1000), fence = fence + 1, worker = null, leased_until = null, due_at = now(),
        error = 'the lease ran out'
    from expired where task.id = expired.id
    returning job, chunk, state = 'dead' as is_dead
), buried as (
    update chunk set dead = true from failed
    where failed.is_dead and chunk.job = failed.job and chunk.no = failed.chunk
)
select is_dead from failed";

pub(super) const FAIL: &str = "
with failed as (
    update task set
        state = case when kind = 'chunk' and attempt + 1 >= $3 then 'dead' else 'ready' end,
        attempt = least(attempt + 1, 1000), worker = null, leased_until = null, due_at = now() + $4 * interval '1 second',
        error = $5
    where id = $1 and fence = $2 and state = 'running'
    returning job, chunk, state = 'dead' as is_dead
), buried as (
    update chunk set dead = true from failed
    where failed.is_dead and chunk.job = failed.job and chunk.no = failed.chunk
)
select is_dead from failed";

/// A webhook's deadline is when it comes back, not when it came about: else those that find no place again and again would
/// pass all chunks.
pub(super) const SNOOZE: &str = "
update task set state = 'ready', worker = null, leased_until = null, snoozes = snoozes + 1,
    due_at = now() + $3 * interval '1 second',
    deadline_at = case when kind = 'webhook' then now() + $3 * interval '1 second' else deadline_at end
where id = $1 and fence = $2 and state = 'running'";

pub(super) const HAND_BACK: &str = "
update task set worker = null, leased_until = null,
    state = case when (select state from job where job.id = task.job) = 'paused' then 'held' else 'ready' end
where id = $1 and fence = $2 and state = 'running'";

/// By their keys: who looks for what is running meets all that was. What has a lease is running.
pub(super) const REMOVE: &str = "
delete from task
where id = any ($1::bigint[]) and fence = ($2::bigint[])[array_position($1::bigint[], id)] and leased_until is not null
returning id";

/// Chunks that were given back while their job was resumed are held by nobody.
pub(super) const FREE_HELD: &str = "
update task set state = 'ready' from job where task.state = 'held' and job.id = task.job and job.state = 'running'";

/// Chunks that anybody works at or will, and whatever else is due.
pub(super) const IS_PENDING: &str = "
select exists (
    select from task where state in ('ready', 'running') and (kind = 'chunk' or kind in ('close', 'webhook') and due_at <= now())
) or exists (
    select from task join job on job.id = task.job where task.state = 'held' and job.state = 'running'
)";

pub(super) const WORKER_SEEN: &str = "
insert into worker (id, host) values ($1, $2) on conflict (id) do update set seen_at = now()";

pub(super) const WORKER_GONE: &str = "delete from worker where id = $1";

/// What a statement is given.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asks about the items of a chunk.
    Chunk,
    /// Ends a job at its deadline.
    Close,
    /// Deletes what has been kept long enough.
    Retention,
    /// Tells somebody something.
    Webhook,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Close => "close",
            Self::Retention => "retention",
            Self::Webhook => "webhook",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Chunk, Self::Close, Self::Retention, Self::Webhook];
        all.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            StoreError::Refused(format!("a task of kind `{word}`, which is unknown here").into())
        })
    }
}

/// A share of a job: the job, and the chunk's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChunkId {
    pub(crate) job: Uuid,
    pub(crate) no: i32,
}

/// What holding a lease is proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub(crate) task: i64,
    pub(crate) fence: i64,
}

/// A task that is ours for now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) lease: Lease,
    pub(crate) kind: Kind,
    pub(crate) client: Uuid,
    pub(crate) job: Option<Uuid>,
    pub(crate) chunk: Option<ChunkId>,
    /// Failures before this lease.
    pub(crate) attempt: i16,
    /// Of its job, where it has one.
    pub(crate) terms: Option<JobTerms>,
}

/// What a job says of its chunks.
#[derive(Debug, Clone)]
pub(crate) struct JobTerms {
    /// It has not ended.
    pub(crate) is_live: bool,
    pub(crate) is_paused: bool,
    pub(crate) pipeline: String,
    pub(crate) skips: Vec<String>,
    /// The product by which it came.
    pub(crate) facade: String,
    /// The job's deadline, by our own clock.
    pub(crate) deadline: Instant,
}

/// What the database says of a lease that was to be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    /// Ours for another while.
    Ours,
    /// Ours, and its job is not to be worked at now.
    Paused,
}

/// What became of a task that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// It will not be tried again.
    pub(crate) is_dead: bool,
}

/// Leases up to `limit` tasks to a worker, the most urgent first.
pub(crate) async fn claim(
    client: &impl GenericClient,
    worker: Uuid,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let (take_turns, claim) =
        tokio::try_join!(client.prepare_cached(TAKE_TURNS), client.prepare_cached(CLAIM))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // From before the database said how much time is left.
    let asked_at = Instant::now();
    let seconds = lease.as_secs_f64();
    // On their way at once, for one round trip; the server takes them one after the other, and where one fails, the
    // commit takes nothing.
    let (lock, wanted): ([Parameter<'_>; 1], [Parameter<'_>; 3]) =
        ([&CLAIMS_LOCK], [&worker, &seconds, &limit]);
    let (begun, locked, rows, committed) = tokio::join!(
        biased;
        client.batch_execute("begin"),
        client.execute(&take_turns, &lock),
        client.query(&claim, &wanted),
        client.batch_execute("commit"),
    );
    let _: ((), u64, ()) = (begun?, locked?, committed?);
    let rows = rows?;
    let mut claimed: Vec<(jiff::Timestamp, Claimed)> = Vec::with_capacity(rows.len());
    for row in &rows {
        match task_of(row, asked_at) {
            Ok(task) => claimed.push((row.get("deadline_at"), task)),
            // A newer program's. It costs nobody else his lease.
            Err(error) => tracing::warn!("a task is left alone: {error}"),
        }
    }
    claimed.sort_by_key(|(deadline_at, task)| (*deadline_at, task.lease.task));
    Ok(claimed.into_iter().map(|(_, task)| task).collect())
}

fn task_of(row: &Row, asked_at: Instant) -> Result<Claimed, StoreError> {
    let job: Option<Uuid> = row.get("job");
    let state: Option<&str> = row.get("job_state");
    Ok(Claimed {
        lease: Lease { task: row.get("id"), fence: row.get("fence") },
        kind: Kind::of(row.get("kind"))?,
        client: row.get("client"),
        job,
        chunk: chunk_of(row),
        attempt: row.get("attempt"),
        terms: state.map(|state| JobTerms {
            is_live: matches!(state, "running" | "paused"),
            is_paused: state == "paused",
            pipeline: row.get("pipeline"),
            skips: row.get("skips"),
            facade: row.get("facade"),
            deadline: asked_at + Duration::try_from_secs_f64(row.get("left_s")).unwrap_or_default(),
        }),
    })
}

fn chunk_of(row: &Row) -> Option<ChunkId> {
    Some(ChunkId { job: row.get::<_, Option<Uuid>>("job")?, no: row.get::<_, Option<i32>>("chunk")? })
}

/// How long it is until the next task is due that is not due yet.
pub(crate) async fn next_due(client: &impl GenericClient) -> Result<Option<Duration>, StoreError> {
    let next_due = client.prepare_cached(NEXT_DUE).await?;
    let seconds: Option<f64> = client.query_one(&next_due, &[]).await?.get(0);
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// Extends leases. Those that are missing in the answer are lost.
pub(crate) async fn extend(
    client: &impl GenericClient,
    leases: &[Lease],
    lease: Duration,
) -> Result<Vec<(Lease, Extended)>, StoreError> {
    let (ids, fences) = columns(leases);
    let extend = client.prepare_cached(EXTEND).await?;
    let rows = client.query(&extend, &[&ids, &fences, &lease.as_secs_f64()]).await?;
    let held = |row: &Row| match row.get::<_, Option<&str>>("job_state") {
        Some("paused") => Extended::Paused,
        _ => Extended::Ours,
    };
    let lease = |row: &Row| Lease { task: row.get("id"), fence: row.get("fence") };
    Ok(rows.iter().map(|row| (lease(row), held(row))).collect())
}

/// Takes back the tasks whose leases have run out.
pub(crate) async fn rescue(
    client: &impl GenericClient,
    attempts_max: i16,
) -> Result<Vec<Failed>, StoreError> {
    let rescue = client.prepare_cached(RESCUE).await?;
    let rows = client.query(&rescue, &[&i32::from(attempts_max)]).await?;
    Ok(rows.iter().map(|row| Failed { is_dead: row.get(0) }).collect())
}

/// A task failed, and is tried again after `wait`, if it was not its last attempt.
///
/// # Errors
/// [`StoreError::Fenced`]: it is not ours any longer.
pub(crate) async fn fail(
    client: &impl GenericClient,
    lease: Lease,
    attempts_max: i16,
    wait: Duration,
    error: &str,
) -> Result<Failed, StoreError> {
    let fail = client.prepare_cached(FAIL).await?;
    let parameters: [Parameter<'_>; 5] =
        [&lease.task, &lease.fence, &i32::from(attempts_max), &wait.as_secs_f64(), &error];
    let row = client.query_opt(&fail, &parameters).await?;
    row.map(|row| Failed { is_dead: row.get(0) }).ok_or(StoreError::Fenced)
}

/// Puts a task off. It has not failed.
pub(crate) async fn snooze(
    client: &impl GenericClient,
    lease: Lease,
    wait: Duration,
) -> Result<(), StoreError> {
    let snooze = client.prepare_cached(SNOOZE).await?;
    client.execute(&snooze, &[&lease.task, &lease.fence, &wait.as_secs_f64()]).await?;
    Ok(())
}

/// Gives a task back, for anybody to take at once. It has not failed.
pub(crate) async fn hand_back(client: &impl GenericClient, lease: Lease) -> Result<(), StoreError> {
    let hand_back = client.prepare_cached(HAND_BACK).await?;
    client.execute(&hand_back, &[&lease.task, &lease.fence]).await?;
    Ok(())
}

/// Lets chunks be claimed that are held although their job runs.
pub(crate) async fn free_held(client: &impl GenericClient) -> Result<(), StoreError> {
    let free_held = client.prepare_cached(FREE_HELD).await?;
    client.execute(&free_held, &[]).await?;
    Ok(())
}

/// Tasks are done. Returns those that were the holder's until now, sorted.
pub(crate) async fn remove(client: &impl GenericClient, leases: &[Lease]) -> Result<Vec<i64>, StoreError> {
    let (ids, fences) = columns(leases);
    let remove = client.prepare_cached(REMOVE).await?;
    let rows = client.query(&remove, &[&ids, &fences]).await?;
    let mut removed: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    removed.sort_unstable();
    Ok(removed)
}

fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i64>) {
    leases.iter().map(|lease| (lease.task, lease.fence)).unzip()
}

/// Whether chunks are left that anybody works at or will, or anything else is due.
pub(crate) async fn is_pending(client: &impl GenericClient) -> Result<bool, StoreError> {
    let is_pending = client.prepare_cached(IS_PENDING).await?;
    Ok(client.query_one(&is_pending, &[]).await?.get(0))
}

/// A worker is there.
pub(crate) async fn worker_seen(
    client: &impl GenericClient,
    worker: Uuid,
    host: &str,
) -> Result<(), StoreError> {
    let seen = client.prepare_cached(WORKER_SEEN).await?;
    client.execute(&seen, &[&worker, &host]).await?;
    Ok(())
}

/// A worker has left.
pub(crate) async fn worker_gone(client: &impl GenericClient, worker: Uuid) -> Result<(), StoreError> {
    let gone = client.prepare_cached(WORKER_GONE).await?;
    client.execute(&gone, &[&worker]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    const ADD: &str = "
        insert into task (kind, client, due_at, deadline_at)
        select 'close', id, now() + $1 * interval '1 second', now() from client where name = 'mailsonde'";

    #[tokio::test]
    async fn a_claim_that_fails_takes_nothing_and_leaves_its_connection_usable() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        client.batch_execute("delete from task").await.unwrap();
        client.execute(ADD, &[&0.0]).await.unwrap();
        client.batch_execute("alter table client rename to away").await.unwrap();
        claim(&client, Uuid::nil(), Duration::from_mins(1), 10).await.unwrap_err();
        client.batch_execute("alter table away rename to client").await.unwrap();
        let claimed = claim(&client, Uuid::nil(), Duration::from_mins(1), 10).await.unwrap();
        assert_eq!(claimed.iter().map(|task| task.lease.fence).collect::<Vec<_>>(), [1]);
        // Another connection sees it, so it is committed; and nobody's turn is kept.
        let other = store.worker().await.unwrap();
        assert!(claim(&other, Uuid::nil(), Duration::from_mins(1), 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_next_due_task_is_the_first_that_is_not_due_yet() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        client.batch_execute("delete from task").await.unwrap();
        client.execute(ADD, &[&-5.0]).await.unwrap();
        assert_eq!(next_due(&client).await.unwrap(), None);
        for seconds in [500.0, 100.0] {
            client.execute(ADD, &[&seconds]).await.unwrap();
        }
        let next = next_due(&client).await.unwrap().unwrap();
        assert!((90..=100).contains(&next.as_secs()), "{next:?}");
    }
}
