//! `GET /client/jobs/{job_id}/inputs.txt`, `results.json` and `results.txt`: what was submitted, and what came of it. They
//! are written from the rows of the job while they are read, some rows at a time. What has not changed is not sent again.

use std::{collections::VecDeque, fmt::Write as _, io, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
            LAST_MODIFIED,
        },
    },
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use futures_util::stream;
use jiff::{Timestamp, fmt::rfc2822};
use sha2::{Digest as _, Sha256};

use super::{
    error::ApiError,
    jobs::{InPath, item_of, known, own_job},
    openapi::{Artifact as ArtifactSchema, ErrorResponse},
};
use crate::{
    facade::relentless::{
        artifact,
        item::JobItem,
        job::{Closing, JobType},
        terms::Terms,
    },
    http::{App, Caller, Refusal, SOON, tagged::is_known},
    jobs::{
        aside::aside,
        results::page::{Told, page},
    },
    metrics::Limit,
    store::{Shared, StoreError, jobs::JobRow, relentless::version},
    webhooks::callback_of,
};

/// Rows that are looked up at once: for each, all chunks of the job are opened, and half a megabyte is held.
const ROWS_AT_ONCE: u32 = 1_000;

/// Counts up when the same rows are written otherwise.
const FORMAT: u8 = 1;

/// What is told of a job's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Artifact {
    Inputs,
    Json,
    Text,
}

impl Artifact {
    fn name(self) -> &'static str {
        match self {
            Self::Inputs => "inputs.txt",
            Self::Json => "results.json",
            Self::Text => "results.txt",
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Inputs | Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
        })
    }
}

/// What was submitted, a line for each input: an address, or a name, a tab and a domain.
#[utoipa::path(
    get,
    path = "/client/jobs/{job_id}/inputs.txt",
    tag = "Jobs",
    params(("job_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The inputs"),
        (status = 304, description = "They have not changed"),
        (status = 404, body = ErrorResponse, description = "`job_not_found`"),
        (status = 410, body = ErrorResponse, description = "`payload_expired`"),
    ),
)]
pub(super) async fn inputs(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = own_job(&app.store.request().await?, &access, &id).await?;
    told(&app, row, Artifact::Inputs, &headers).await
}

/// A job that has ended, with all of its items.
#[utoipa::path(
    get,
    path = "/client/jobs/{job_id}/results.json",
    tag = "Jobs",
    params(("job_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = ArtifactSchema, description = "The job as it was told at its end"),
        (status = 304, description = "It has not changed"),
        (status = 404, body = ErrorResponse, description = "`job_not_found`"),
        (status = 409, body = ErrorResponse, description = "`job_not_finished`"),
        (status = 410, body = ErrorResponse, description = "`payload_expired`"),
    ),
)]
pub(super) async fn results_json(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = own_job(&app.store.request().await?, &access, &id).await?;
    told(&app, row, Artifact::Json, &headers).await
}

/// The results of a job that has ended, a line for each input: the input, the state, the outcome and the address, with tabs
/// between them.
#[utoipa::path(
    get,
    path = "/client/jobs/{job_id}/results.txt",
    tag = "Jobs",
    params(("job_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The results"),
        (status = 304, description = "They have not changed"),
        (status = 404, body = ErrorResponse, description = "`job_not_found`"),
        (status = 409, body = ErrorResponse, description = "`job_not_finished`"),
        (status = 410, body = ErrorResponse, description = "`payload_expired`"),
    ),
)]
pub(super) async fn results_text(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = own_job(&app.store.request().await?, &access, &id).await?;
    told(&app, row, Artifact::Text, &headers).await
}

async fn told(app: &Arc<App>, row: JobRow, what: Artifact, theirs: &HeaderMap) -> Result<Response, ApiError> {
    if what != Artifact::Inputs && row.end().is_none() {
        return Err(ApiError::job_not_finished());
    }
    if row.has_expired() {
        return Err(ApiError::payload_expired());
    }
    let connection = app.store.request().await?;
    let (tag, modified) = (tag(&row, what, &version(&connection, row.id).await?), modified(&row, what));
    if is_theirs(theirs, &tag, modified) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, tag, modified);
        return Ok(response);
    }
    let known = known(&connection, row.id).await?;
    drop(connection);
    let Some(place) = app.downloads.take(row.client) else {
        app.metrics.met(Limit::Downloads);
        return Err(Refusal::Unavailable(SOON).into());
    };
    let terms = Terms::read(&known.terms)?;
    let mut pending = VecDeque::new();
    if what == Artifact::Json {
        let url = callback_of(app.store.keys(), &row)?;
        let closing = known.summary.as_deref().map(Closing::read).transpose()?.unwrap_or_default();
        pending.push_back(Bytes::from(artifact::head(&row, &terms, url, &closing)?));
    }
    let disposition = format!("attachment; filename=\"{}-{}\"", row.id, what.name());
    // Whoever ends the process waits for it, as for its connection.
    let held = (place, app.ongoing.begin());
    let writing = Writing {
        store: app.store.clone(),
        row: Arc::new(row),
        terms: Arc::new(terms),
        what,
        next: 1,
        pending,
    };
    let octets = stream::try_unfold((writing, held), async |(mut writing, held)| {
        let next = writing.next().await.map_err(io::Error::other)?;
        io::Result::Ok(next.map(|octets| (octets, (writing, held))))
    });
    let mut response = Response::new(Body::from_stream(octets));
    response.headers_mut().insert(CONTENT_TYPE, what.media_type());
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    describe(&mut response, tag, modified);
    Ok(response)
}

