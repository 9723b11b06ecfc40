//! `GET /api/v1/tasks/{id}/jobs`: a page of a task's rows, with all that is known of each. All of a task's rows were created
//! with it, so they stand by their ids, the greatest and with it the last row first.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::ApiError,
    list::{InPath, own_task, page},
};
use crate::{
    facade::tasks::email::Job,
    http::{App, Caller, Query, answer_holding, email_verifier::SMALL_ROWS},
    jobs::results::page,
};

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskJobs)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(super) struct Jobs<'a> {
    jobs: Vec<Job<'a>>,
    /// On all pages.
    count: i64,
    limit: i64,
    offset: i64,
}

/// A task's jobs, one for each address that was submitted, the last one first; also while it is worked at. When they have
/// been kept long enough, there are none any more.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/jobs",
    tag = "Tasks",
    params(
        ("id" = Uuid, Path, description = "A UUID"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "10 where nothing is said"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "0 where nothing is said"),
    ),
    responses(
        (status = 200, body = Jobs, description = "A page of jobs"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn jobs(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let (limit, offset) = page(&mut query);
    query.finish()?;
    let job = own_task(&app, &access, &id).await?;
    let is_large = job.items > SMALL_ROWS;
    let place = if is_large { Some(app.pages.take(&app.metrics, access.client)?) } else { None };
    let items = if job.has_expired() { 0 } else { i64::from(job.items) };
    let told = match rows(items, limit, offset) {
        Some((first, rows)) => page::page(&app.store, &job, first, rows).await?,
        None => Some(Vec::new()),
    };
    // Deleted meanwhile.
    let count = if told.is_some() { items } else { 0 };
    let told = told.unwrap_or_default();
    let vocabulary = app.tasks.config.vocabulary;
    let jobs = told
        .iter()
        .rev()
        .map(|told| Job::of(&job, told.row, &told.input, told.judged.as_ref(), vocabulary))
        .collect();
    Ok(answer_holding(StatusCode::OK, &Jobs { jobs, count, limit, offset }, place))
}

/// The first row of a page, and how many there are: pages begin with the last row.
fn rows(items: i64, limit: i64, offset: i64) -> Option<(u32, u32)> {
    let last = items.checked_sub(offset).filter(|last| *last > 0)?;
    let before = (last - limit).max(0);
    Some((u32::try_from(before + 1).ok()?, u32::try_from(last - before).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_with_the_last_row_and_together_have_each_once() {
        assert_eq!(rows(25, 10, 0), Some((16, 10)));
        assert_eq!(rows(25, 10, 20), Some((1, 5)));
        for offset in [25, 26, i64::MAX] {
            assert_eq!(rows(25, 10, offset), None, "{offset}");
        }
        assert_eq!(rows(0, 10, 0), None);
        let mut seen: Vec<u32> = (0..3)
            .filter_map(|page| rows(25, 10, page * 10))
            .flat_map(|(first, rows)| first..first + rows)
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..=25));
    }
}
