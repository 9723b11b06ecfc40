//! Webhooks and the secrets that sign them. A webhook is added with its task, in the transaction in which it comes about;
//! what came of a try is written with what becomes of the task, under its fence, or not at all.

use std::{slice, time::Duration};

use deadpool_postgres::{Client, GenericClient, Transaction};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    OWN_CLIENT, StoreError,
    submission::{NOTIFY, TASKS_CHANNEL},
    tasks::{Lease, Parameter, TAKE_TURNS},
};

/// Its task is nobody's, so that it waits for no chunk of the client's. It has no job either, whose end would delete it.
/// What is there under its id already stays as it is; of what was taken and dropped, nothing is there.
pub(super) const ADD: &str = "
with added as (
    insert into webhook (id, client, job, host, sealed)
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::bytea[])
    on conflict (id) do nothing returning id
)
insert into task (kind, client, webhook, deadline_at) select 'webhook', $6, id, now() from added";

pub(super) const WAITING: &str = "
select webhook.id, webhook.client, webhook.host, webhook.sealed, webhook.attempts, webhook.created_at,
    clock_timestamp() as now
from task join webhook on webhook.id = task.webhook
where task.id = $1 and task.fence = $2 and task.state = 'running' and webhook.state = 'pending'";

/// What it said is not kept.
pub(super) const END: &str = "
with held as (delete from task where id = $1 and fence = $2 and state = 'running' returning webhook)
update webhook set state = $3, attempts = attempts + 1, error = $4, ended_at = now(), sealed = ''
from held where webhook.id = held.webhook";

/// The same of one that was taken and of which nobody wants to know that.
pub(super) const DROP_TAKEN: &str = "
with held as (delete from task where id = $1 and fence = $2 and state = 'running' returning webhook)
delete from webhook using held where webhook.id = held.webhook";

/// Tasks first, as when a try is written down, and in the order in which leases are extended, so that none waits for another
/// crosswise.
pub(super) const FORGET_TASKS: &str = "
delete from task where id in (select id from task where webhook = any ($1) order by id for update)";
pub(super) const FORGET: &str = "delete from webhook where id = any ($1)";

/// A receiver may have echoed what it was told.
pub(super) const FORGET_ECHOES: &str = "update webhook set error = null where job = $1 and error is not null";

/// The task's own attempts count faults of ours, of which this is none.
pub(super) const PUT_OFF: &str = "
with held as (
    update task set state = 'ready', worker = null, leased_until = null, snoozes = snoozes + 1, attempt = 0, error = null,
        due_at = now() + $4 * interval '1 second', deadline_at = now() + $4 * interval '1 second'
    where id = $1 and fence = $2 and state = 'running' returning webhook
)
update webhook set attempts = attempts + 1, error = $3 from held where webhook.id = held.webhook";

/// Those that sign now, the newest first.
pub(super) const SECRETS: &str = "
select id, sealed, created_at, expires_at from webhook_secret
where client = $1 and (expires_at is null or expires_at > now())
order by created_at desc, id desc";

/// None is valid for longer than it was to be.
pub(super) const EXPIRE_SECRETS: &str = "
update webhook_secret set expires_at = least(expires_at, now() + $2 * interval '1 second')
where client = $1 and (expires_at is null or expires_at > now())";

/// Those that have expired go when another one comes.
pub(super) const DROP_SECRETS: &str = "delete from webhook_secret where client = $1 and expires_at <= now()";

pub(super) const ADD_SECRET: &str = "insert into webhook_secret (id, client, sealed) values ($1, $2, $3)";

/// Webhooks that are over, and whose job nobody knows any more.
pub(super) const DROP_OLD: &str = "
delete from webhook where id in (
    select id from webhook
    where state <> 'pending' and ended_at < now() - $1 * interval '1 second'
        and not exists (select from job where job.id = webhook.job)
    limit $2
)";

/// Taken by those who change secrets, of whichever client, since that is seldom: two at once could both draw the first one.
const SECRETS_LOCK: i64 = 0x6d73_7365_6372_6574;

/// A webhook on its way in.
#[derive(Debug)]
pub(crate) struct NewWebhook {
    /// The same at every try.
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    /// Whose end it tells, if it is one.
    pub(crate) job: Option<Uuid>,
    /// Those with the same one do not go out all at once.
    pub(crate) host: Vec<u8>,
    /// Where it goes and what it says.
    pub(crate) sealed: Vec<u8>,
}

/// A webhook that is ours to deliver.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    pub(crate) host: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    /// Tries that have failed.
    pub(crate) attempts: i32,
    pub(crate) created_at: Timestamp,
    /// The present moment, by the database's clock.
    pub(crate) now: Timestamp,
}

/// What came of a try.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Recorded<'a> {
    /// It was taken.
    Delivered,
    /// It was taken, and is one of so many that none of it is kept.
    Dropped,
    /// It was not, and is not tried again. `error` is sealed.
    Failed { error: &'a [u8] },
    /// It was not, and is tried again after `wait`.
    PutOff { error: &'a [u8], wait: Duration },
}

/// A secret as it is kept.
#[derive(Debug)]
pub(crate) struct StoredSecret {
    pub(crate) id: Uuid,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: Timestamp,
    /// During a rotation.
    pub(crate) expires_at: Option<Timestamp>,
}

impl From<&Row> for StoredSecret {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            sealed: row.get("sealed"),
            created_at: row.get("created_at"),
            expires_at: row.get("expires_at"),
        }
    }
}

/// Adds a webhook and its task, in a transaction of the caller's.
pub(crate) async fn add(tx: &impl GenericClient, new: &NewWebhook) -> Result<(), StoreError> {
    add_all(tx, slice::from_ref(new)).await
}

