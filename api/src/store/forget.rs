//! What is kept of a person in jobs: where it may stand, and how it is rewritten without anybody writing it back.

use deadpool_postgres::{Client, GenericClient, Transaction};
use uuid::Uuid;

use super::{
    StoreError,
    chunks::{self, WRITING, lock_of},
    jobs::{self, Contents, JobRow},
    keys::ShortToken,
    task_lists::{self, Sums},
    tasks::{ChunkId, Parameter, TAKE_TURNS},
    webhooks,
};

pub(super) const CLIENTS: &str = "select id from client order by id";

/// Tokens are looked for at every octet; whoever opens the chunk sees whether one begins there.
pub(super) const HOLDERS: &str = "
select chunk.job, chunk.no from chunk join job on job.id = chunk.job
where job.client = $1 and exists (
    select from unnest($2::bytea[]) as wanted (token) where position(token in chunk.tokens) > 0
)
order by chunk.job, chunk.no";

/// Whoever is at work at the chunk read it before it was rewritten: what he writes would bring it back. So the task is
/// for somebody else to take, and it has not failed.
pub(super) const RETAKE: &str = "
update task set fence = fence + 1, worker = null, leased_until = null,
    state = case
        when state <> 'running' then state
        when (select state from job where job.id = task.job) = 'paused' then 'held'
        else 'ready'
    end
where job = $1 and chunk = $2";

pub(super) const HELD: &str = "select sealed, tokens from chunk where job = $1 and no = $2";

pub(super) const REWRITE: &str = "update chunk set sealed = $3, tokens = $4 where job = $1 and no = $2";

pub(super) const REWRITE_PART: &str = "update part set sealed = $4 where job = $1 and chunk = $2 and no = $3";

/// Messages that nobody has taken and that tell rows with the end of a task.
pub(super) const ENDS: &str = "
select webhook.id, webhook.job from webhook join job on job.id = webhook.job
where job.client = $1 and job.facade = 'tasks' and job.items <= $2
    and webhook.state = 'pending' and webhook.job is not null";

/// Nobody writes down meanwhile what came of a try.
pub(super) const END: &str = "select sealed from webhook where id = $1 and state = 'pending' for update";

/// What its receiver said may echo what it was told.
pub(super) const RETELL: &str = "update webhook set sealed = $2, error = null where id = $1";

/// Forgetting somebody changes the tokens.
pub(super) const IS_UNCHANGED: &str =
    "select exists (select from chunk where job = $1 and no = $2 and tokens = $3)";

