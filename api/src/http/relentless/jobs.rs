//! `GET /client/jobs` and what hangs on it: the list, one job with a page of its items, and its end by its client. A job of
//! somebody else is none.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use mailsonde_engine::Category;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    error::ApiError,
    openapi::{ErrorResponse, StatusWord},
    paging::Paging,
};
use crate::{
    access::{Access, Facade},
    facade::relentless::{
        item::JobItem,
        job::{Callback, Closing, Job, JobType},
        terms::Terms,
    },
    http::{App, Caller, Query, answer, answer_holding},
    jobs::{aside::aside, ending, results::page::page},
    store::{
        Connection, StoreError,
        jobs::{self, End, JobRow, listing},
        relentless::{self, Known},
    },
    webhooks::callback_of,
};

/// Jobs of a page.
const JOBS_MAX: i64 = 100;
const JOBS_DEFAULT: i64 = 25;

/// Items of a page.
const ITEMS_MAX: i64 = 100;
const ITEMS_DEFAULT: i64 = 50;

/// Items of a job whose pages need no place.
const SMALL_ROWS: i32 = 1_000;

/// The words of the filter, and those of the store. Nothing fails as a whole.
const STATUSES: [(&str, &str); 6] = [
    ("queued", "pending"),
    ("processing", "processing"),
    ("running", "processing"),
    ("completed", "completed"),
    ("failed", "failed"),
    ("canceled", "canceled"),
];

/// What stands where the id of a job should; nothing where it is no text.
pub(super) type InPath = Result<Path<String>, PathRejection>;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientBackgroundJobPageResponse)]
pub(super) struct JobPage {
    items: Vec<Job>,
    total: i64,
    page: i64,
    page_size: i64,
    total_pages: i64,
}

/// A job, and a page of its items.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientBackgroundJobDetailResponse)]
pub(super) struct JobDetail {
    job: Job,
    items: Vec<JobItem>,
    total_items: i64,
    page: i64,
    page_size: i64,
    total_pages: i64,
    /// The items were kept long enough.
    results_expired: bool,
}

/// The client's jobs, the newest first.
#[utoipa::path(
    get,
    path = "/client/jobs",
    tag = "Jobs",
    params(
        ("page" = Option<i64>, Query, minimum = 1, maximum = 2_147_483_647, description = "From 1 on; 1 where nothing is said"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "25 where nothing is said"),
        ("job_type" = Option<JobType>, Query, description = "Only these"),
        ("status" = Option<StatusWord>, Query, description = "Only these; `running` is `processing`"),
    ),
    responses((status = 200, body = JobPage, description = "A page of jobs")),
)]
pub(super) async fn list_jobs(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let paging = Paging::read(&mut query, JOBS_MAX, JOBS_DEFAULT);
    let types = [JobType::FinderBatch.word(), JobType::ProbeBatch.word()];
    let source = query.word("job_type", &types);
    let status = query.word("status", &STATUSES.map(|(word, _)| word));
    query.finish()?;
    let state = STATUSES.iter().find(|(word, _)| Some(*word) == status).map(|(_, state)| *state);
    let facade = Facade::Relentless.word();
    let wanted = listing::Wanted {
        client: access.client,
        facade,
        source,
        state,
        created_after: None,
        created_before: None,
    };
    let connection = app.store.request().await?;
    let (rows, total) = listing::page(&connection, wanted, paging.size, paging.offset()).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut known: HashMap<Uuid, Known> = relentless::known(&connection, &ids).await?.into_iter().collect();
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        let known = known.remove(&row.id).ok_or_else(without_terms)?;
        items.push(told(&app, &connection, row, known).await?.0);
    }
    let page =
        JobPage { items, total, page: paging.page, page_size: paging.size, total_pages: paging.pages(total) };
    Ok(answer(StatusCode::OK, &page))
}

