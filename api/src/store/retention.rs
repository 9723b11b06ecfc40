//! Retention: what has been kept long enough. Sealed texts go first, the headers of jobs later.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};
use uuid::Uuid;

use super::{StoreError, billing, formats, history, idempotency, learned, leases, requests, webhooks};

/// Jobs whose results go in one transaction: even of the largest ones they go within the time of a statement, or they would
/// never go.
const JOBS_MAX: i64 = 4;

/// Jobs that are looked up at once.
const LOOKED_UP_MAX: i64 = 100;

/// Entries that go in one statement.
const ENTRIES_MAX: i64 = 10_000;

/// Messages that go in one statement.
const MESSAGES_MAX: usize = 10_000;

/// Of jobs of one product, something is still to be told when their inputs go: it is written down first. Of those of another
/// one, each row may have a message of its own.
pub(super) const EXPIRED: &str = "
update job set pruned_at = now(), layout = null where id in (
    select id from job where expires_at < now() - $2 * interval '1 second' and pruned_at is null and ended_at is not null
        and (facade <> 'email-verifier' or outcomes is not null)
    order by expires_at limit $1
    for update skip locked
)
returning id, case when facade = 'tasks' and callback is not null then items else 0 end as told";

/// Those of which it is not.
pub(super) const TO_SUM_UP: &str = "
select id from job where expires_at < now() - $2 * interval '1 second' and pruned_at is null and ended_at is not null
    and facade = 'email-verifier' and outcomes is null
order by expires_at limit $1";

pub(super) const SUM_UP: &str = "update job set outcomes = $2 where id = $1 and outcomes is null";

pub(super) const DROP_CHUNKS: &str = "delete from chunk where job = any ($1)";
pub(super) const DROP_PARTS: &str = "delete from part where job = any ($1)";
pub(super) const DROP_SHEETS: &str = "delete from sheet where job = any ($1)";
pub(super) const DROP_TASKS: &str = "delete from task where job = any ($1)";

pub(super) const DROP_HEADERS: &str = "
delete from job where id in (
    select id from job left join relentless_job on relentless_job.job = job.id
    where pruned_at is not null and coalesce(header_until < now(), deadline_at < now() - $1 * interval '1 second')
    limit $2
)";

/// Who was not heard of for two leases is not counted any more; for a day it can be seen which hosts worked.
pub(super) const DROP_WORKERS: &str = "delete from worker where seen_at < now() - interval '1 day'";

/// The id of the message that tells of a row of a job alone.
pub(crate) type MessageOf = fn(job: Uuid, row: u32) -> Uuid;

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Jobs whose items and verdicts went.
    pub(crate) jobs: usize,
}

/// How long something stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    /// Results, when they have expired: who has begun to read them reads on.
    pub(crate) expired: Duration,
    /// That there was a job, after its deadline.
    pub(crate) headers: Duration,
}

/// Deletes what has been kept long enough.
pub(crate) async fn prune(
    client: &mut Client,
    stay: Stay,
    message_of: MessageOf,
) -> Result<Pruned, StoreError> {
    let Stay { expired, headers } = stay;
    let mut jobs = 0;
    loop {
        let pruned = prune_jobs(client, expired, message_of).await?;
        jobs += pruned;
        if pruned == 0 {
            break;
        }
    }
    let drop_headers = client.prepare_cached(DROP_HEADERS).await?;
    client.execute(&drop_headers, &[&headers.as_secs_f64(), &ENTRIES_MAX]).await?;
    for statement in [learned::FORGET_OLD, leases::SWEEP, billing::DROP_LEDGERS, DROP_WORKERS] {
        let statement = client.prepare_cached(statement).await?;
        client.execute(&statement, &[]).await?;
    }
    let drop_webhooks = client.prepare_cached(webhooks::DROP_OLD).await?;
    while client.execute(&drop_webhooks, &[&headers.as_secs_f64(), &ENTRIES_MAX]).await? > 0 {}
    for statement in [history::FORGET_OLD, formats::FORGET_OLD, idempotency::FORGET_OLD, requests::FORGET_OLD]
    {
        let forget = client.prepare_cached(statement).await?;
        while client.execute(&forget, &[&ENTRIES_MAX]).await? > 0 {}
    }
    Ok(Pruned { jobs })
}

/// Jobs that expired so long ago, and of which it is not written down yet what is told of them later.
pub(crate) async fn to_sum_up(
    client: &impl GenericClient,
    expired: Duration,
) -> Result<Vec<Uuid>, StoreError> {
    let to_sum_up = client.prepare_cached(TO_SUM_UP).await?;
    Ok(client
        .query(&to_sum_up, &[&LOOKED_UP_MAX, &expired.as_secs_f64()])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect())
}

