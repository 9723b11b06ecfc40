//! The queue's table: tasks are claimed, extended, and settled. docs/jobs.md has the states.
//!
//! All times are the database's. A task's fence counts its leases; every statement of a holder names the fence that it
//! was given, so one whose lease went to somebody else changes nothing.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::StoreError;

/// Held while tasks are claimed: two claims at once could both count a client's running tasks, and pass its cap.
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
update task set state = 'running', fence = task.fence + 1, worker = $1, leased_until = now() + $2 * interval '1 second'
from due left join task own on own.id = due.id left join job on job.id = own.job
where task.id = due.id
returning task.id, task.kind, task.client, task.job, task.chunk, task.attempt, task.fence,
    task.deadline_at, job.state as job_state, job.pipeline, job.skips,
    extract(epoch from job.deadline_at - now())::float8 as left_s";

pub(super) const EXTEND: &str = "
update task set leased_until = now() + $3 * interval '1 second'
from unnest($1::bigint[], $2::bigint[]) as held (id, fence)
where task.id = held.id and task.fence = held.fence and task.state = 'running'
returning task.id, (select state from job where job.id = task.job) as job_state";

/// Whose lease has run out has failed once more. The last failure is the end of a chunk; our own tasks have no last one.
pub(super) const RESCUE: &str = "
with expired as (
    select id from task where state = 'running' and leased_until < now() for update skip locked
)
update task set
    state = case when kind = 'chunk' and attempt + 1 >= $1 then 'dead' else 'ready' end,
    attempt = attempt + 1, fence = fence + 1, worker = null, leased_until = null, due_at = now(),
    error = 'the lease ran out'
from expired where task.id = expired.id
returning task.job, task.chunk, task.state = 'dead' as is_dead";

pub(super) const FAIL: &str = "
update task set
    state = case when kind = 'chunk' and attempt + 1 >= $3 then 'dead' else 'ready' end,
    attempt = attempt + 1, worker = null, leased_until = null, due_at = now() + $4 * interval '1 second', error = $5
where id = $1 and fence = $2 and state = 'running'
returning job, chunk, state = 'dead' as is_dead";

pub(super) const SNOOZE: &str = "
update task set state = 'ready', worker = null, leased_until = null, snoozes = snoozes + 1,
    due_at = now() + $3 * interval '1 second'
where id = $1 and fence = $2 and state = 'running'";

pub(super) const HAND_BACK: &str = "
update task set worker = null, leased_until = null,
    state = case when (select state from job where job.id = task.job) = 'paused' then 'held' else 'ready' end
where id = $1 and fence = $2 and state = 'running'";

pub(super) const REMOVE: &str = "delete from task where id = $1 and fence = $2 and state = 'running'";

/// The chunks of dead tasks: their items are not waited for any longer.
pub(super) const BURY: &str = "update chunk set dead = true where job = $1 and no = $2";

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
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Close => "close",
            Self::Retention => "retention",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        [Self::Chunk, Self::Close, Self::Retention].into_iter().find(|kind| kind.word() == word).ok_or_else(
            || StoreError::Refused(format!("a task of kind `{word}`, which is unknown here").into()),
        )
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
    pub(crate) terms: Option<Terms>,
}

/// What a job says of its chunks.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// It has not ended.
    pub(crate) is_live: bool,
    pub(crate) is_paused: bool,
    pub(crate) pipeline: String,
    pub(crate) skips: Vec<String>,
    /// Until the job's deadline.
    pub(crate) left: Duration,
}

/// What the database says of a lease that was to be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Ours for another while.
    Ours,
    /// Ours, and its job is not to be worked at now.
    Paused,
}

/// A task that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed {
    pub(crate) chunk: Option<ChunkId>,
    /// It will not be tried again.
    pub(crate) is_dead: bool,
}

