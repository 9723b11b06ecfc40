//! Chunks and their verdicts. A part of verdicts is written under the lease of the chunk's task and while the job has
//! not ended, or not at all: so every row gets its verdict once.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};
use uuid::Uuid;

use super::{
    StoreError,
    tasks::{ChunkId, Lease, Parameter},
    webhooks::{self, NewWebhook},
};

/// Shared by those who write verdicts of a job, exclusive for who ends it: nothing is written that was not counted.
pub(super) const WRITING: &str = "select pg_advisory_xact_lock_shared($1)";

pub(super) const CHUNK: &str = "
select operator, round, sealed, tokens, coalesce((select max(no) + 1 from part where part.job = chunk.job and chunk = chunk.no), 0) as next_part,
    (select started_at is null from job where job.id = chunk.job) as is_first,
    (select callback is not null from job where job.id = chunk.job) as has_callback
from chunk where job = $1 and no = $2";

pub(super) const PARTS: &str = "select no, sealed from part where job = $1 and chunk = $2 order by no";

/// The last part of a chunk: its task is gone with it.
pub(super) const COMPLETE: &str = "
with live as (select id from job where id = $3 and state in ('running', 'paused')),
held as (delete from task using live where task.id = $1 and fence = $2 and task.state = 'running' returning job, chunk)
insert into part (job, chunk, no, fence, final, counts, sealed, role_based, disposable)
select job, chunk, $4, $2, $5, $6, $7, $8, $9 from held";

/// A part before the last one. Its row is locked, so that nobody takes the lease over meanwhile. Failures before it count
/// no longer: there is progress.
pub(super) const RECORD: &str = "
with live as (select id from job where id = $3 and state in ('running', 'paused')),
held as (
    update task set attempt = 0, error = null from live where task.id = $1 and fence = $2 and task.state = 'running'
    returning job, chunk
)
insert into part (job, chunk, no, fence, final, counts, sealed, role_based, disposable)
select job, chunk, $4, $2, $5, $6, $7, $8, $9 from held";

/// Whether a part was written under this lease, when nobody heard how its commit ended.
pub(super) const WAS_WRITTEN: &str =
    "select exists (select from part where job = $1 and chunk = $2 and no = $3 and fence = $4)";

pub(super) const NEXT_CHUNK: &str = "select max(no) + 1 from chunk where job = $1";

pub(super) const ADD_CHUNK: &str = "
insert into chunk (job, no, operator, items, asks, round, sealed, tokens) values ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const ADD_CHUNK_TASK: &str = "
insert into task (kind, client, job, chunk, due_at, deadline_at)
select 'chunk', client, id, $2, now() + $3 * interval '1 second',
    least(deadline_at, now() + $4 * interval '1 second')
from job where id = $1";

/// A chunk as it was stored.
pub(crate) struct StoredChunk {
    pub(crate) operator: String,
    /// How often its items were put off by servers.
    pub(crate) round: i32,
    /// Rows and inputs.
    pub(crate) sealed: Vec<u8>,
    /// By which people are found in it: others than before, where somebody was forgotten.
    pub(crate) tokens: Vec<u8>,
    /// Number of the next part of verdicts.
    pub(crate) next_part: i32,
    /// None of its job has been worked at yet.
    pub(crate) is_first: bool,
    /// Somebody is told of its job.
    pub(crate) has_callback: bool,
}

/// Verdicts on their way into the store.
pub(crate) struct NewPart {
    pub(crate) no: i32,
    /// How many are final, in all and by category.
    pub(crate) counts: Vec<i32>,
    /// Of these, the ones about addresses of functions.
    pub(crate) role_based: i32,
    /// Of these, the ones about disposable addresses, by category.
    pub(crate) disposable: Vec<i32>,
    pub(crate) sealed: Vec<u8>,
    /// What is told of them, if they are written.
    pub(crate) told: Vec<NewWebhook>,
}

/// Items that are asked about again later.
pub(crate) struct Deferred {
    pub(crate) operator: String,
    pub(crate) items: i32,
    /// Recipients that are asked about because of them.
    pub(crate) asks: i32,
    pub(crate) round: i32,
    /// Seals the rows for the chunk of this number.
    pub(crate) seal: Box<dyn Fn(ChunkId) -> Vec<u8> + Send + Sync>,
    pub(crate) tokens: Vec<u8>,
    /// How long it is left alone.
    pub(crate) wait: Duration,
    /// From now until its virtual deadline.
    pub(crate) within: Duration,
}

