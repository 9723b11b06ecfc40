//! `GET /api/v1/tasks/{id}/series` and `GET /api/v1/metrics/verifications`: what was verified on which day (UTC).

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    error::ApiError,
    list::{InPath, of_whom, own_task, sums, user},
    moments::moment,
};
use crate::{
    facade::tasks::{
        SOURCE,
        metrics::{TaskDay, TaskMetrics, VerificationMetrics, date},
    },
    http::{App, Caller, Query, answer},
    store::{
        jobs::JobRow,
        task_lists::{self, Sums},
    },
};

/// The time of which a task's days are told, where nothing is said, and at most.
const TIME_DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 7);
const TIME_MAX: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A task's days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskSeries {
    task_id: Uuid,
    /// `api_key`.
    source: &'static str,
    /// Those on which there were verdicts.
    series: Vec<TaskDay>,
}

/// What became known of a task on which day.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/series",
    tag = "Metrics",
    params(
        ("id" = Uuid, Path, description = "A UUID"),
        ("from" = Option<String>, Query, format = DateTime, description = "RFC 3339, with `to`; the last 7 days without both"),
        ("to" = Option<String>, Query, format = DateTime, description = "RFC 3339, 90 days after `from` at most"),
    ),
    responses(
        (status = 200, body = TaskSeries, description = "The days"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn series(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let (from, to) = time(&mut query);
    query.finish()?;
    let job = own_task(&app, &access, &id).await?;
    let connection = app.store.request().await?;
    let kept = task_lists::days_of_job(&connection, job.id).await?;
    let whole = sums(&connection, std::slice::from_ref(&job)).await?.remove(&job.id).unwrap_or_default();
    let wanted = day(from)..=day(to);
    let of_day =
        |(day, sums): (Date, Sums)| TaskDay { date: date(day), metrics: TaskMetrics::of_day(&job, &sums) };
    let days = days(&job, kept, &whole).into_iter().filter(|(day, _)| wanted.contains(day));
    let series = TaskSeries { task_id: job.id, source: SOURCE, series: days.map(of_day).collect() };
    Ok(answer(StatusCode::OK, &series))
}

/// What was verified by tasks, in all or in a time: what is asked for at once is not in it.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/verifications",
    tag = "Metrics",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Tasks that were created then or later (RFC 3339)"),
        ("to" = Option<String>, Query, format = DateTime, description = "Tasks that were created then or earlier (RFC 3339)"),
        ("user_id" = Option<Uuid>, Query, description = "Another client's, for who may see all"),
    ),
    responses((status = 200, body = VerificationMetrics, description = "All of it; with both ends of a time, its days too")),
)]
pub(super) async fn verifications(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let (from, to) = (moment(&mut query, "from"), moment(&mut query, "to"));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        query.fault("from", "value_error", "It should not be after `to`");
    }
    let client = user(&mut query);
    query.finish()?;
    let client = of_whom(&access, client)?;
    let days = task_lists::days_of_client(&app.store.request().await?, client, from, to).await?;
    let with_series = from.is_some() && to.is_some();
    let metrics = VerificationMetrics::of(client, &days, with_series, app.tasks.config.vocabulary);
    Ok(answer(StatusCode::OK, &metrics))
}

/// `from` and `to`, both or none.
fn time(query: &mut Query) -> (Timestamp, Timestamp) {
    let now = Timestamp::now();
    let usual = (now.checked_sub(TIME_DEFAULT).unwrap_or(now), now);
    for (name, other) in [("from", "to"), ("to", "from")] {
        if query.text(name).is_none() && query.text(other).is_some() {
            query.fault(name, "missing", format!("It is needed together with `{other}`"));
        }
    }
    let Some((from, to)) = moment(query, "from").zip(moment(query, "to")) else { return usual };
    if from > to {
        query.fault("from", "value_error", "It should not be after `to`");
    } else if to.duration_since(from) > TIME_MAX {
        query.fault("to", "value_error", "It should be 90 days after `from` at most");
    }
    (from, to)
}

fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}

/// The days of a job. What nobody answered became known at its end, as did all of which only the sum is kept.
fn days(job: &JobRow, kept: Vec<(Date, Sums)>, whole: &Sums) -> BTreeMap<Date, Sums> {
    let mut days: BTreeMap<Date, Sums> = kept.into_iter().collect();
    if let Some(ended_at) = job.ended_at {
        let rest = days.values().fold(whole.clone(), Sums::less);
        if rest.counts.iter().any(|count| *count > 0) {
            let last = days.entry(day(ended_at)).or_default();
            *last = last.more(&rest);
        }
    }
    days
}
