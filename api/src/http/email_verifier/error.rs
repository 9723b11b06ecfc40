//! Errors of this facade: `{"detail":{"error","code"}}`, and lists for fields that are wrong. All its codes are here.

use std::borrow::Cow;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use crate::{
    billing::Overdrawn,
    http::{
        api_error::{self, OwnRefusal},
        shape::{Shape, answer},
    },
};

/// Why an endpoint does not do it.
pub(crate) type ApiError = api_error::ApiError<Own>;

/// A refusal with a code of this facade.
#[derive(Debug)]
pub(crate) struct Own {
    status: StatusCode,
    code: &'static str,
    text: Cow<'static, str>,
    extra: Vec<(&'static str, Value)>,
}

impl ApiError {
    /// A refusal by status, code and text.
    pub(crate) fn new(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Own(Own { status, code, text: text.into(), extra: Vec::new() })
    }

    /// A month's credits are used up, or too few are left.
    pub(crate) fn overdrawn(overdrawn: &Overdrawn) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, "QUOTA_EXCEEDED", "Monthly quota exhausted.")
            .with("used", overdrawn.used)
            .with("monthly_quota", overdrawn.monthly_quota)
            .with("remaining", overdrawn.remaining)
    }

    /// There is none of this id, or it is somebody else's.
    pub(crate) fn job_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "JOB_NOT_FOUND", "Job not found.")
    }

    /// There is no file of a job before it is completed, nor of one that never is.
    pub(crate) fn job_not_completed(status: &str) -> Self {
        let text = format!("Job is not completed yet (status: {status}).");
        Self::new(StatusCode::CONFLICT, "JOB_NOT_COMPLETED", text)
    }

    /// The file of a job was kept long enough.
    pub(crate) fn result_file_expired() -> Self {
        let text = "Result file has expired and is no longer available.";
        Self::new(StatusCode::GONE, "RESULT_FILE_EXPIRED", text)
    }

    /// The file of a job should be there.
    pub(crate) fn result_file_missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESULT_FILE_MISSING", "Result file not found.")
    }

    /// The same with one more field, beside `error` and `code`.
    #[must_use]
    pub(crate) fn with(self, key: &'static str, value: impl Into<Value>) -> Self {
        match self {
            Self::Own(mut own) => {
                own.extra.push((key, value.into()));
                Self::Own(own)
            }
            refused @ Self::Refused(_) => refused,
        }
    }
}

impl OwnRefusal for Own {
    const SHAPE: Shape = Shape::EmailVerifier;
}

impl IntoResponse for Own {
    fn into_response(self) -> Response {
        let Self { status, code, text, extra } = self;
        let detail = Detail { error: &text, code, extra: &extra };
        answer(status, &Failure { detail })
    }
}

/// An error as clients read it, in the order in which they were shown its keys.
#[derive(Serialize)]
pub(in crate::http) struct Failure<'a> {
    pub(in crate::http) detail: Detail<'a>,
}

/// What it says.
pub(in crate::http) struct Detail<'a> {
    pub(in crate::http) error: &'a str,
    pub(in crate::http) code: &'a str,
    /// What a code has besides.
    pub(in crate::http) extra: &'a [(&'static str, Value)],
}

impl Serialize for Detail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut detail = serializer.serialize_map(Some(2 + self.extra.len()))?;
        detail.serialize_entry("error", self.error)?;
        detail.serialize_entry("code", self.code)?;
        for (key, value) in self.extra {
            detail.serialize_entry(key, value)?;
        }
        detail.end()
    }
}