/// Writes down what is told of a job's rows when their inputs are deleted.
pub(crate) async fn sum_up(
    client: &impl GenericClient,
    job: Uuid,
    outcomes: &[u8],
) -> Result<(), StoreError> {
    let sum_up = client.prepare_cached(SUM_UP).await?;
    client.execute(&sum_up, &[&job, &outcomes]).await?;
    Ok(())
}

async fn prune_jobs(client: &mut Client, ago: Duration, message_of: MessageOf) -> Result<usize, StoreError> {
    let tx = client.transaction().await?;
    let expired = tx.prepare_cached(EXPIRED).await?;
    let expired = tx.query(&expired, &[&JOBS_MAX, &ago.as_secs_f64()]).await?;
    let jobs: Vec<Uuid> = expired.iter().map(|row| row.get("id")).collect();
    for row in &expired {
        forget_told(&tx, row.get("id"), row.get("told"), message_of).await?;
    }
    for statement in [DROP_TASKS, DROP_CHUNKS, DROP_PARTS, DROP_SHEETS] {
        let statement = tx.prepare_cached(statement).await?;
        tx.execute(&statement, &[&jobs]).await?;
    }
    tx.commit().await?;
    Ok(jobs.len())
}

/// Deletes what tells of one row of a job each, delivered or not: somebody who is forgotten is found by the job's chunks, and
/// with these gone, no more.
async fn forget_told(
    tx: &impl GenericClient,
    job: Uuid,
    rows: i32,
    message_of: MessageOf,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> =
        (1..=u32::try_from(rows).unwrap_or_default()).map(|row| message_of(job, row)).collect();
    for ids in ids.chunks(MESSAGES_MAX) {
        webhooks::forget(tx, ids).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jobs::item_id::message_id, store::testing};

    const STAY: Stay = Stay { expired: Duration::ZERO, headers: Duration::from_hours(1) };

    #[tokio::test]
    async fn answers_that_are_old_go_a_part_at_a_time() {
        let store = testing::store().await;
        let mut client = store.worker().await.unwrap();
        let many = format!(
            "create table deleted (answers bigint);
             create function note() returns trigger language plpgsql as $$ begin
                 insert into deleted select count(*) from gone; return null;
             end $$;
             create trigger note after delete on idempotency referencing old table as gone
                 for each statement execute function note();
             insert into idempotency (client, key, until)
             select gen_random_uuid(), '', now() - interval '1 second' from generate_series(0, {ENTRIES_MAX});
             insert into idempotency (client, key, until) values (gen_random_uuid(), '', now() + interval '1 hour')",
        );
        client.batch_execute(&many).await.unwrap();
        prune(&mut client, STAY, message_id).await.unwrap();
        let parts =
            "select max(answers), sum(answers)::bigint, (select count(*) from idempotency) from deleted";
        let row = client.query_one(parts, &[]).await.unwrap();
        let [most, all, left] = [0, 1, 2].map(|column| row.get::<_, i64>(column));
        assert_eq!((most, all, left), (ENTRIES_MAX, ENTRIES_MAX + 1, 1));
    }

    #[tokio::test]
    async fn results_go_of_a_few_jobs_at_a_time() {
        let store = testing::store().await;
        let mut client = store.worker().await.unwrap();
        let many = format!(
            "create table deleted (sheets bigint);
             create function note() returns trigger language plpgsql as $$ begin
                 insert into deleted select count(*) from gone; return null;
             end $$;
             create trigger note after delete on sheet referencing old table as gone
                 for each statement execute function note();
             insert into job (id, client, state, pipeline, skips, items, deadline_at, expires_at, ended_at)
             select gen_random_uuid(), client.id, 'completed', '', '{{}}', 1, now(), now() - interval '1 second', now()
             from client, generate_series(0, {JOBS_MAX}) where client.name = 'local';
             insert into sheet select id, 0, 1, 1, '', '' from job",
        );
        client.batch_execute(&many).await.unwrap();
        let jobs = usize::try_from(JOBS_MAX + 1).unwrap();
        assert_eq!(prune(&mut client, STAY, message_id).await.unwrap(), Pruned { jobs });
        let row =
            client.query_one("select max(sheets), sum(sheets)::bigint from deleted", &[]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), (JOBS_MAX, JOBS_MAX + 1));
    }
}
