//! `GET /api/v1/jobs/{job_id}/download`: the file of a completed job. It is written while it is read, so its length is not
//! known before; one that breaks off is seen by the connection, which ends without the end of the body.

use std::{io, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderValue, Uri,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::Response,
};
use futures_util::stream;
use uuid::Uuid;

use super::{
    ApiError,
    jobs::{InPath, is_own, job_of},
    openapi::ErrorBody,
};
use crate::{
    facade::email_verifier::job::status,
    http::{App, Caller, Query, Refusal, SOON},
    jobs::download::{Download, NoDownload},
    metrics::Limit,
    store::jobs::{self, End, JobRow},
};

/// What the file is.
const CSV: &str = "text/csv; charset=utf-8";

/// The file of a completed job: the rows that were submitted, in their order, with columns of verdicts behind their own.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/download",
    tag = "Jobs",
    params(
        ("job_id" = Uuid, Path, description = "A UUID"),
        ("safe" = Option<bool>, Query,
            description = "Guard the file's own cells too against being run by a spreadsheet (default: false)"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/csv", description = "The file, in UTF-8"),
        (status = 400, body = ErrorBody, description = "`INVALID_JOB_ID`"),
        (status = 404, body = ErrorBody, description = "`JOB_NOT_FOUND`, `RESULT_FILE_MISSING`"),
        (status = 409, body = ErrorBody, description = "`JOB_NOT_COMPLETED`"),
        (status = 410, body = ErrorBody, description = "`RESULT_FILE_EXPIRED`"),
    ),
)]
pub(super) async fn download(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let safe = query.switch("safe").unwrap_or(false);
    query.finish()?;
    let id = job_of(&id)?;
    let job = jobs::job(&app.store.request().await?, id).await?.filter(|job| is_own(job, &access));
    let job = job.ok_or_else(ApiError::job_not_found)?;
    let end = completed(&job)?;
    if job.has_expired() {
        return Err(NoDownload::Expired.into());
    }
    let Some(place) = app.downloads.take(access.client) else {
        app.metrics.met(Limit::Downloads);
        return Err(Refusal::Unavailable(SOON).into());
    };
    let download = Download::prepare(&app.store, job, end, safe).await?;
    // Whoever ends the process waits for it, as for its connection.
    let octets = download.start((place, app.ongoing.begin()));
    let octets = stream::try_unfold(octets, async |mut octets| {
        let next = octets.next().await?;
        io::Result::Ok(next.map(|buffer| (buffer, octets)))
    });
    Ok(answer(id, Body::from_stream(octets)))
}

fn answer(id: Uuid, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CSV));
    // Never the name of what was uploaded.
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{id}.csv\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

/// How a job ended of which there is a file.
fn completed(job: &JobRow) -> Result<End, ApiError> {
    match job.end() {
        Some(end @ (End::Done | End::DeadlinePassed)) => Ok(end),
        Some(End::Canceled) | None => Err(ApiError::job_not_completed(status(job))),
    }
}

impl From<NoDownload> for ApiError {
    fn from(error: NoDownload) -> Self {
        match error {
            NoDownload::Expired => Self::result_file_expired(),
            NoDownload::Missing => Self::result_file_missing(),
            NoDownload::Store(error) => error.into(),
        }
    }
}
