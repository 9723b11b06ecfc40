//! Jobs as a whole: what there is to tell of them, how they are paused, and, in `ending`, how they end.

pub(crate) mod chunkwise;
pub(super) mod ending;
pub(crate) mod listing;
pub(super) mod throughput;

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::{IsolationLevel, Row};
use uuid::Uuid;

pub(crate) use self::{
    ending::{End, Ending, Progress},
    throughput::throughput,
};
use super::{
    Retries, StoreError,
    keys::{self, Keyring},
};

/// The channel on which workers hear that a job has ended or was paused.
pub(crate) const JOBS_CHANNEL: &str = "mailsonde_jobs";

pub(super) const JOB: &str = "
select id, client, facade, source, filename, callback, state, pipeline, items, created_at, deadline_at, started_at,
    ended_at, left_over, counts, expires_at, pruned_at, ended_at is not null and expires_at <= now() as is_expired,
    exists (select from webhook where webhook.job = job.id and webhook.state = 'delivered') as is_told,
    coalesce((select sum(final) from part where part.job = job.id), 0)::int as done
from job where id = $1";

pub(super) const JOBS: &str = "
select id, client, facade, source, filename, callback, state, pipeline, items, created_at, deadline_at, started_at,
    ended_at, left_over, counts, expires_at, pruned_at, ended_at is not null and expires_at <= now() as is_expired,
    exists (select from webhook where webhook.job = job.id and webhook.state = 'delivered') as is_told,
    coalesce((select sum(final) from part where part.job = job.id), 0)::int as done
from job where client = $1 order by created_at desc, id desc limit $2";

/// A job is begun when the first of its chunks is.
pub(super) const BEGIN: &str = "update job set started_at = now() where id = $1 and started_at is null";

/// Nothing of it is left to do.
pub(super) const IS_DONE: &str = "
select state in ('running', 'paused')
    and not exists (select from task where task.job = job.id and kind = 'chunk' and task.state <> 'dead')
from job where id = $1";

pub(super) const PART_COUNTS: &str = "select counts from part where job = $1";

/// Jobs that nobody has ended although nothing of them is left: whoever did the last chunk was killed.
pub(super) const UNENDED: &str = "
select id from job where state in ('running', 'paused')
    and not exists (select from task where task.job = job.id and kind = 'chunk' and task.state <> 'dead')";

/// Jobs whose deadline has passed and that nobody has ended: all who work were busy.
pub(super) const OVERDUE: &str =
    "select id from job where state in ('running', 'paused') and deadline_at < now()";

pub(super) const PAUSE: &str = "update job set state = 'paused' where id = $1 and state = 'running'";
pub(super) const HOLD: &str =
    "update task set state = 'held' where job = $1 and kind = 'chunk' and state = 'ready'";
pub(super) const RESUME: &str = "update job set state = 'running' where id = $1 and state = 'paused'";
pub(super) const FREE: &str =
    "update task set state = 'ready' where job = $1 and kind = 'chunk' and state = 'held'";

pub(super) const NOTIFY_JOB: &str = "select pg_notify($1, $2)";

/// How many rows it has, when it ended, and what is left of them since they are deleted.
pub(super) const HEADER: &str = "select items, ended_at, outcomes from job where id = $1";

pub(super) const ALL_CHUNKS: &str = "select no, sealed, dead from chunk where job = $1 order by no";
pub(super) const ALL_PARTS: &str = "select chunk, no, sealed from part where job = $1 order by chunk, no";

/// What a job was made from that was made from a list.
pub(crate) const LIST: &str = "batch";

/// A job as there is to tell of it.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    /// The product by which it came.
    pub(crate) facade: String,
    /// What it was made from, by the product's word.
    pub(crate) source: String,
    /// The name of the file that it was made from, sealed.
    pub(crate) filename: Option<Vec<u8>>,
    /// Where its end is told, sealed.
    pub(crate) callback: Option<Vec<u8>>,
    /// Its end was told, and somebody took it.
    pub(crate) is_told: bool,
    pub(crate) state: String,
    pub(crate) pipeline: String,
    pub(crate) items: i32,
    /// Items with a verdict.
    pub(crate) done: i32,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    /// What those got who had no verdict in the end.
    pub(crate) left_over: Option<String>,
    /// Verdicts by category, once it has ended.
    pub(crate) counts: Option<Vec<i32>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) pruned_at: Option<Timestamp>,
    /// There are no results to be had any more, by the database's clock.
    pub(crate) is_expired: bool,
}

