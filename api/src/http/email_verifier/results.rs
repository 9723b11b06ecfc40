//! `GET /api/v1/jobs/{job_id}/results`: a page of a job's verdicts. All of its chunks are looked at for each page, one after
//! the other; what is held of them is little, and large pages have room for so many at once.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use mailsonde_engine::Category;
use uuid::Uuid;

use super::{
    ApiError,
    jobs::{InPath, is_own, job_of},
    openapi::{CategoryWord, ErrorBody},
};
use crate::{
    facade::email_verifier::results::{Results, ResultsPage, Selected},
    http::{App, Caller, Invalid, Query, Refusal, SOON, answer_holding},
    jobs::{
        aside::aside,
        download::{Place, Places},
        extra::{Extra, NoExtra, OCTETS_MAX},
        results::listed::Listed,
    },
    metrics::{Limit, Metrics},
    store::jobs,
};

/// Results of a page.
const RESULTS_DEFAULT: i64 = 100;
const RESULTS_MAX: i64 = 10_000;

/// Rows of a job whose pages need no place: as many as most lists have.
pub(in crate::http) const SMALL_ROWS: i32 = 1_000;

/// Octets of extra columns that a page of such a job may have without one.
const SMALL_OCTETS: usize = 1024 * 1024;

/// Large pages that a process makes at once, or that are being read: 1 MB for the rows of the largest job, what is opened
/// of it, and what is told, which with many extra columns is up to twice [`OCTETS_MAX`] and as much again while it grows.
const PAGES_MAX: usize = 12;

/// Of one client: who asks for many at once, or reads slowly, leaves room for others.
const OF_CLIENT_MAX: usize = 4;

/// Where there is room for large pages. Copies are the same.
#[derive(Debug, Clone)]
pub(crate) struct Pages(Places);

impl Pages {
    /// All of it is free.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self(Places::of(PAGES_MAX, OF_CLIENT_MAX, metrics.pages.clone()))
    }

    /// A place for a page of this client.
    pub(crate) fn take(&self, metrics: &Metrics, client: Uuid) -> Result<Place, Refusal> {
        self.0.take(client).ok_or_else(|| {
            metrics.met(Limit::Pages);
            Refusal::Unavailable(SOON)
        })
    }
}

/// A job's verdicts, also while it is worked at. When they have expired, addresses are told no more.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/results",
    tag = "Jobs",
    params(
        ("job_id" = Uuid, Path, description = "A UUID"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "0 where nothing is said"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10000, description = "100 where nothing is said"),
        ("category" = Option<CategoryWord>, Query, description = "Only these"),
        ("include_email" = Option<bool>, Query, description = "Tell the addresses too (default: false)"),
    ),
    responses(
        (status = 200, body = Results, description = "A page of results"),
        (status = 400, body = ErrorBody, description = "`INVALID_JOB_ID`"),
        (status = 404, body = ErrorBody, description = "`JOB_NOT_FOUND`"),
    ),
)]
pub(super) async fn results(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = asked(&id, &uri)?;
    let id = page.job;
    let job = jobs::job(&app.store.request().await?, id).await?.filter(|job| is_own(job, &access));
    let job = job.ok_or_else(ApiError::job_not_found)?;
    let room = || app.pages.take(&app.metrics, access.client);
    let mut place = if job.items > SMALL_ROWS { Some(room()?) } else { None };
    let listed = Listed::of(&app.store, &job).await?.ok_or_else(ApiError::job_not_found)?;
    let selecting = aside(move || Ok::<_, ApiError>((Selected::of(listed.told(), page), listed)));
    let (selected, listed) = selecting.await?;
    let has_file = !job.is_of_list() && !job.has_expired();
    let extra = async |octets_max| {
        let rows = if has_file { selected.rows() } else { Vec::new() };
        Extra::of(&app.store, id, rows, octets_max).await
    };
    let extra = match extra(if place.is_some() { OCTETS_MAX } else { SMALL_OCTETS }).await {
        // It has few rows, and long ones.
        Err(NoExtra::TooMuch) if place.is_none() => {
            place = Some(room()?);
            extra(OCTETS_MAX).await?
        }
        extra => extra?,
    };
    let rows = if page.include_email { selected.rows() } else { Vec::new() };
    let selected = selected.with(listed.inputs(&app.store, &rows).await?);
    aside(move || Ok(answer_holding(StatusCode::OK, &Results::of(&selected, &extra, page), place))).await
}

/// Which page of which job is asked for.
fn asked(id: &InPath, uri: &Uri) -> Result<ResultsPage, ApiError> {
    let mut query = Query::of(uri);
    let limit = query.integer("limit", 1..=RESULTS_MAX).unwrap_or(RESULTS_DEFAULT);
    let offset = query.integer("offset", 0..=i64::MAX).unwrap_or(0);
    let include_email = query.switch("include_email").unwrap_or(false);
    let category = query.text("category").map(category_of);
    if category == Some(None) {
        query.fault("category", "enum", "Input should be one of the categories");
    }
    query.finish()?;
    Ok(ResultsPage { job: job_of(id)?, limit, offset, category: category.flatten(), include_email })
}

impl From<NoExtra> for ApiError {
    fn from(error: NoExtra) -> Self {
        match error {
            NoExtra::TooMuch => {
                let msg = "The extra columns of so many rows are too much for one page";
                Refusal::of(Invalid::new(["query", "limit"], "page_too_large", msg)).into()
            }
            NoExtra::Store(error) => error.into(),
        }
    }
}

fn category_of(word: &str) -> Option<Category> {
    Category::ALL.into_iter().find(|category| category.word() == word)
}
