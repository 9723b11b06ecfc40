//! `GET /api/v1/tasks` and `GET /api/v1/tasks/{id}`: the list, and one task. A task of somebody else is none, but for who
//! may see all.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{error::ApiError, moments::moment};
use crate::{
    access::{Access, Scope},
    facade::tasks::{SOURCE, WORD, task::Task},
    http::{App, Caller, Query, Refusal, answer},
    store::{
        Connection, StoreError,
        jobs::{self, JobRow},
        keys::Keyring,
        task_lists::{self, Sums, Wanted},
    },
    webhooks::callback_of,
};

/// Rows of a page, of whatever it is.
pub(super) const LIMIT_DEFAULT: i64 = 10;
pub(super) const LIMIT_MAX: i64 = 100;

/// What stands where the id of a task should; nothing where it is no text.
pub(super) type InPath = Result<Path<String>, PathRejection>;

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskList {
    tasks: Vec<Task>,
    /// On all pages.
    count: i64,
    limit: i64,
    offset: i64,
    /// `api_key`: all tasks come with a key.
    source: &'static str,
}

/// The client's tasks, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    tag = "Tasks",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "10 where nothing is said"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "0 where nothing is said"),
        ("user_id" = Option<Uuid>, Query, description = "Another client's, for who may see all"),
        ("is_file_backed" = Option<bool>, Query, description = "Only those that were made from a file, or not"),
        ("created_after" = Option<String>, Query, format = DateTime, description = "RFC 3339"),
        ("created_before" = Option<String>, Query, format = DateTime, description = "RFC 3339"),
    ),
    responses((status = 200, body = TaskList, description = "A page of tasks")),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let (limit, offset) = page(&mut query);
    let is_of_file = query.switch("is_file_backed");
    let (created_after, created_before) =
        (moment(&mut query, "created_after"), moment(&mut query, "created_before"));
    let client = user(&mut query);
    query.finish()?;
    let wanted = Wanted { client: of_whom(&access, client)?, is_of_file, created_after, created_before };
    let connection = app.store.request().await?;
    let (rows, count) = task_lists::page(&connection, wanted, limit, offset).await?;
    let mut sums = sums(&connection, &rows).await?;
    let keys = app.store.keys();
    let task = |job: &JobRow| told(keys, job, &sums.remove(&job.id).unwrap_or_default());
    let tasks = rows.iter().map(task).collect::<Result<_, StoreError>>()?;
    Ok(answer(StatusCode::OK, &TaskList { tasks, count, limit, offset, source: SOURCE }))
}

/// How far a task is.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    tag = "Tasks",
    params(("id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = Task, description = "The task"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn task(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
) -> Result<Response, ApiError> {
    let job = own_task(&app, &access, &id).await?;
    let connection = app.store.request().await?;
    let sums = sums(&connection, std::slice::from_ref(&job)).await?.remove(&job.id).unwrap_or_default();
    Ok(answer(StatusCode::OK, &told(app.store.keys(), &job, &sums)?.with_times(&job)))
}

pub(super) fn told(keys: &Keyring, job: &JobRow, sums: &Sums) -> Result<Task, StoreError> {
    Ok(Task::of(job, sums, callback_of(keys, job)?, job.filename(keys)?))
}

/// How far jobs have come.
pub(super) async fn sums(
    connection: &Connection,
    jobs: &[JobRow],
) -> Result<HashMap<Uuid, Sums>, StoreError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    Ok(task_lists::progress(connection, &ids).await?.into_iter().collect())
}

/// `limit` and `offset`, of which none is taken that is not within its bounds.
pub(super) fn page(query: &mut Query) -> (i64, i64) {
    let limit = query.integer("limit", 1..=LIMIT_MAX).unwrap_or(LIMIT_DEFAULT);
    (limit, query.integer("offset", 0..=i64::MAX).unwrap_or(0))
}

/// `user_id`, if it is there.
pub(super) fn user(query: &mut Query) -> Option<Uuid> {
    let id = uuid(query.text("user_id")?);
    if id.is_none() {
        query.fault("user_id", "uuid_parsing", "Input should be a valid UUID");
    }
    id
}

/// Whose tasks are wanted: those of others for who may see all.
pub(super) fn of_whom(access: &Access, client: Option<Uuid>) -> Result<Uuid, ApiError> {
    match client {
        Some(other) if other != access.client && !access.may(Scope::Admin) => {
            Err(Refusal::Scope(Scope::Admin.word()).into())
        }
        wanted => Ok(wanted.unwrap_or(access.client)),
    }
}

/// The task that the path is of, where the caller may see it.
pub(super) async fn own_task(app: &App, access: &Access, id: &InPath) -> Result<JobRow, ApiError> {
    task_called(app, access, "id", id).await
}

/// The same, where the path calls it otherwise.
pub(super) async fn task_called(
    app: &App,
    access: &Access,
    name: &str,
    id: &InPath,
) -> Result<JobRow, ApiError> {
    let id = id.as_ref().map_or("%", |Path(text)| text);
    if id.is_empty() {
        return Err(Refusal::NoRoute.into());
    }
    let id = uuid(id);
    let id = id.ok_or_else(|| ApiError::field("path", name, "Input should be a valid UUID"))?;
    task_of(app, access, id).await
}

/// The task of this id, where the caller may see it.
pub(super) async fn task_of(app: &App, access: &Access, id: Uuid) -> Result<JobRow, ApiError> {
    let job = jobs::job(&app.store.request().await?, id).await?;
    let is_seen =
        |job: &JobRow| job.facade == WORD && (job.client == access.client || access.may(Scope::Admin));
    job.filter(is_seen).ok_or_else(ApiError::task_not_found)
}

/// The form with hyphens alone, in any case.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH)
}