/// All clients.
pub(crate) async fn clients(client: &impl GenericClient) -> Result<Vec<Uuid>, StoreError> {
    let clients = client.prepare_cached(CLIENTS).await?;
    Ok(client.query(&clients, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// The chunks of a client's jobs in which one of the tokens may stand.
pub(crate) async fn holders(
    client: &mut Client,
    of: Uuid,
    tokens: &[ShortToken],
) -> Result<Vec<ChunkId>, StoreError> {
    let tx = client.transaction().await?;
    // All chunks of the client are looked at.
    tx.batch_execute("set local statement_timeout = 0").await?;
    let tokens: Vec<&[u8]> = tokens.iter().map(<[u8; 8]>::as_slice).collect();
    let holders = tx.prepare_cached(HOLDERS).await?;
    let rows = tx.query(&holders, &[&of, &tokens]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| ChunkId { job: row.get("job"), no: row.get("no") }).collect())
}

/// A chunk that is rewritten. Until that is done nobody writes verdicts of its job, and nobody takes its task.
pub(crate) struct Rewriting<'a> {
    tx: Transaction<'a>,
    id: ChunkId,
    /// Rows and inputs.
    pub(crate) sealed: Vec<u8>,
    pub(crate) tokens: Vec<u8>,
}

impl<'a> Rewriting<'a> {
    /// Waits for those who are writing. `None`: the chunk is gone.
    pub(crate) async fn begin(client: &'a mut Client, id: ChunkId) -> Result<Option<Self>, StoreError> {
        let tx = client.transaction().await?;
        let lock = tx.prepare_cached(TAKE_TURNS).await?;
        tx.execute(&lock, &[&lock_of(id.job)]).await?;
        let retake = tx.prepare_cached(RETAKE).await?;
        tx.execute(&retake, &[&id.job, &id.no]).await?;
        let held = tx.prepare_cached(HELD).await?;
        let row = tx.query_opt(&held, &[&id.job, &id.no]).await?;
        Ok(row.map(|row| Self { tx, id, sealed: row.get("sealed"), tokens: row.get("tokens") }))
    }

    /// The chunk's verdicts so far, sealed, with the numbers of their parts.
    pub(crate) async fn parts(&self) -> Result<Vec<(i32, Vec<u8>)>, StoreError> {
        chunks::parts(&self.tx, self.id).await
    }

    /// Writes the chunk, and those of its parts that are given, in place of what was there. `told`: ids of messages that
    /// tell of a row of the person alone: of each such row, one. They go, and so does what was said to those of the job's end.
    pub(crate) async fn finish(
        self,
        sealed: &[u8],
        tokens: &[u8],
        parts: &[(i32, Vec<u8>)],
        told: &[Uuid],
    ) -> Result<(), StoreError> {
        let Self { tx, id, .. } = self;
        let rewrite = tx.prepare_cached(REWRITE).await?;
        tx.execute(&rewrite, &[&id.job, &id.no, &sealed, &tokens]).await?;
        let rewrite_part = tx.prepare_cached(REWRITE_PART).await?;
        for (no, sealed) in parts {
            let parameters: [Parameter<'_>; 4] = [&id.job, &id.no, no, sealed];
            tx.execute(&rewrite_part, &parameters).await?;
        }
        if !told.is_empty() {
            webhooks::forget(&tx, told).await?;
            webhooks::forget_echoes(&tx, id.job).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Ids of messages that nobody has taken and that tell rows with the end of a task of this client, where these are not more
/// than `rows_max`; and of their tasks.
pub(crate) async fn ends(
    client: &mut Client,
    of: Uuid,
    rows_max: i32,
) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let tx = client.transaction().await?;
    // All that is to be told of the client's tasks is looked at.
    tx.batch_execute("set local statement_timeout = 0").await?;
    let ends = tx.prepare_cached(ENDS).await?;
    let rows = tx.query(&ends, &[&of, &rows_max]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("job"))).collect())
}

/// A message that is told anew. Until that is done, nobody writes down what came of a try.
pub(crate) struct Retelling<'a> {
    tx: Transaction<'a>,
    id: Uuid,
    pub(crate) sealed: Vec<u8>,
}

impl<'a> Retelling<'a> {
    /// `None`: it was taken, or is tried no more.
    pub(crate) async fn begin(client: &'a mut Client, id: Uuid) -> Result<Option<Self>, StoreError> {
        let tx = client.transaction().await?;
        let end = tx.prepare_cached(END).await?;
        let row = tx.query_opt(&end, &[&id]).await?;
        Ok(row.map(|row| Self { tx, id, sealed: row.get("sealed") }))
    }

    /// All that it tells of: a task, the sums of its verdicts, and its rows.
    pub(crate) async fn told(&self, job: Uuid) -> Result<Option<(JobRow, Sums, Contents)>, StoreError> {
        let Some(row) = jobs::job(&self.tx, job).await? else { return Ok(None) };
        let sums = task_lists::progress(&self.tx, &[job]).await?.into_iter().next();
        let sums = sums.map(|(_, sums)| sums).unwrap_or_default();
        Ok(Some((row, sums, jobs::contents(&self.tx, job).await?)))
    }

    /// From now on it says this.
    pub(crate) async fn finish(self, sealed: &[u8]) -> Result<(), StoreError> {
        let Self { tx, id, .. } = self;
        let retell = tx.prepare_cached(RETELL).await?;
        tx.execute(&retell, &[&id, &sealed]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Deletes a message that cannot be told anew, and its task. In a transaction of its own: who writes down what came of a try
/// has the task first, and then the message.
pub(crate) async fn untell(client: &mut Client, id: Uuid) -> Result<(), StoreError> {
    let tx = client.transaction().await?;
    webhooks::forget(&tx, &[id]).await?;
    tx.commit().await?;
    Ok(())
}

/// A transaction until whose end nobody of a chunk is forgotten. `None`: somebody was, since these tokens of it were read,
/// or the chunk is gone.
pub(crate) async fn hold_off<'a>(
    client: &'a mut Client,
    id: ChunkId,
    tokens: &[u8],
) -> Result<Option<Transaction<'a>>, StoreError> {
    let (lock, is_unchanged) =
        tokio::try_join!(client.prepare_cached(WRITING), client.prepare_cached(IS_UNCHANGED))?;
    let tx = client.transaction().await?;
    let number = lock_of(id.job);
    // By a statement of its own: one sees what was there when it began to wait.
    let (locked, of): ([Parameter<'_>; 1], [Parameter<'_>; 3]) = ([&number], [&id.job, &id.no, &tokens]);
    let (_, row) = tokio::try_join!(biased; tx.execute(&lock, &locked), tx.query_one(&is_unchanged, &of))?;
    Ok(row.get::<_, bool>(0).then_some(tx))
}