/// How far a job is, and a page of its items.
#[utoipa::path(
    get,
    path = "/client/jobs/{job_id}",
    tag = "Jobs",
    params(
        ("job_id" = Uuid, Path, description = "A UUID"),
        ("page" = Option<i64>, Query, minimum = 1, maximum = 2_147_483_647, description = "From 1 on; 1 where nothing is said"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "50 where nothing is said"),
    ),
    responses(
        (status = 200, body = JobDetail, description = "The job"),
        (status = 404, body = ErrorResponse, description = "`job_not_found`"),
    ),
)]
pub(super) async fn get_job(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let paging = Paging::read(&mut query, ITEMS_MAX, ITEMS_DEFAULT);
    query.finish()?;
    let connection = app.store.request().await?;
    let row = own_job(&connection, &access, &id).await?;
    let known = known(&connection, row.id).await?;
    let (job, terms) = told(&app, &connection, &row, known).await?;
    // The items are looked up on others.
    drop(connection);
    let first = u32::try_from(paging.offset().saturating_add(1)).unwrap_or(u32::MAX);
    let size = u32::try_from(paging.size).unwrap_or_default();
    let is_over = row.has_expired();
    let is_large = row.items > SMALL_ROWS;
    let place = if is_large { Some(app.pages.take(&app.metrics, access.client)?) } else { None };
    let rows = if is_over { None } else { page(&app.store, &row, first, size).await? };
    let results_expired = rows.is_none();
    let total_items = if results_expired { 0 } else { i64::from(row.items) };
    let detail = aside(move || {
        let items = rows.unwrap_or_default();
        let item = |told: &_| item_of(&row, &terms, told);
        let detail = JobDetail {
            job,
            items: items.iter().map(item).collect(),
            total_items,
            page: paging.page,
            page_size: paging.size,
            total_pages: paging.pages(total_items),
            results_expired,
        };
        Ok::<_, StoreError>(answer_holding(StatusCode::OK, &detail, place))
    });
    Ok(detail.await?)
}

/// Ends a job: what is known is kept, and nobody else is asked. An extension: the product has a status for that, and no
/// endpoint.
#[utoipa::path(
    post,
    path = "/client/jobs/{job_id}/cancel",
    tag = "Jobs",
    params(("job_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = Job, description = "The job, which has ended: so, or before"),
        (status = 404, body = ErrorResponse, description = "`job_not_found`"),
    ),
)]
pub(super) async fn cancel_job(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
) -> Result<Response, ApiError> {
    let row = own_job(&app.store.request().await?, &access, &id).await?;
    ending::end(&app.store, row.id, End::Canceled).await?;
    let connection = app.store.request().await?;
    let row = own_job(&connection, &access, &id).await?;
    let known = known(&connection, row.id).await?;
    Ok(answer(StatusCode::OK, &told(&app, &connection, &row, known).await?.0))
}

/// The caller's job of this id, by this product.
pub(super) async fn own_job(
    connection: &Connection,
    access: &Access,
    id: &InPath,
) -> Result<JobRow, ApiError> {
    let text = id.as_ref().map_or("", |Path(text)| text);
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH);
    let Some(id) = id else { return Err(ApiError::job_not_found()) };
    let job = jobs::job(connection, id).await?;
    let is_own = |job: &JobRow| job.client == access.client && job.facade == Facade::Relentless.word();
    job.filter(is_own).ok_or_else(ApiError::job_not_found)
}

/// What is known of a job besides.
pub(super) async fn known(connection: &Connection, job: Uuid) -> Result<Known, StoreError> {
    let known = relentless::known(connection, &[job]).await?;
    known.into_iter().next().map(|(_, known)| known).ok_or_else(without_terms)
}

fn without_terms() -> StoreError {
    StoreError::Unread("a job has lost its terms".into())
}

/// An item of a page.
pub(super) fn item_of(job: &JobRow, terms: &Terms, told: &crate::jobs::results::page::Told) -> JobItem {
    JobItem::of(job, terms, told.row, &told.input, told.judged.as_ref())
}

/// A job as it is told now, and its terms.
async fn told(
    app: &App,
    connection: &Connection,
    row: &JobRow,
    known: Known,
) -> Result<(Job, Terms), StoreError> {
    let counts = match &row.counts {
        Some(counts) => counts.clone(),
        None => jobs::counts_so_far(connection, row.id, Category::ALL.len()).await?,
    };
    let keys = app.store.keys();
    let url = callback_of(keys, row)?;
    let callback = match &known.told {
        Some(told) => Callback::told(url, &told.state, told.attempts, told.error(keys)?),
        None => Callback::untold(url),
    };
    let terms = Terms::read(&known.terms)?;
    let closing = known.summary.as_deref().map(Closing::read).transpose()?;
    Ok((Job::of(row, &terms, &counts, callback, closing), terms))
}
