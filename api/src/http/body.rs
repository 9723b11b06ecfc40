//! Bodies of requests: read up to a limit of octets and of time, and understood as JSON. Nothing is read before an endpoint
//! wants it.

use std::{convert::Infallible, time::Duration};

use axum::{
    BoxError,
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    digested::{Digest, Digested},
    form::{FORM_TIME_MAX, is_form},
    invalid::Invalid,
    refusal::Refusal,
};

/// Octets of a body that is read as a whole: a thousand addresses of the greatest length, three times over.
pub(crate) const BODY_MAX: usize = 1024 * 1024;

/// Octets of one that is only compared with another that was answered: more than any endpoint takes.
const COMPARED_MAX: usize = 32 * 1024 * 1024;

/// For a whole body. Who sends a megabyte in that time has a very slow line.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// What is read of a body that is too large, so that its sender comes to read the answer.
const REST_MAX: usize = 1024 * 1024;

/// For that.
const REST_TIME_MAX: Duration = Duration::from_secs(2);

/// The body of a request, not yet read.
pub(crate) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl<S: Send + Sync> FromRequest<S> for Received {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(Self { headers: parts.headers, body })
    }
}

impl Received {
    /// The whole of it as JSON. Of keys that stand twice in an object, the last one counts.
    ///
    /// # Errors
    /// It is no JSON, or says that it is something else; it is too large or too slow.
    pub(crate) async fn json(self) -> Result<Value, Refusal> {
        self.json_within(BODY_MAX).await
    }

    /// The same of a body that may be so large.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn json_within(self, octets_max: usize) -> Result<Value, Refusal> {
        if is_encoded(&self.headers) || !is_json(&self.headers) {
            return Err(Refusal::MediaType);
        }
        let octets = read(&self.headers, self.body, octets_max).await?;
        if octets.is_empty() {
            return Err(Refusal::of(Invalid::new(["body"], "missing", "Field required")));
        }
        serde_json::from_slice(&octets).map_err(|error| Refusal::of(no_json(&error)))
    }
}

/// Reads a whole body.
async fn read(headers: &HeaderMap, body: Body, octets_max: usize) -> Result<Bytes, Refusal> {
    read_by(headers, body, octets_max, BODY_TIME_MAX, async |body| Ok(body.collect().await?.to_bytes())).await
}

/// The digest of a whole body, of which nothing is held.
pub(super) async fn digest(headers: &HeaderMap, body: Body) -> Result<Digest, Refusal> {
    let (body, whole) = Digested::of(headers, body);
    let time_max = if is_form(headers) { FORM_TIME_MAX } else { BODY_TIME_MAX };
    read_by(headers, body, COMPARED_MAX, time_max, async |mut body| {
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok(())
    })
    .await?;
    whole.digest().ok_or(Refusal::Internal)
}

/// Reads a body of so many octets at most, in time.
async fn read_by<T>(
    headers: &HeaderMap,
    mut body: Body,
    octets_max: usize,
    time_max: Duration,
    read: impl AsyncFnOnce(Limited<&mut Body>) -> Result<T, BoxError>,
) -> Result<T, Refusal> {
    is_within(headers, &mut body, octets_max).await?;
    match timeout(time_max, read(Limited::new(&mut body, octets_max))).await {
        Err(_) => Err(Refusal::TooSlow),
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            read_rest(&mut body).await;
            Err(Refusal::TooLarge(octets_max))
        }
        // The client has gone, or its chunks are none. Nobody hears the answer in the first case.
        Ok(Err(_)) => Err(Refusal::of(Invalid::new(["body"], "body_incomplete", "The body is not complete"))),
    }
}

/// How long a body is to be, where that is said; it is no longer than it may be.
pub(super) async fn is_within(
    headers: &HeaderMap,
    body: &mut Body,
    octets_max: usize,
) -> Result<Option<usize>, Refusal> {
    let length = said_length(headers);
    if length.is_none_or(|length| length <= octets_max) {
        return Ok(length);
    }
    // Who asks before sending, has not sent.
    if !headers.contains_key(EXPECT) {
        read_rest(body).await;
    }
    Err(Refusal::TooLarge(octets_max))
}

/// How long a body is to be, where that is said.
pub(super) fn said_length(headers: &HeaderMap) -> Option<usize> {
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    said.map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

/// Reads on for a while: a connection that is closed with octets unread loses the answer.
pub(super) async fn read_rest(body: &mut Body) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > REST_MAX {
                return;
            }
        }
    };
    let _ = timeout(REST_TIME_MAX, rest).await;
}

/// It is compressed, and perhaps small because of that.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// It says so, or says nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(said) = headers.get(CONTENT_TYPE) else { return true };
    let Ok(said) = said.to_str() else { return false };
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Where it ceases to be JSON, without repeating what stands there.
fn no_json(error: &serde_json::Error) -> Invalid {
    let place = format!("JSON decode error at line {} column {}", error.line(), error.column());
    Invalid::new(["body"], "json_invalid", place)
}
