//! `POST /api/v1/verify/csv`: a table with a column of addresses, verified in the background and kept as it came. It is
//! read as it comes in, and is never whole in memory; the answer says how it was understood.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError,
    batch::{BatchAccepted, RETENTION_DAYS_DEFAULT, new_job, retention},
    openapi::{CsvRequest, ErrorBody, QuotaBody},
    options,
};
use crate::{
    assembly::Choice,
    csv::{
        CsvError,
        intake::{DataRow, Intake, Terms},
        layout::Layout,
    },
    http::{App, Caller, Form, FormError, Query, Received, Refusal, Room, SOON, Ticket, answer},
    jobs::{
        sheet::{Gathering, Sheet},
        submit::{Request, Source, SubmitError, new_id, submit},
    },
    metrics::Limit,
    store::keys::Keyring,
};

/// Octets of the file: the product's own limit, which stands in the text of its error.
const FILE_MAX: usize = 20 * 1024 * 1024;

/// Rows without the header: the product's own limit, as above.
const ROWS_MAX: u64 = 100_000;

/// The word of jobs that are made from a table.
pub(super) const CSV: &str = "csv";

/// A job that begins, and how its table was understood.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CsvAccepted {
    #[serde(flatten)]
    job: BatchAccepted,
    /// `,`, `;`, a tabulator or `|`.
    detected_delimiter: char,
    /// `utf-8`, `utf-8-sig`, `cp1252` or `latin-1`.
    detected_encoding: &'static str,
    email_column_name: String,
    /// The first row names the columns. Where it does not, they are `column_1` and so on.
    has_header: bool,
    extra_column_names: Vec<String>,
}

/// Submits a table of up to 100,000 rows, whose addresses are verified in the background. Encoding, delimiter, header and
/// the column of addresses are found out; the other columns are kept.
#[utoipa::path(
    post,
    path = "/api/v1/verify/csv",
    tag = "Verification",
    request_body(content = CsvRequest, content_type = "multipart/form-data"),
    responses(
        (status = 202, body = CsvAccepted, description = "The job that was made of it"),
        (status = 400, body = ErrorBody, description = "`INVALID_RETENTION_DAYS`, `EMPTY_FILE`, `CSV_PARSE_ERROR`, \
            `EMPTY_CSV`, `TOO_MANY_ROWS`, `UPLOAD_FAILED`"),
        (status = 402, body = QuotaBody, description = "`QUOTA_EXCEEDED`"),
        (status = 413, body = ErrorBody, description = "`FILE_TOO_LARGE`, `BODY_TOO_LARGE`"),
    ),
)]
pub(super) async fn verify_csv(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    mut body: Received,
) -> Result<Response, ApiError> {
    let length = body.file_length(FILE_MAX).await?;
    let Some(room) = app.uploads.take(access.client, length) else {
        app.metrics.met(Limit::Uploads);
        body.skip().await;
        return Err(Refusal::Unavailable(SOON).into());
    };
    let id = new_id();
    let mut taking = Taking::new(app.store.keys().clone(), id);
    let form = body.form("file", FILE_MAX, |octets| taking.push(octets)).await?;
    let upload = Upload::read(&app, form).await?;
    // With many rows that takes a while, for which others of this thread would wait.
    let taken = spawn_blocking(move || taking.finish(room)).await.map_err(|_| Refusal::Internal)??;
    let accepted = CsvAccepted::of(&app, id, &taken);
    let answered = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::ACCEPTED, &accepted));
    let request = Request {
        source: Source { word: CSV, filename: upload.filename },
        retention: Some(upload.retention),
        callback: upload.callback,
        inputs: taken.inputs,
        sheet: Some(taken.sheet),
        answer: answered.transpose()?,
        ..new_job(&app, id, access.client, upload.choice)?
    };
    submit(&app.store, &app.jobs, &app.site, request).await.map_err(not_submitted)?;
    Ok(answer(StatusCode::ACCEPTED, &accepted))
}

/// A table that comes in. What is wrong with it is told when the form has been read.
struct Taking {
    intake: Intake,
    gathering: Gathering,
    error: Option<CsvError>,
}

/// A table that is whole.
struct Taken {
    layout: Layout,
    /// Its column of addresses, from 0.
    email: usize,
    inputs: Vec<String>,
    sheet: Sheet,
}

