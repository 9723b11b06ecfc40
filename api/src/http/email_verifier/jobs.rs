//! `GET /api/v1/jobs` and what hangs on it: the list, and one job. A job of somebody else is none.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use jiff::Timestamp;
use mailsonde_engine::Category;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError,
    openapi::{ErrorBody, StatusWord},
};
use crate::{
    access::{Access, Facade},
    facade::email_verifier::job::{JobStatus, JobSummary},
    http::{App, Caller, Query, answer, moment_or_date_in_query},
    store::{
        StoreError,
        jobs::{self, JobRow, listing},
    },
    webhooks::callback_of,
};

/// Jobs of a page.
const JOBS_DEFAULT: i64 = 20;
const JOBS_MAX: i64 = 1_000;

/// The words of the filter, as its error lists them, and those of the store. No job of ours fails as a whole.
const STATUSES: [(&str, &str); 5] = [
    ("cancelled", "canceled"),
    ("completed", "completed"),
    ("failed", "failed"),
    ("pending", "pending"),
    ("processing", "processing"),
];

/// What stands where the id of a job should; nothing where it is no text.
pub(super) type InPath = Result<Path<String>, PathRejection>;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    items: Vec<JobSummary>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// The client's jobs, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "Jobs",
    params(
        ("status" = Option<StatusWord>, Query, description = "Only these"),
        ("created_after" = Option<String>, Query, format = DateTime, description = "ISO 8601; without an offset, in UTC"),
        ("created_before" = Option<String>, Query, format = DateTime, description = "The same"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "20 where nothing is said"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "0 where nothing is said"),
    ),
    responses(
        (status = 200, body = Page, description = "A page of jobs"),
        (status = 400, body = ErrorBody, description = "`INVALID_STATUS_FILTER`, `INVALID_DATE_FORMAT`"),
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let limit = query.integer("limit", 1..=JOBS_MAX).unwrap_or(JOBS_DEFAULT);
    let offset = query.integer("offset", 0..=i64::MAX).unwrap_or(0);
    let status = query.text("status").map(str::to_owned);
    let dates = ["created_after", "created_before"].map(|name| query.text(name).map(moment));
    query.finish()?;
    let state = status.map(|status| state_of(&status)).transpose()?;
    let [created_after, created_before] = dates;
    let (created_after, created_before) = (created_after.transpose()?, created_before.transpose()?);
    let facade = Facade::EmailVerifier.word();
    let wanted =
        listing::Wanted { client: access.client, facade, source: None, state, created_after, created_before };
    let connection = app.store.request().await?;
    let (rows, total) = listing::page(&connection, wanted, limit, offset).await?;
    let keys = app.store.keys();
    let summary = |job: &JobRow| Ok(JobSummary::of(job, job.filename(keys)?));
    let items = rows.iter().map(summary).collect::<Result<_, StoreError>>()?;
    Ok(answer(StatusCode::OK, &Page { items, total, limit, offset }))
}

/// How far a job is.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}",
    tag = "Jobs",
    params(("job_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = JobStatus, description = "The job"),
        (status = 400, body = ErrorBody, description = "`INVALID_JOB_ID`"),
        (status = 404, body = ErrorBody, description = "`JOB_NOT_FOUND`"),
    ),
)]
pub(super) async fn status(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
) -> Result<Response, ApiError> {
    let id = job_of(&id)?;
    let connection = app.store.request().await?;
    let job = jobs::job(&connection, id).await?.filter(|job| is_own(job, &access));
    let job = job.ok_or_else(ApiError::job_not_found)?;
    let counts = match &job.counts {
        Some(counts) => counts.clone(),
        None => jobs::counts_so_far(&connection, id, Category::ALL.len()).await?,
    };
    let (callback, filename) = (callback_of(app.store.keys(), &job)?, job.filename(app.store.keys())?);
    Ok(answer(StatusCode::OK, &JobStatus::of(&job, &counts, callback.as_deref(), filename.as_deref())))
}

/// A job of the caller, by this product.
pub(super) fn is_own(job: &JobRow, access: &Access) -> bool {
    job.client == access.client && job.facade == Facade::EmailVerifier.word()
}

/// The job that the path is of.
pub(super) fn job_of(path: &InPath) -> Result<Uuid, ApiError> {
    job_id(path.as_ref().map_or("", |Path(text)| text))
}

/// The form with hyphens alone, in any case.
fn job_id(text: &str) -> Result<Uuid, ApiError> {
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH);
    id.ok_or_else(|| {
        let text = "Invalid job_id format (expected UUID).";
        ApiError::new(StatusCode::BAD_REQUEST, "INVALID_JOB_ID", text)
    })
}

fn state_of(status: &str) -> Result<&'static str, ApiError> {
    let known = STATUSES.iter().find(|(word, _)| *word == status);
    known.map(|(_, state)| *state).ok_or_else(|| {
        let words = STATUSES.map(|(word, _)| format!("'{word}'")).join(", ");
        let text = format!("Invalid status. Must be one of: [{words}]");
        ApiError::new(StatusCode::BAD_REQUEST, "INVALID_STATUS_FILTER", text)
    })
}

/// ISO 8601.
fn moment(text: &str) -> Result<Timestamp, ApiError> {
    moment_or_date_in_query(text).ok_or_else(|| {
        let text = "Invalid date format (expected ISO 8601).";
        ApiError::new(StatusCode::BAD_REQUEST, "INVALID_DATE_FORMAT", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_hyphens() {
        let id = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
        assert_eq!(job_id(id).unwrap().to_string(), id);
        assert_eq!(job_id(&id.to_uppercase()).unwrap().to_string(), id);
        for bad in ["", "7", "f47ac10b58cc4372a5670e02b2c3d479", "{f47ac10b-58cc-4372-a567-0e02b2c3d479}"] {
            assert!(job_id(bad).is_err(), "{bad}");
        }
    }
}
