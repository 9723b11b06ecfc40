//! How each facade says that it refuses: the bodies, codes and sentences of three products, and problems (RFC 9457) for
//! what is ours.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::Response,
};
use serde::Serialize;
use serde_json::json;

use super::{
    email_verifier::{Detail, Failure},
    refusal::Refusal,
    relentless::failure,
    tasks::{self, Wrong},
};
use crate::access::Facade;

/// Whose words an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// `/api/v1/*` with `Api-Key`.
    EmailVerifier,
    /// `/client/*`.
    Relentless,
    /// `/api/v1/tasks*` and its kin.
    Tasks,
    /// `/healthz`, `/metrics` and the rest that is ours.
    Ours,
}

/// A refusal in the words of all of them.
struct Words {
    status: StatusCode,
    email_verifier: &'static str,
    relentless: &'static str,
    tasks: &'static str,
    text: String,
}

fn words(refusal: &Refusal) -> Words {
    let of = |status, email_verifier, relentless, tasks, text: &str| Words {
        status,
        email_verifier,
        relentless,
        tasks,
        text: text.to_owned(),
    };
    let key = |code, text: &str| of(StatusCode::UNAUTHORIZED, code, "unauthorized", "UNAUTHORIZED", text);
    match refusal {
        Refusal::NoRoute => of(StatusCode::NOT_FOUND, "NOT_FOUND", "not_found", "NOT_FOUND", "Not found."),
        Refusal::Method => of(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "method_not_allowed",
            "METHOD_NOT_ALLOWED",
            "Method not allowed.",
        ),
        Refusal::MissingKey => {
            key("MISSING_API_KEY", "API key required. Provide it via the 'Api-Key' header.")
        }
        Refusal::InvalidKey => key("INVALID_API_KEY", "Invalid API key."),
        Refusal::RevokedKey => key("KEY_REVOKED", "This API key has been revoked."),
        Refusal::ExpiredKey => key("KEY_EXPIRED", "This API key has expired."),
        Refusal::ClientInactive => of(
            StatusCode::FORBIDDEN,
            "CLIENT_INACTIVE",
            "forbidden",
            "FORBIDDEN",
            "Client account is inactive.",
        ),
        Refusal::Scope(scope) => of(
            StatusCode::FORBIDDEN,
            "INSUFFICIENT_SCOPE",
            "forbidden",
            "FORBIDDEN",
            &format!("This API key lacks the required scope '{scope}'."),
        ),
        Refusal::RateLimited(_) => of(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMIT_EXCEEDED",
            "rate_limited",
            "RATE_LIMITED",
            "Rate limit exceeded",
        ),
        Refusal::UriTooLong => of(
            StatusCode::URI_TOO_LONG,
            "URI_TOO_LONG",
            "uri_too_long",
            "URI_TOO_LONG",
            "The path and query of the request are too long.",
        ),
        Refusal::HeadersTooLarge => of(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "HEADERS_TOO_LARGE",
            "headers_too_large",
            "HEADERS_TOO_LARGE",
            "The request has too many headers, or too long ones.",
        ),
        other => words_about_the_rest(other, of),
    }
}

/// About bodies, and about us.
fn words_about_the_rest(
    refusal: &Refusal,
    of: impl Fn(StatusCode, &'static str, &'static str, &'static str, &str) -> Words,
) -> Words {
    match refusal {
        Refusal::TooLarge(max) => of(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "body_too_large",
            "BODY_TOO_LARGE",
            &format!("The request body exceeds the maximum of {max} bytes."),
        ),
        Refusal::TooSlow => of(
            StatusCode::REQUEST_TIMEOUT,
            "REQUEST_TIMEOUT",
            "request_timeout",
            "TIMEOUT",
            "The request body did not arrive in time.",
        ),
        Refusal::MediaType => of(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "unsupported_media_type",
            "UNSUPPORTED_MEDIA_TYPE",
            "The request body has a media type or an encoding that is not read here.",
        ),
        Refusal::Unprocessable(_) => of(
            StatusCode::UNPROCESSABLE_ENTITY,
            "VALIDATION_ERROR",
            "validation_error",
            "VALIDATION_ERROR",
            "The request is not valid.",
        ),
        Refusal::InProgress => of(
            StatusCode::CONFLICT,
            "IDEMPOTENCY_IN_PROGRESS",
            "idempotency_in_progress",
            "IDEMPOTENCY_IN_PROGRESS",
            "A request with this Idempotency-Key is still being worked at.",
        ),
        Refusal::Unavailable(_) => of(
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            "unavailable",
            "SERVICE_UNAVAILABLE",
            "The service cannot do this now. Try again later.",
        ),
        _ => of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "internal_error",
            "INTERNAL_ERROR",
            "An internal error occurred.",
        ),
    }
}

