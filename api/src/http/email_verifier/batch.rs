//! `POST /api/v1/verify/batch`: a list, verified in the background.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError,
    openapi::{BatchRequest, ErrorBody},
    options::Options,
};
use crate::{
    access::Facade,
    assembly::SMTP_PROBE,
    http::{App, Caller, Fields, Received, Refusal, answer},
    jobs::submit::{Request, SubmitError, submit},
};

/// Addresses of one batch: the product's own limit, which stands in the text of its error.
const BATCH_MAX: usize = 1_000;

/// Days for which results may be kept.
const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 1..=30;

const RETENTION_DAYS_DEFAULT: i64 = 1;

const DAY: Duration = Duration::from_hours(24);

/// Addresses a second that a client is told to reckon with.
const PER_SECOND: usize = 10;

/// A job that begins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchAccepted {
    job_id: Uuid,
    status: &'static str,
    total_emails: usize,
    estimated_time_seconds: usize,
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
        (status = 402, body = ErrorBody, description = "`QUOTA_EXCEEDED`, with `used`, `monthly_quota`, `remaining`"),
    ),
)]
pub(super) async fn verify_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    body: Received,
) -> Result<Response, ApiError> {
    let body = body.json().await?;
    let mut fields = Fields::of_body(&body)?;
    let emails = fields.texts("emails").unwrap_or_default();
    if emails.is_empty() && body.get("emails").and_then(|emails| emails.as_array()).is_some_and(Vec::is_empty)
    {
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
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "BATCH_TOO_LARGE", "Max 1000 emails per batch."));
    }
    let days = u32::try_from(retention_days).ok().filter(|_| RETENTION_DAYS.contains(&retention_days));
    let days = days.ok_or_else(|| {
        let text = "The retention period must be between 1 and 30 days.";
        ApiError::new(StatusCode::BAD_REQUEST, "INVALID_RETENTION_DAYS", text)
    })?;
    let total_emails = emails.len();
    let pipeline = app.verify.of(options.choice)?;
    let request = Request {
        client: access.client,
        facade: Facade::EmailVerifier.word(),
        pipeline: app.verify.name().to_owned(),
        asks: pipeline.has(SMTP_PROBE),
        skips: app.verify.skips(options.choice)?,
        window: None,
        retention: Some(DAY * days),
        callback,
        is_billed: true,
        inputs: emails.into_iter().map(str::to_owned).collect(),
    };
    let job_id = submit(&app.store, &app.jobs, &app.site, request).await?;
    let accepted = BatchAccepted {
        job_id,
        status: "pending",
        total_emails,
        estimated_time_seconds: total_emails.div_ceil(PER_SECOND).max(1),
        check_status_url: format!("/api/v1/jobs/{job_id}"),
    };
    Ok(answer(StatusCode::ACCEPTED, &accepted))
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overdrawn(overdrawn) => Self::overdrawn(&overdrawn),
            SubmitError::Store(error) => error.into(),
            // The window is a day, and what is asked is limited: only a long line of other jobs can be in the way.
            SubmitError::Late(_) => Refusal::Unavailable(DAY / 24).into(),
            other => {
                tracing::error!("a batch cannot be submitted: {other}");
                Refusal::Internal.into()
            }
        }
    }
}