/// The number by which writers of a job's verdicts and those who end it know each other.
pub(crate) fn lock_of(job: Uuid) -> i64 {
    let (high, low) = job.as_u64_pair();
    i64::from_ne_bytes((high ^ low).to_ne_bytes())
}

/// A chunk, if its job is still kept.
pub(crate) async fn chunk(
    client: &impl GenericClient,
    id: ChunkId,
) -> Result<Option<StoredChunk>, StoreError> {
    let chunk = client.prepare_cached(CHUNK).await?;
    let row = client.query_opt(&chunk, &[&id.job, &id.no]).await?;
    Ok(row.map(|row| StoredChunk {
        operator: row.get("operator"),
        round: row.get("round"),
        sealed: row.get("sealed"),
        tokens: row.get("tokens"),
        next_part: row.get("next_part"),
        is_first: row.get("is_first"),
        has_callback: row.get("has_callback"),
    }))
}

/// The verdicts of a chunk so far, sealed, with the numbers of their parts.
pub(crate) async fn parts(
    client: &impl GenericClient,
    id: ChunkId,
) -> Result<Vec<(i32, Vec<u8>)>, StoreError> {
    let parts = client.prepare_cached(PARTS).await?;
    let rows = client.query(&parts, &[&id.job, &id.no]).await?;
    Ok(rows.iter().map(|row| (row.get("no"), row.get("sealed"))).collect())
}

/// Writes verdicts, and with them what is told of them; with the last ones the chunk's task is done, and those who were put
/// off have a chunk of their own.
///
/// # Errors
/// [`StoreError::Fenced`]: the lease went to somebody else, or the job has ended.
pub(crate) async fn write(
    client: &mut Client,
    lease: Lease,
    id: ChunkId,
    part: &NewPart,
    last: Option<&[Deferred]>,
) -> Result<(), StoreError> {
    let statement = if last.is_some() { COMPLETE } else { RECORD };
    let (writing, write) =
        tokio::try_join!(client.prepare_cached(WRITING), client.prepare_cached(statement))?;
    let tx = client.transaction().await?;
    let lock = lock_of(id.job);
    let locked: [Parameter<'_>; 1] = [&lock];
    let total: i32 = part.counts.iter().sum();
    let NewPart { no, counts, role_based, disposable, sealed, told } = part;
    let parameters: [Parameter<'_>; 9] =
        [&lease.task, &lease.fence, &id.job, no, &total, counts, sealed, role_based, disposable];
    let (_, written) =
        tokio::try_join!(biased; tx.execute(&writing, &locked), tx.execute(&write, &parameters))?;
    if written == 0 {
        tx.rollback().await?;
        return Err(StoreError::Fenced);
    }
    for deferred in last.unwrap_or_default() {
        add(&tx, id.job, deferred).await?;
    }
    webhooks::add_all(&tx, told).await?;
    tx.commit().await?;
    Ok(())
}

/// Another chunk of the same job, due later. Two at once may want the same number: then one is told of a conflict.
async fn add(tx: &impl GenericClient, job: Uuid, deferred: &Deferred) -> Result<(), StoreError> {
    let next = tx.prepare_cached(NEXT_CHUNK).await?;
    let no: i32 = tx.query_one(&next, &[&job]).await?.get(0);
    let sealed = (deferred.seal)(ChunkId { job, no });
    let add = tx.prepare_cached(ADD_CHUNK).await?;
    let Deferred { operator, items, asks, round, tokens, wait, within, .. } = deferred;
    tx.execute(&add, &[&job, &no, operator, items, asks, round, &sealed, tokens]).await?;
    let task = tx.prepare_cached(ADD_CHUNK_TASK).await?;
    tx.execute(&task, &[&job, &no, &wait.as_secs_f64(), &within.as_secs_f64()]).await?;
    Ok(())
}

/// Whether the part was written under the lease.
pub(crate) async fn was_written(
    client: &impl GenericClient,
    lease: Lease,
    id: ChunkId,
    part: i32,
) -> Result<bool, StoreError> {
    let was_written = client.prepare_cached(WAS_WRITTEN).await?;
    Ok(client.query_one(&was_written, &[&id.job, &id.no, &part, &lease.fence]).await?.get(0))
}