impl Shape {
    /// The words of a facade.
    pub(crate) fn of(facade: Facade) -> Self {
        match facade {
            Facade::EmailVerifier => Self::EmailVerifier,
            Facade::Relentless => Self::Relentless,
            Facade::Tasks => Self::Tasks,
        }
    }

    /// The word under which metrics know it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::EmailVerifier => Facade::EmailVerifier.word(),
            Self::Relentless => Facade::Relentless.word(),
            Self::Tasks => Facade::Tasks.word(),
            Self::Ours => "own",
        }
    }

    /// The answer to a request that is not served.
    pub(crate) fn refuse(self, refusal: &Refusal) -> Response {
        let words = words(refusal);
        let wait = wait(refusal);
        let mut response = match self {
            Self::EmailVerifier => email_verifier(refusal, &words),
            Self::Relentless => relentless(refusal, &words, wait),
            Self::Tasks => tasks(refusal, &words),
            Self::Ours => problem(refusal, &words),
        };
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        if words.status == StatusCode::UNAUTHORIZED && matches!(self, Self::Relentless | Self::Tasks) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if refusal.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whole seconds to wait, one at least.
fn wait(refusal: &Refusal) -> Option<u64> {
    let (Refusal::RateLimited(wait) | Refusal::Unavailable(wait)) = refusal else { return None };
    Some(seconds_up(*wait).max(1))
}

/// Whole seconds, of which none is too short.
pub(super) fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn email_verifier(refusal: &Refusal, words: &Words) -> Response {
    if let Refusal::Unprocessable(list) = refusal {
        return answer(words.status, &json!({ "detail": list }));
    }
    let detail = Detail { error: &words.text, code: words.email_verifier, extra: &[] };
    answer(words.status, &Failure { detail })
}

fn relentless(refusal: &Refusal, words: &Words, wait: Option<u64>) -> Response {
    match refusal {
        Refusal::Unprocessable(list) => answer(words.status, &json!({ "detail": list })),
        Refusal::NoRoute => answer(words.status, &json!({ "detail": "Not Found" })),
        Refusal::Method => answer(words.status, &json!({ "detail": "Method Not Allowed" })),
        _ => failure(words.status, words.relentless, &words.text, wait),
    }
}

fn tasks(refusal: &Refusal, words: &Words) -> Response {
    let (status, details) = match refusal {
        Refusal::Unprocessable(list) => {
            (StatusCode::BAD_REQUEST, Some(list.iter().map(Wrong::from).collect()))
        }
        _ => (words.status, None),
    };
    let message = match refusal {
        Refusal::MissingKey => "API key required. Provide it as 'Authorization: Bearer' or via 'X-API-Key'.",
        _ => &words.text,
    };
    answer(status, &tasks::Failure { error: tasks::Error { code: words.tasks, message, details } })
}

/// RFC 9457.
fn problem(refusal: &Refusal, words: &Words) -> Response {
    let mut body = json!({
        "type": "about:blank",
        "title": words.status.canonical_reason(),
        "status": words.status.as_u16(),
        "detail": words.text,
    });
    if let Refusal::Unprocessable(list) = refusal {
        body["errors"] = json!(list);
    }
    let mut response = answer(words.status, &body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// Octets of most answers, at most.
const ANSWER_OCTETS: usize = 1_024;

/// Headers of an answer, those of the front included.
const HEADERS: usize = 12;

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    in_json(status, body, Body::from)
}

/// The same. `held` is dropped when its octets are: when they are sent, or nobody wants them any more.
pub(crate) fn answer_holding(
    status: StatusCode,
    body: &impl Serialize,
    held: impl Send + 'static,
) -> Response {
    struct Holding<H>(Vec<u8>, H);

    impl<H> AsRef<[u8]> for Holding<H> {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    in_json(status, body, |octets| Body::from(Bytes::from_owner(Holding(octets, held))))
}

fn in_json(status: StatusCode, body: &impl Serialize, of: impl FnOnce(Vec<u8>) -> Body) -> Response {
    // So large that most need no more, and that of answers by the thousand none is moved while it is written.
    let mut octets = Vec::with_capacity(ANSWER_OCTETS);
    let (status, body) = match serde_json::to_writer(&mut octets, body) {
        Ok(()) => (status, of(octets)),
        // Our own types are JSON; a map with other keys would be a fault of ours.
        Err(error) => {
            tracing::error!("an answer cannot be written as JSON: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, Body::empty())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
