//! Errors of this facade: `{"error":{"code","message","details"}}`. What is wrong with fields is 400 here.

use std::borrow::Cow;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    billing::{BillingError, Overdrawn},
    http::{
        SOON,
        api_error::{self, OwnRefusal},
        invalid::Invalid,
        refusal::Refusal,
        shape::{Shape, answer},
    },
    jobs::submit::SubmitError,
};

/// When to come again where other jobs are in the way for a day: it takes hours until that is otherwise.
const LINE_IS_LONG: std::time::Duration = std::time::Duration::from_hours(1);

/// Why an endpoint does not do it.
pub(super) type ApiError = api_error::ApiError<Own>;

/// A refusal with a code of this facade.
#[derive(Debug)]
pub(super) struct Own {
    status: StatusCode,
    code: &'static str,
    text: Cow<'static, str>,
}

impl ApiError {
    /// A refusal by status, code and text.
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Own(Own { status, code, text: text.into() })
    }

    /// A refusal of one field or parameter.
    pub(super) fn field(place: &str, name: &str, reason: impl Into<String>) -> Self {
        Self::Refused(Refusal::of(Invalid::new([place, name], "value_error", reason)))
    }

    /// There is none of this id, or it is somebody else's.
    pub(super) fn task_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Task not found.")
    }

    /// There is no file of this id, or it is somebody else's.
    pub(super) fn upload_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Upload not found.")
    }

    /// The rows of a task were kept long enough.
    pub(super) fn results_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The results of the task have expired.")
    }

    /// There is no such client.
    pub(super) fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "User not found.")
    }

    fn overdrawn(overdrawn: &Overdrawn) -> Self {
        let text = format!("Insufficient credits: {} remain.", overdrawn.remaining);
        Self::new(StatusCode::PAYMENT_REQUIRED, "INSUFFICIENT_CREDITS", text)
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
                tracing::error!("a task cannot be submitted: {other}");
                Refusal::Internal.into()
            }
        }
    }
}

impl From<BillingError> for ApiError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Overdrawn(overdrawn) => Self::overdrawn(&overdrawn),
            BillingError::Lapsed => Refusal::Unavailable(SOON).into(),
            BillingError::Store(error) => error.into(),
        }
    }
}

impl OwnRefusal for Own {
    const SHAPE: Shape = Shape::Tasks;
}

impl IntoResponse for Own {
    fn into_response(self) -> Response {
        let Self { status, code, text } = self;
        let error = Error { code, message: &text, details: None };
        answer(status, &Failure { error })
    }
}

/// An error as clients read it.
#[derive(Serialize)]
pub(in crate::http) struct Failure<'a> {
    pub(in crate::http) error: Error<'a>,
}

/// What it says.
#[derive(Serialize)]
pub(in crate::http) struct Error<'a> {
    pub(in crate::http) code: &'a str,
    pub(in crate::http) message: &'a str,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) details: Option<Vec<Wrong<'a>>>,
}

/// A field that is wrong.
#[derive(Serialize)]
pub(in crate::http) struct Wrong<'a> {
    field: String,
    reason: &'a str,
}

impl<'a> From<&'a Invalid> for Wrong<'a> {
    fn from(invalid: &'a Invalid) -> Self {
        let field: Vec<String> = invalid.loc.iter().skip(1).map(ToString::to_string).collect();
        Self { field: field.join("."), reason: &invalid.msg }
    }
}
