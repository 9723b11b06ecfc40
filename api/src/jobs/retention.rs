//! Retention: what has been kept long enough is deleted, by a task that comes back every hour. What is told of a job's
//! rows after that is written down before.

use std::time::Duration;

use uuid::Uuid;

use super::{
    aside::aside,
    download::DOWNLOAD_MAX,
    item_id::message_id,
    queue::{Done, TaskError},
    results,
    rows::outcomes,
    work::Desk,
};
use crate::store::{
    Connection, Store, StoreError, jobs,
    keys::Row,
    retention::{self, Pruned, Stay},
};

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);

/// Results stay for so long when they have expired: nobody begins to read them any more, and who has begun is done by then.
/// A minute lies between the look at a job and the beginning.
const READ_OUT: Duration = DOWNLOAD_MAX.saturating_add(Duration::from_mins(1));

/// Deletes what has been kept long enough. The task stays, for the next time.
pub(super) async fn run(desk: &Desk) -> Result<Done, TaskError> {
    let pruned = prune(&desk.store, desk.config.headers_retention).await?;
    if pruned.jobs > 0 {
        tracing::info!("{} jobs were kept long enough: their results are deleted", pruned.jobs);
    }
    Ok(Done::Snooze(EVERY))
}

async fn prune(store: &Store, headers: Duration) -> Result<Pruned, StoreError> {
    sum_up(store).await?;
    let stay = Stay { expired: READ_OUT, headers };
    retention::prune(&mut store.worker().await?, stay, message_id).await
}

/// Writes down what is told of expired jobs when they are deleted.
async fn sum_up(store: &Store) -> Result<(), StoreError> {
    let mut client = store.worker().await?;
    loop {
        let (expired, mut is_stuck) = (retention::to_sum_up(&client, READ_OUT).await?, false);
        for id in &expired {
            match sum_up_job(store, &mut client, *id).await {
                Err(error) if !error.is_transient() => {
                    tracing::warn!("job {id} has no rows any more: {error}");
                    is_stuck = true;
                }
                done => done?,
            }
        }
        // One that cannot be summed up keeps nothing else here for longer than it may stay.
        if expired.is_empty() || is_stuck {
            return Ok(());
        }
    }
}

async fn sum_up_job(store: &Store, client: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let Some((job, contents)) = jobs::kept(client, id).await? else { return Ok(()) };
    let keys = store.keys().clone();
    let summed = aside(move || -> Result<Vec<u8>, StoreError> {
        let text = outcomes::write(contents.items, results::outcomes(&keys, &job, &contents)?);
        Ok(keys.seal(Row::Outcomes { job: id }, &text))
    });
    retention::sum_up(client, id, &summed.await?).await
}

#[cfg(test)]
mod tests;