impl JobRow {
    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.ended_at.map(|_| End::of(self.left_over.as_deref()))
    }

    /// Whether it was made from a list: its inputs stand nowhere else.
    pub(crate) fn is_of_list(&self) -> bool {
        self.source == LIST
    }

    /// Whether its results were kept long enough, be they deleted yet or not.
    pub(crate) fn has_expired(&self) -> bool {
        self.is_expired || self.pruned_at.is_some()
    }

    /// The name of the file that it was made from, if it was one.
    pub(crate) fn filename(&self, keys: &Keyring) -> Result<Option<String>, StoreError> {
        let Some(sealed) = &self.filename else { return Ok(None) };
        let name = keys.open(keys::Row::Filename { job: self.id }, sealed)?;
        let unread = |_| StoreError::Unread("the name of a file is not what it was".into());
        String::from_utf8(name).map(Some).map_err(unread)
    }
}

impl From<&Row> for JobRow {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            client: row.get("client"),
            facade: row.get("facade"),
            source: row.get("source"),
            filename: row.get("filename"),
            callback: row.get("callback"),
            is_told: row.get("is_told"),
            state: row.get("state"),
            pipeline: row.get("pipeline"),
            items: row.get("items"),
            done: row.get("done"),
            created_at: row.get("created_at"),
            deadline_at: row.get("deadline_at"),
            started_at: row.get("started_at"),
            ended_at: row.get("ended_at"),
            left_over: row.get("left_over"),
            counts: row.get("counts"),
            expires_at: row.get("expires_at"),
            pruned_at: row.get("pruned_at"),
            is_expired: row.get("is_expired"),
        }
    }
}

/// Everything that is kept of a job's items, sealed.
pub(crate) struct Contents {
    /// When the job ended, if it has.
    pub(crate) ended_at: Option<Timestamp>,
    /// How many rows it has.
    pub(crate) items: u32,
    pub(crate) chunks: Vec<KeptChunk>,
    /// What is left of the rows since they are deleted, sealed.
    pub(crate) outcomes: Option<Vec<u8>>,
}

/// A chunk with the verdicts that it has.
pub(crate) struct KeptChunk {
    pub(crate) no: i32,
    pub(crate) sealed: Vec<u8>,
    /// It failed for good.
    pub(crate) is_dead: bool,
    /// Numbers and verdicts, in the order in which they were written.
    pub(crate) parts: Vec<(i32, Vec<u8>)>,
}

/// Tells workers to look at a job.
async fn notify(client: &impl GenericClient, job: Uuid) -> Result<(), StoreError> {
    let notify = client.prepare_cached(NOTIFY_JOB).await?;
    client.execute(&notify, &[&JOBS_CHANNEL, &job.to_string()]).await?;
    Ok(())
}

/// One job.
pub(crate) async fn job(client: &impl GenericClient, id: Uuid) -> Result<Option<JobRow>, StoreError> {
    let job = client.prepare_cached(JOB).await?;
    Ok(client.query_opt(&job, &[&id]).await?.as_ref().map(JobRow::from))
}

/// A client's jobs, the newest first.
pub(crate) async fn jobs(
    client: &impl GenericClient,
    of: Uuid,
    limit: i64,
) -> Result<Vec<JobRow>, StoreError> {
    let jobs = client.prepare_cached(JOBS).await?;
    Ok(client.query(&jobs, &[&of, &limit]).await?.iter().map(JobRow::from).collect())
}

/// Notes that a job is being worked at.
pub(crate) async fn begin(client: &impl GenericClient, job: Uuid) -> Result<(), StoreError> {
    let begin = client.prepare_cached(BEGIN).await?;
    client.execute(&begin, &[&job]).await?;
    Ok(())
}

/// Whether a job has not ended, and nothing of it is left to do.
pub(crate) async fn is_done(client: &impl GenericClient, job: Uuid) -> Result<bool, StoreError> {
    let is_done = client.prepare_cached(IS_DONE).await?;
    Ok(client.query_opt(&is_done, &[&job]).await?.is_some_and(|row| row.get(0)))
}