/// By what an artifact is known again: strong, since its octets are the same for as long as its rows are.
fn tag(row: &JobRow, what: Artifact, version: &str) -> String {
    let known = format!(
        "{FORMAT} {} {} {:?} {version}",
        what.name(),
        row.id,
        row.ended_at.filter(|_| what != Artifact::Inputs)
    );
    format!("\"{}\"", BASE64.encode(Sha256::digest(known)))
}

fn modified(row: &JobRow, what: Artifact) -> Timestamp {
    row.ended_at.filter(|_| what != Artifact::Inputs).unwrap_or(row.created_at)
}

/// Whether the client has it already. A tag says more than a time.
fn is_theirs(theirs: &HeaderMap, tag: &str, modified: Timestamp) -> bool {
    if theirs.contains_key(IF_NONE_MATCH) {
        return HeaderValue::try_from(tag).is_ok_and(|tag| is_known(theirs, &tag));
    }
    let since = theirs.get(IF_MODIFIED_SINCE).and_then(|since| since.to_str().ok());
    let since = since.and_then(|since| rfc2822::DateTimeParser::new().parse_timestamp(since).ok());
    since.is_some_and(|since| modified.as_second() <= since.as_second())
}

fn describe(response: &mut Response, tag: String, modified: Timestamp) {
    let headers = response.headers_mut();
    let modified = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&modified).unwrap_or_default();
    for (name, value) in [(ETAG, tag), (LAST_MODIFIED, modified)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    // Its client may keep it, and asks again; nobody on the way keeps anything.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// An artifact that is written.
struct Writing {
    store: Shared,
    row: Arc<JobRow>,
    terms: Arc<Terms>,
    what: Artifact,
    /// The next row; 0: there are none left, and the end is written.
    next: u32,
    /// What is written and not sent.
    pending: VecDeque<Bytes>,
}

impl Writing {
    /// The next octets, until there are no more.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if let Some(octets) = self.pending.pop_front() {
                return Ok(Some(octets));
            }
            let items = u32::try_from(self.row.items).unwrap_or_default();
            if self.next == 0 {
                return Ok(None);
            }
            if self.next > items {
                self.next = 0;
                if self.what == Artifact::Json {
                    self.pending.push_back(Bytes::from_static(artifact::end()));
                }
                continue;
            }
            let rows = page(&self.store, &self.row, self.next, ROWS_AT_ONCE).await?;
            let rows =
                rows.ok_or_else(|| StoreError::Unread("the rows of a job were deleted meanwhile".into()))?;
            let (row, terms, what) = (self.row.clone(), self.terms.clone(), self.what);
            let text = aside(move || written(&row, &terms, what, &rows)).await?;
            self.pending.push_back(text.into());
            self.next = self.next.saturating_add(ROWS_AT_ONCE);
        }
    }
}

/// Some rows.
fn written(row: &JobRow, terms: &Terms, what: Artifact, rows: &[Told]) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    for told in rows {
        match what {
            Artifact::Inputs => line(&mut text, columns(row, &told.input)),
            Artifact::Json => artifact::item(&mut text, &item_of(row, terms, told), told.row == 1)?,
            Artifact::Text => results_line(&mut text, row, told, &item_of(row, terms, told)),
        }
    }
    Ok(text)
}

fn results_line(text: &mut Vec<u8>, row: &JobRow, told: &Told, item: &JobItem) {
    let Some(result) = &item.result else { return line(text, columns(row, &told.input)) };
    let words = [result.state.word(), result.outcome.word(), result.address.as_deref().unwrap_or_default()];
    line(text, columns(row, &told.input).chain(words));
}

/// The columns of an input: those of a person are two.
fn columns<'t>(row: &JobRow, input: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
    let columns = if JobType::of(row) == JobType::FinderBatch { 2 } else { 1 };
    input.splitn(columns, '\t')
}

/// A line, in which nothing ends it but its end.
fn line<'a>(text: &mut Vec<u8>, columns: impl Iterator<Item = &'a str>) {
    for (number, column) in columns.enumerate() {
        if number > 0 {
            text.push(b'\t');
        }
        text.extend_from_slice(escaped(column).as_bytes());
    }
    text.push(b'\n');
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            // A string takes everything.
            let _ = write!(escaped, "\\u{:04X}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_nowhere_but_at_its_end() {
        let mut text = Vec::new();
        line(&mut text, ["a\nb\u{85}", "c\td", ""].into_iter());
        assert_eq!(String::from_utf8(text).unwrap(), "a\\u000Ab\\u0085\tc\\u0009d\t\n");
    }

    #[test]
    fn a_tag_says_more_than_a_time() {
        let modified: Timestamp = "2027-01-02T12:00:00.9Z".parse().unwrap();
        let of = |headers: &[(axum::http::HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_theirs(&headers.collect(), "\"a\"", modified)
        };
        assert!(of(&[(IF_NONE_MATCH, "\"a\"")]));
        assert!(of(&[(IF_MODIFIED_SINCE, "Sat, 02 Jan 2027 12:00:00 GMT")]));
        assert!(!of(&[(IF_MODIFIED_SINCE, "Sat, 02 Jan 2027 11:59:59 GMT")]));
        assert!(!of(&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, "Sat, 02 Jan 2027 12:00:00 GMT")]));
        assert!(!of(&[(IF_MODIFIED_SINCE, "yesterday")]) && !of(&[]));
    }
}