impl Taking {
    fn new(keys: Keyring, job: Uuid) -> Self {
        let terms = Terms { octets_max: FILE_MAX as u64, rows_max: ROWS_MAX, column: None };
        Self { intake: Intake::new(terms), gathering: Gathering::new(keys, job), error: None }
    }

    fn push(&mut self, octets: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let Self { intake, gathering, .. } = self;
        self.error = intake.push(octets, &mut |row| take_row(gathering, row)).err();
    }

    /// `room`: what it takes, which is free again when the table is no longer held. Its client may have left before.
    fn finish(mut self, room: Room) -> Result<Taken, CsvError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.intake.finish(&mut |row| take_row(&mut self.gathering, row))?;
        let layout = self.intake.layout();
        let email = layout.checked()?;
        let (inputs, sheet) = self.gathering.finish(&layout, Some(Box::new(room)));
        Ok(Taken { layout, email, inputs, sheet })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "others may have enough of a table")]
fn take_row(gathering: &mut Gathering, row: DataRow<'_>) -> Result<(), CsvError> {
    gathering.push(&row);
    Ok(())
}

/// What is asked for, beside the table.
struct Upload {
    choice: Choice,
    /// An address that was checked.
    callback: Option<String>,
    retention: Duration,
    filename: Option<String>,
}

impl Upload {
    /// The fields of a form first, and then their limits.
    async fn read(app: &App, form: Form) -> Result<Self, ApiError> {
        let Form { texts, file, wrong } = form;
        let mut fields = Query::of_form(texts, wrong);
        let choice = options::of_form(&mut fields);
        let callback = fields.text("webhook_url").map(str::to_owned);
        let days = fields.integer("retention_days", i64::MIN..=i64::MAX).unwrap_or(RETENTION_DAYS_DEFAULT);
        if let Some(url) = &callback
            && let Err(error) = app.guard.check(url).await
        {
            fields.fault("webhook_url", "url_unsafe", error.to_string());
        }
        fields.finish()?;
        Ok(Self { choice, callback, retention: retention(days)?, filename: file.and_then(|file| file.name) })
    }
}

impl CsvAccepted {
    fn of(app: &App, id: Uuid, taken: &Taken) -> Self {
        let Taken { layout, email, inputs, .. } = taken;
        let (mut own, mut extra) = (String::new(), Vec::new());
        for (column, name) in layout.names.iter().enumerate() {
            if column == *email {
                own.clone_from(name);
            } else {
                extra.push(name.clone());
            }
        }
        Self {
            job: BatchAccepted::of(app, id, inputs.len()),
            detected_delimiter: layout.delimiter.octet().into(),
            detected_encoding: layout.encoding.label(),
            email_column_name: own,
            has_header: layout.header.is_some(),
            extra_column_names: extra,
        }
    }
}

/// What becomes of a table that has been read, and is not written down: where there is no room for it, it is the upload
/// that failed.
fn not_submitted(error: SubmitError) -> ApiError {
    match error {
        SubmitError::Store(error) if error.is_out_of_room() => {
            tracing::error!("an upload is not taken: {error}");
            bad("UPLOAD_FAILED", "Could not store the uploaded file.")
        }
        error => error.into(),
    }
}

fn bad(code: &'static str, text: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, text)
}

fn too_large() -> ApiError {
    let text = format!("CSV file exceeds the maximum size of {} MB.", FILE_MAX >> 20);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "FILE_TOO_LARGE", text)
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Refused(refusal) => refusal.into(),
            FormError::FileTooLarge => too_large(),
        }
    }
}

impl From<CsvError> for ApiError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::EmptyFile => bad("EMPTY_FILE", "Uploaded file is empty."),
            CsvError::NoRows => bad("EMPTY_CSV", "CSV file contains no data rows."),
            CsvError::TooLarge { .. } => too_large(),
            CsvError::TooManyRows { .. } => {
                bad("TOO_MANY_ROWS", format!("CSV file exceeds the maximum of {ROWS_MAX} rows."))
            }
            CsvError::NoEmailColumn | CsvError::NoSuchColumn(_) => {
                bad("CSV_PARSE_ERROR", "Could not detect a valid email column.")
            }
            // Which row it is, and what is wrong with it, but not what it says.
            other => bad("CSV_PARSE_ERROR", format!("Could not read the CSV file: {other}.")),
        }
    }
}