/// Verdicts of a job by category, as far as it has come.
pub(crate) async fn counts_so_far(
    client: &impl GenericClient,
    job: Uuid,
    categories: usize,
) -> Result<Vec<i32>, StoreError> {
    let counts = client.prepare_cached(PART_COUNTS).await?;
    let mut total = vec![0; categories];
    for row in client.query(&counts, &[&job]).await? {
        for (sum, count) in total.iter_mut().zip(row.get::<_, Vec<i32>>(0)) {
            *sum += count;
        }
    }
    Ok(total)
}

/// Jobs of which nothing is left to do, and that nobody has ended.
pub(crate) async fn unended(client: &impl GenericClient) -> Result<Vec<Uuid>, StoreError> {
    let unended = client.prepare_cached(UNENDED).await?;
    Ok(client.query(&unended, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Jobs whose deadline has passed, and that nobody has ended.
pub(crate) async fn overdue(client: &impl GenericClient) -> Result<Vec<Uuid>, StoreError> {
    let overdue = client.prepare_cached(OVERDUE).await?;
    Ok(client.query(&overdue, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Stops work at a job until it is resumed. `false`: it is not running.
pub(crate) async fn pause(client: &mut Client, job: Uuid) -> Result<bool, StoreError> {
    switch(client, job, PAUSE, HOLD).await
}

/// Goes on with a paused job. `false`: it is not paused.
pub(crate) async fn resume(client: &mut Client, job: Uuid) -> Result<bool, StoreError> {
    switch(client, job, RESUME, FREE).await
}

async fn switch(
    client: &mut Client,
    job: Uuid,
    state: &'static str,
    tasks: &'static str,
) -> Result<bool, StoreError> {
    let mut retries = Retries::default();
    loop {
        match try_switch(client, job, state, tasks).await {
            Err(error) if retries.may_follow(&error).await => {}
            done => return done,
        }
    }
}

async fn try_switch(
    client: &mut Client,
    job: Uuid,
    state: &'static str,
    tasks: &'static str,
) -> Result<bool, StoreError> {
    let tx = client.transaction().await?;
    let (state, tasks) = tokio::try_join!(biased; tx.prepare_cached(state), tx.prepare_cached(tasks))?;
    if tx.execute(&state, &[&job]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&tasks, &[&job]).await?;
    notify(&tx, job).await?;
    tx.commit().await?;
    Ok(true)
}

/// A job with everything that is kept of its items, all of one moment: nothing is deleted in between.
pub(crate) async fn kept(client: &mut Client, id: Uuid) -> Result<Option<(JobRow, Contents)>, StoreError> {
    let tx = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let Some(row) = job(&tx, id).await? else { return Ok(None) };
    let contents = contents(&tx, id).await?;
    tx.commit().await?;
    Ok(Some((row, contents)))
}

/// Everything that is kept of a job's items.
pub(crate) async fn contents(client: &impl GenericClient, job: Uuid) -> Result<Contents, StoreError> {
    let (header, chunks, parts) = tokio::try_join!(
        biased;
        client.prepare_cached(HEADER),
        client.prepare_cached(ALL_CHUNKS),
        client.prepare_cached(ALL_PARTS),
    )?;
    let header = client.query_opt(&header, &[&job]).await?;
    let items = header.as_ref().map_or(0, |row| row.get::<_, i32>("items"));
    let mut kept: Vec<KeptChunk> = client
        .query(&chunks, &[&job])
        .await?
        .iter()
        .map(|row| KeptChunk {
            no: row.get("no"),
            sealed: row.get("sealed"),
            is_dead: row.get("dead"),
            parts: Vec::new(),
        })
        .collect();
    for row in client.query(&parts, &[&job]).await? {
        let no: i32 = row.get("chunk");
        if let Ok(position) = kept.binary_search_by_key(&no, |chunk| chunk.no) {
            kept[position].parts.push((row.get("no"), row.get("sealed")));
        }
    }
    Ok(Contents {
        ended_at: header.as_ref().and_then(|row| row.get("ended_at")),
        items: u32::try_from(items).unwrap_or_default(),
        chunks: kept,
        outcomes: header.and_then(|row| row.get("outcomes")),
    })
}
