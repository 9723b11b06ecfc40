//! `POST /api/v1/verify/batch`: a list, verified in the background.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError,
    openapi::{BatchRequest, ErrorBody, QuotaBody},
    options::Options,
};
use crate::{
    access::Facade,
    assembly::{Choice, SMTP_PROBE},
    http::{App, Caller, Fields, Received, Refusal, Ticket, answer},
    jobs::submit::{Request, Source, SubmitError, new_id, submit},
};

/// Addresses of one batch: the product's own limit, which stands in the text of its error.
const BATCH_MAX: usize = 1_000;

/// Days for which results may be kept.
const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 1..=30;

pub(super) const RETENTION_DAYS_DEFAULT: i64 = 1;

const DAY: Duration = Duration::from_hours(24);

/// When to come again where other jobs are in the way for a day: it takes hours until that is otherwise.
const LINE_IS_LONG: Duration = Duration::from_hours(1);

/// A job that begins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchAccepted {
    job_id: Uuid,
    status: &'static str,
    total_emails: usize,
    /// As fast as jobs were done in the last day; ten addresses a second where there was none. Which jobs are before this
    /// one, and what mail servers bear at the moment, is weighed when it is taken, and is not in it.
    #[schema(minimum = 1)]
    estimated_time_seconds: u64,
    check_status_url: String,
}

/// Submits up to 1,000 addresses, which are verified in the background.
#[utoipa::path(
    post,
    path = "/api/v1/verify/batch",
    tag = "Verification",
    request_body = BatchRequest,
    responses(
        (status = 202, body = BatchAccepted, description = "The job that was made of them"),
        (status = 400, body = ErrorBody, description = "`BATCH_TOO_LARGE`, `INVALID_RETENTION_DAYS`"),
        (status = 402, body = QuotaBody, description = "`QUOTA_EXCEEDED`"),
    ),
)]
pub(super) async fn verify_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let body = body.json().await?;
    let batch = Batch::read(&app, &body).await?;
    let accepted = BatchAccepted::of(&app, new_id(), batch.emails.len());
    let answered = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::ACCEPTED, &accepted));
    let request = Request {
        deadline: None,
        retention: Some(batch.retention),
        callback: batch.callback,
        inputs: batch.emails,
        answer: answered.transpose()?,
        ..new_job(&app, accepted.job_id, access.client, batch.options.choice)?
    };
    submit(&app.store, &app.jobs, &app.site, request).await?;
    Ok(answer(StatusCode::ACCEPTED, &accepted))
}

/// A job of this product, of which nothing is known yet but whose it is and what is to be done.
pub(super) fn new_job(app: &App, id: Uuid, client: Uuid, choice: Choice) -> Result<Request, ApiError> {
    Ok(Request {
        id,
        client,
        facade: Facade::EmailVerifier.word(),
        source: Source::LIST,
        pipeline: app.verify.name().to_owned(),
        asks: app.verify.of(choice)?.has(SMTP_PROBE),
        skips: app.verify.skips(choice)?,
        window: None,
        deadline: None,
        retention: None,
        callback: None,
        is_billed: true,
        inputs: Vec::new(),
        sheet: None,
        answer: None,
        terms: None,
    })
}

/// How long results are kept.
///
/// # Errors
/// As many days are not to be had.
pub(super) fn retention(days: i64) -> Result<Duration, ApiError> {
    let within = u32::try_from(days).ok().filter(|_| RETENTION_DAYS.contains(&days));
    within.map(|days| DAY * days).ok_or_else(|| {
        let text = "The retention period must be between 1 and 30 days.";
        ApiError::new(StatusCode::BAD_REQUEST, "INVALID_RETENTION_DAYS", text)
    })
}

/// What is asked for.
struct Batch {
    emails: Vec<String>,
    options: Options,
    /// An address that was checked.
    callback: Option<String>,
    retention: Duration,
}

impl Batch {
    /// Its fields first, and then its limits.
    async fn read(app: &App, body: &Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of_body(body)?;
        let emails = fields.texts("emails").unwrap_or_default();
        if emails.is_empty() && body["emails"].as_array().is_some_and(Vec::is_empty) {
            fields.fault("emails", "too_short", "List should have at least 1 item after validation, not 0");
        }
        let options = Options::read(&mut fields);
        let callback = fields.text_if_any("webhook_url").map(str::to_owned);
        let retention_days = fields.integer("retention_days").unwrap_or(RETENTION_DAYS_DEFAULT);
        if let Some(url) = &callback
            && let Err(error) = app.guard.check(url).await
        {
            fields.fault("webhook_url", "url_unsafe", error.to_string());
        }
        fields.finish()?;
        if emails.len() > BATCH_MAX {
            let text = "Max 1000 emails per batch.";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "BATCH_TOO_LARGE", text));
        }
        let retention = retention(retention_days)?;
        let emails = emails.into_iter().map(|email| email.trim().to_owned()).collect();
        Ok(Self { emails, options, callback, retention })
    }
}

impl BatchAccepted {
    pub(super) fn of(app: &App, job_id: Uuid, total_emails: usize) -> Self {
        Self {
            job_id,
            status: "pending",
            total_emails,
            estimated_time_seconds: app.estimate.seconds(total_emails),
            check_status_url: format!("/api/v1/jobs/{job_id}"),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overdrawn(overdrawn) => Self::overdrawn(&overdrawn),
            SubmitError::Store(error) => error.into(),
            // The window is a day, and what is asked is limited: only a long line of other jobs can be in the way.
            SubmitError::Late(_) => Refusal::Unavailable(LINE_IS_LONG).into(),
            other => {
                tracing::error!("a job cannot be submitted: {other}");
                Refusal::Internal.into()
            }
        }
    }
}