/// Leases up to `limit` tasks to a worker, the most urgent first.
pub(crate) async fn claim(
    client: &mut impl GenericClient,
    worker: Uuid,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let (take_turns, claim) =
        tokio::try_join!(client.prepare_cached(TAKE_TURNS), client.prepare_cached(CLAIM))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tx = client.transaction().await?;
    let seconds = lease.as_secs_f64();
    // Both on their way at once; the server takes them one after the other.
    let (lock, wanted): ([Parameter<'_>; 1], [Parameter<'_>; 3]) =
        ([&CLAIMS_LOCK], [&worker, &seconds, &limit]);
    let (_, rows) = tokio::try_join!(tx.execute(&take_turns, &lock), tx.query(&claim, &wanted))?;
    tx.commit().await?;
    let mut claimed = rows
        .iter()
        .map(|row| Ok((row.get("deadline_at"), task_of(row)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    claimed.sort_by_key(|(deadline_at, task): &(jiff::Timestamp, Claimed)| (*deadline_at, task.lease.task));
    Ok(claimed.into_iter().map(|(_, task)| task).collect())
}

fn task_of(row: &Row) -> Result<Claimed, StoreError> {
    let job: Option<Uuid> = row.get("job");
    let state: Option<&str> = row.get("job_state");
    Ok(Claimed {
        lease: Lease { task: row.get("id"), fence: row.get("fence") },
        kind: Kind::of(row.get("kind"))?,
        client: row.get("client"),
        job,
        chunk: chunk_of(row),
        attempt: row.get("attempt"),
        terms: state.map(|state| Terms {
            is_live: matches!(state, "running" | "paused"),
            is_paused: state == "paused",
            pipeline: row.get("pipeline"),
            skips: row.get("skips"),
            left: Duration::try_from_secs_f64(row.get("left_s")).unwrap_or_default(),
        }),
    })
}

fn chunk_of(row: &Row) -> Option<ChunkId> {
    Some(ChunkId { job: row.get::<_, Option<Uuid>>("job")?, no: row.get::<_, Option<i32>>("chunk")? })
}

/// Extends leases. Those that are missing in the answer are lost.
pub(crate) async fn extend(
    client: &impl GenericClient,
    leases: &[Lease],
    lease: Duration,
) -> Result<Vec<(i64, Held)>, StoreError> {
    let ids: Vec<i64> = leases.iter().map(|lease| lease.task).collect();
    let fences: Vec<i64> = leases.iter().map(|lease| lease.fence).collect();
    let extend = client.prepare_cached(EXTEND).await?;
    let rows = client.query(&extend, &[&ids, &fences, &lease.as_secs_f64()]).await?;
    let held = |row: &Row| match row.get::<_, Option<&str>>("job_state") {
        Some("paused") => Held::Paused,
        _ => Held::Ours,
    };
    Ok(rows.iter().map(|row| (row.get("id"), held(row))).collect())
}

/// Takes back the tasks whose leases have run out.
pub(crate) async fn rescue(
    client: &impl GenericClient,
    attempts_max: i16,
) -> Result<Vec<Failed>, StoreError> {
    let rescue = client.prepare_cached(RESCUE).await?;
    let rows = client.query(&rescue, &[&i32::from(attempts_max)]).await?;
    bury(client, rows.iter().map(failed).collect()).await
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
    let rows = client.query(&fail, &parameters).await?;
    let failed = bury(client, rows.iter().map(failed).collect()).await?;
    failed.into_iter().next().ok_or(StoreError::Fenced)
}

fn failed(row: &Row) -> Failed {
    Failed { chunk: chunk_of(row), is_dead: row.get("is_dead") }
}

/// A chunk whose task is dead is dead too. Not in the same transaction: a sweep finds what is left behind.
async fn bury(client: &impl GenericClient, failed: Vec<Failed>) -> Result<Vec<Failed>, StoreError> {
    for chunk in failed.iter().filter(|failed| failed.is_dead).filter_map(|failed| failed.chunk) {
        let bury = client.prepare_cached(BURY).await?;
        client.execute(&bury, &[&chunk.job, &chunk.no]).await?;
    }
    Ok(failed)
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

/// A task is done.
pub(crate) async fn remove(client: &impl GenericClient, lease: Lease) -> Result<(), StoreError> {
    let remove = client.prepare_cached(REMOVE).await?;
    match client.execute(&remove, &[&lease.task, &lease.fence]).await? {
        0 => Err(StoreError::Fenced),
        _ => Ok(()),
    }
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
