//! `GET /api/v1/tasks/{id}/download`: what is known of a task's addresses, as a file. The largest task has 10,000 rows, so
//! the file is made as a whole; few are made at once.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderValue, Uri,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::Response,
};
use uuid::Uuid;

use super::{
    error::ApiError,
    list::{InPath, own_task, task_of, uuid},
};
use crate::{
    facade::tasks::{
        email::Job,
        sheet::{Format, Sheet},
    },
    http::{App, Caller, Query, Refusal, SOON},
    jobs::{aside::aside, results::page},
    metrics::Limit,
    store::{StoreError, jobs::JobRow},
};

/// Rows that are opened at once.
const ROWS_AT_ONCE: u32 = 2_000;

/// A task's addresses with what is known of each, in the order in which they were submitted; also while it is worked at.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/download",
    tag = "Tasks",
    params(
        ("id" = Uuid, Path, description = "A UUID"),
        ("format" = Option<String>, Query, description = "`csv` (where nothing is said), `txt` or `xlsx`"),
        ("task_id" = Option<Uuid>, Query, description = "The task, whatever the path says"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/csv", description = "The file"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn download(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let format = query.text("format").map_or(Some(Format::Csv), Format::of);
    if format.is_none() {
        query.fault("format", "value_error", "Input should be csv, txt or xlsx");
    }
    let other = query.text("task_id").map(uuid);
    if other == Some(None) {
        query.fault("task_id", "uuid_parsing", "Input should be a valid UUID");
    }
    query.finish()?;
    let job = match other.flatten() {
        Some(other) => task_of(&app, &access, other).await?,
        None => own_task(&app, &access, &id).await?,
    };
    if job.has_expired() {
        return Err(ApiError::results_not_found());
    }
    let Some(place) = app.downloads.take(access.client) else {
        app.metrics.met(Limit::Downloads);
        return Err(Refusal::Unavailable(SOON).into());
    };
    let format = format.unwrap_or(Format::Csv);
    let sheet = gather(&app, &job, format).await?;
    let finish = move || {
        let octets = sheet.finish().map_err(|error| StoreError::Refused(error.to_string().into()))?;
        // The place is that work's, which goes on when nobody waits for it any more.
        drop(place);
        Ok::<_, StoreError>(octets)
    };
    let octets = aside(finish).await?;
    Ok(file(job.id, format, octets))
}

/// All rows, some at a time.
async fn gather(app: &App, job: &JobRow, format: Format) -> Result<Sheet, ApiError> {
    let vocabulary = app.tasks.config.vocabulary;
    let mut sheet = Sheet::new(format);
    let items = u32::try_from(job.items).unwrap_or_default();
    for first in (1..=items).step_by(ROWS_AT_ONCE as usize) {
        let told = page::page(&app.store, job, first, ROWS_AT_ONCE).await?;
        let told = told.ok_or_else(ApiError::results_not_found)?;
        for told in &told {
            sheet.push(&Job::of(job, told.row, &told.input, told.judged.as_ref(), vocabulary));
        }
    }
    Ok(sheet)
}

fn file(id: Uuid, format: Format, octets: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(octets));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    // Never the name of what was uploaded.
    let disposition = format!("attachment; filename=\"{id}.{}\"", format.word());
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