/// The same of several. The first one is due first.
pub(crate) async fn add_all(tx: &impl GenericClient, new: &[NewWebhook]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let (add, notify) = tokio::try_join!(biased; tx.prepare_cached(ADD), tx.prepare_cached(NOTIFY))?;
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    let clients: Vec<Uuid> = new.iter().map(|new| new.client).collect();
    let jobs: Vec<Option<Uuid>> = new.iter().map(|new| new.job).collect();
    let hosts: Vec<&[u8]> = new.iter().map(|new| &*new.host).collect();
    let sealed: Vec<&[u8]> = new.iter().map(|new| &*new.sealed).collect();
    let parameters: [Parameter<'_>; 6] = [&ids, &clients, &jobs, &hosts, &sealed, &OWN_CLIENT];
    tx.execute(&add, &parameters).await?;
    tx.execute(&notify, &[&TASKS_CHANNEL]).await?;
    Ok(())
}

/// The webhook of a task that is ours. None: it is ours no longer, or there is nothing to deliver.
pub(crate) async fn waiting(
    client: &impl GenericClient,
    lease: Lease,
) -> Result<Option<Waiting>, StoreError> {
    let waiting = client.prepare_cached(WAITING).await?;
    let row = client.query_opt(&waiting, &[&lease.task, &lease.fence]).await?;
    Ok(row.map(|row| Waiting {
        id: row.get("id"),
        client: row.get("client"),
        host: row.get("host"),
        sealed: row.get("sealed"),
        attempts: row.get("attempts"),
        created_at: row.get("created_at"),
        now: row.get("now"),
    }))
}

/// Writes down what came of a try, and settles its task.
///
/// # Errors
/// [`StoreError::Fenced`]: it is not ours any longer.
pub(crate) async fn record(
    client: &impl GenericClient,
    lease: Lease,
    recorded: Recorded<'_>,
) -> Result<(), StoreError> {
    let written = match recorded {
        Recorded::Delivered => end(client, lease, "delivered", None).await?,
        Recorded::Dropped => {
            let drop_taken = client.prepare_cached(DROP_TAKEN).await?;
            client.execute(&drop_taken, &[&lease.task, &lease.fence]).await?
        }
        Recorded::Failed { error } => end(client, lease, "failed", Some(error)).await?,
        Recorded::PutOff { error, wait } => {
            let put_off = client.prepare_cached(PUT_OFF).await?;
            let parameters: [Parameter<'_>; 4] = [&lease.task, &lease.fence, &error, &wait.as_secs_f64()];
            client.execute(&put_off, &parameters).await?
        }
    };
    if written == 0 { Err(StoreError::Fenced) } else { Ok(()) }
}

async fn end(
    client: &impl GenericClient,
    lease: Lease,
    state: &str,
    error: Option<&[u8]>,
) -> Result<u64, StoreError> {
    let end = client.prepare_cached(END).await?;
    let parameters: [Parameter<'_>; 4] = [&lease.task, &lease.fence, &state, &error];
    Ok(client.execute(&end, &parameters).await?)
}

/// Deletes those of these ids that are there, delivered or not, in a transaction of the caller's.
pub(super) async fn forget(tx: &impl GenericClient, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    for statement in [FORGET_TASKS, FORGET] {
        let statement = tx.prepare_cached(statement).await?;
        tx.execute(&statement, &[&ids]).await?;
    }
    Ok(())
}

/// Deletes what receivers said to what tells of a job's end, in a transaction of the caller's.
pub(super) async fn forget_echoes(tx: &impl GenericClient, job: Uuid) -> Result<(), StoreError> {
    let forget = tx.prepare_cached(FORGET_ECHOES).await?;
    tx.execute(&forget, &[&job]).await?;
    Ok(())
}

/// A client's secrets that sign now, the newest first.
pub(crate) async fn secrets(client: &impl GenericClient, of: Uuid) -> Result<Vec<StoredSecret>, StoreError> {
    let secrets = client.prepare_cached(SECRETS).await?;
    Ok(client.query(&secrets, &[&of]).await?.iter().map(StoredSecret::from).collect())
}

/// A transaction in which a client's secrets change, which nobody else changes meanwhile.
pub(crate) struct SecretsChange<'a> {
    tx: Transaction<'a>,
    client: Uuid,
}

impl<'a> SecretsChange<'a> {
    pub(crate) async fn begin(connection: &'a mut Client, client: Uuid) -> Result<Self, StoreError> {
        let tx = connection.transaction().await?;
        let take_turns = tx.prepare_cached(TAKE_TURNS).await?;
        tx.execute(&take_turns, &[&SECRETS_LOCK]).await?;
        Ok(Self { tx, client })
    }

    /// How many are valid.
    pub(crate) async fn valid(&self) -> Result<usize, StoreError> {
        Ok(secrets(&self.tx, self.client).await?.len())
    }

    /// None of them is valid for longer than this.
    pub(crate) async fn expire(&self, within: Duration) -> Result<(), StoreError> {
        let expire = self.tx.prepare_cached(EXPIRE_SECRETS).await?;
        self.tx.execute(&expire, &[&self.client, &within.as_secs_f64()]).await?;
        Ok(())
    }

    /// Adds one, and ends the transaction.
    pub(crate) async fn add(self, id: Uuid, sealed: &[u8]) -> Result<(), StoreError> {
        let Self { tx, client } = self;
        let (drop_old, add) =
            tokio::try_join!(biased; tx.prepare_cached(DROP_SECRETS), tx.prepare_cached(ADD_SECRET))?;
        tx.execute(&drop_old, &[&client]).await?;
        tx.execute(&add, &[&id, &client, &sealed]).await?;
        tx.commit().await?;
        Ok(())
    }
}
