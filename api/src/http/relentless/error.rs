//! Errors of this facade, for clients that read `detail.error` and for those that read `error`. All its keys are here.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    http::{
        api_error::{self, OwnRefusal},
        shape::{Shape, answer},
    },
    metrics::Limit,
};

/// What whoever finds no room is told: the product's own words.
const BUSY: &str =
    "Synchronous verification is temporarily at capacity. Retry shortly or use a background job instead.";

/// When to come again then: most addresses are answered within that.
const BUSY_RETRY: Duration = Duration::from_secs(5);

/// Why an endpoint does not do it.
pub(crate) type ApiError = api_error::ApiError<Own>;

/// A refusal with a key of this facade.
#[derive(Debug)]
pub(crate) struct Own {
    status: StatusCode,
    key: &'static str,
    text: Cow<'static, str>,
    /// What to do instead.
    suggestion: Option<&'static str>,
    retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, key: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Own(Own { status, key, text: text.into(), suggestion: None, retry_after: None })
    }

    /// There is none of this id, or it is somebody else's.
    pub(super) fn job_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "job_not_found", "Job not found.")
    }

    /// There are no results of a job before it has ended.
    pub(super) fn job_not_finished() -> Self {
        Self::new(StatusCode::CONFLICT, "job_not_finished", "The job has not finished yet.")
    }

    /// What a job was made from and what came of it was kept long enough.
    pub(super) fn payload_expired() -> Self {
        Self::new(StatusCode::GONE, "payload_expired", "The payload of this job has expired.")
    }

    /// A client has used up what it may.
    pub(super) fn usage_exhausted() -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, "usage_exhausted", "The usage of this account is exhausted.")
    }

    /// There is no room. `suggestion`: what to do instead.
    pub(super) fn service_busy(suggestion: &'static str) -> Self {
        Self::Own(Own {
            status: StatusCode::TOO_MANY_REQUESTS,
            key: "service_busy",
            text: BUSY.into(),
            suggestion: Some(suggestion),
            retry_after: Some(BUSY_RETRY.as_secs()),
        })
    }
}

impl OwnRefusal for Own {
    const SHAPE: Shape = Shape::Relentless;
}

impl IntoResponse for Own {
    fn into_response(self) -> Response {
        let Self { status, key, text, suggestion, retry_after } = self;
        let mut response = written(status, key, &text, suggestion, retry_after);
        if let Some(wait) = retry_after {
            response.extensions_mut().insert(Limit::SyncAddresses);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// An error as clients read it. `wait`: seconds after which to come again.
pub(in crate::http) fn failure(status: StatusCode, key: &str, message: &str, wait: Option<u64>) -> Response {
    written(status, key, message, None, wait)
}

fn written(
    status: StatusCode,
    error: &str,
    message: &str,
    suggestion: Option<&str>,
    retry_after_seconds: Option<u64>,
) -> Response {
    let detail = Detail { error, message, details: Details { suggestion } };
    answer(status, &Failure { detail, error, message, retry_after_seconds })
}

#[derive(Serialize)]
struct Failure<'a> {
    detail: Detail<'a>,
    error: &'a str,
    message: &'a str,
    retry_after_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Detail<'a> {
    error: &'a str,
    message: &'a str,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
}
