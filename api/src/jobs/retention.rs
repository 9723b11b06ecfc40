//! Retention: what has been kept long enough is deleted, by a task that comes back every hour.

use std::time::Duration;

use super::{
    queue::{Done, TaskError},
    work::Desk,
};
use crate::store::retention;

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);

/// Deletes what has been kept long enough. The task stays, for the next time.
pub(super) async fn run(desk: &Desk) -> Result<Done, TaskError> {
    let mut client = desk.store.worker().await?;
    let pruned = retention::prune(&mut client, desk.config.headers_retention).await?;
    if pruned.jobs > 0 {
        tracing::info!("{} jobs were kept long enough: their results are deleted", pruned.jobs);
    }
    Ok(Done::Snooze(EVERY))
}
