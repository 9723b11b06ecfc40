//! `POST /api/v1/tasks/batch/upload` and `GET /api/v1/tasks/batch/uploads/{upload_id}`: a file of addresses, verified in the
//! background. A text or a table is read as it comes; a workbook is read when it is whole. The file itself is not kept: its
//! addresses are, and its name.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    create::{EMAILS_MAX, new_task},
    error::ApiError,
    list::{InPath, sums, task_called, told},
};
use crate::{
    csv::{
        CsvError, columns,
        intake::{DataRow, Intake, Terms},
        workbook::{self, WorkbookError},
    },
    facade::tasks::{
        moment,
        task::{File, Task},
    },
    http::{App, Caller, Form, FormError, Query, Received, Refusal, SOON, Ticket, answer},
    jobs::submit::{Request, Source, new_id, submit},
    metrics::Limit,
};

/// Octets of a file.
const FILE_MAX: usize = 20 * 1024 * 1024;

/// Octets of a workbook, which is read as a whole: with ten columns, 10,000 rows are less than one megabyte.
const WORKBOOK_MAX: usize = 5 * 1024 * 1024;

/// Room that a workbook needs besides: half of what it may unpack to, of which three to four are held.
const WORKBOOK_ROOM: usize = 16 * 1024 * 1024;

/// Rows of a workbook that are read: with a header, one more than there may be, so that whoever reads the table says so.
const ROWS_MAX: usize = 1 + EMAILS_MAX + 1;

/// What files are called that are read.
const EXTENSIONS: [&str; 3] = [TEXT, ".csv", ".xlsx"];

/// What lists are called, of one address a line.
const TEXT: &str = ".txt";

/// The word of tasks that are made from a file.
const SOURCE: &str = "file";

/// A file that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadAccepted {
    /// The task's: a file is one task.
    upload_id: Uuid,
    task_id: Uuid,
    filename: String,
    email_count: usize,
    /// `processing`.
    status: &'static str,
    message: &'static str,
    #[schema(format = DateTime)]
    uploaded_at: String,
}

/// A file and its task.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upload {
    #[serde(flatten)]
    file: File,
    user_id: Uuid,
    task: Task,
}

/// Submits a file of up to 10,000 addresses: one a line, a table, or a workbook, of which the first sheet is read. Empty
/// rows are left out.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/batch/upload",
    tag = "Tasks",
    request_body(content = super::openapi::UploadRequest, content_type = "multipart/form-data"),
    responses(
        (status = 202, body = UploadAccepted, description = "The task that was made of it"),
        (status = 402, body = super::openapi::TasksErrorBody, description = "`INSUFFICIENT_CREDITS`"),
    ),
)]
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    mut body: Received,
) -> Result<Response, ApiError> {
    let take = |octets| {
        app.uploads.take(access.client, octets).ok_or_else(|| {
            app.metrics.met(Limit::Uploads);
            ApiError::from(Refusal::Unavailable(SOON))
        })
    };
    let length = body.file_length(FILE_MAX).await?;
    let room = match take(length) {
        Ok(room) => room,
        Err(error) => {
            body.skip().await;
            return Err(error);
        }
    };
    let mut octets = Octets::default();
    let form = body.form("file", FILE_MAX, |piece| octets.push(piece)).await?;
    let asked = Asked::read(&app, form).await?;
    let more = if octets.is_workbook() { Some(take(WORKBOOK_ROOM)?) } else { None };
    let column = asked.column;
    // With many rows that takes a while, for which others of this thread would wait. The room is that work's, which goes on
    // when nobody waits for it any more, and then ours until the addresses are submitted.
    let is_list = asked.filename.to_lowercase().ends_with(TEXT);
    let emails = spawn_blocking(move || (octets.emails(column, is_list), (room, more))).await;
    let (emails, _room) = emails.map_err(|_| no_file("The file cannot be read."))?;
    let emails = emails?;
    let id = new_id();
    let accepted = UploadAccepted {
        upload_id: id,
        task_id: id,
        filename: asked.filename.clone(),
        email_count: emails.len(),
        status: "processing",
        message: "The file was taken, and its addresses are verified.",
        uploaded_at: moment(Timestamp::now()),
    };
    let answered = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::ACCEPTED, &accepted));
    let request = Request {
        source: Source { word: SOURCE, filename: Some(asked.filename) },
        callback: asked.callback,
        inputs: emails,
        answer: answered.transpose()?,
        ..new_task(&app, id, &access)?
    };
    submit(&app.store, &app.jobs, &app.site, request).await?;
    Ok(answer(StatusCode::ACCEPTED, &accepted))
}

/// A file that was uploaded, and how far its task is.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/batch/uploads/{upload_id}",
    tag = "Tasks",
    params(("upload_id" = Uuid, Path, description = "A UUID")),
    responses(
        (status = 200, body = Upload, description = "The file"),
        (status = 404, body = super::openapi::TasksErrorBody, description = "`NOT_FOUND`"),
    ),
)]
pub(super) async fn uploaded(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    id: InPath,
) -> Result<Response, ApiError> {
    let job = task_called(&app, &access, "upload_id", &id).await?;
    let connection = app.store.request().await?;
    let sums = sums(&connection, std::slice::from_ref(&job)).await?.remove(&job.id).unwrap_or_default();
    let keys = app.store.keys();
    let file = File::of(&job, job.filename(keys)?, &sums);
    let file = file.ok_or_else(ApiError::upload_not_found)?;
    let upload = Upload { file, user_id: job.client, task: told(keys, &job, &sums)? };
    Ok(answer(StatusCode::OK, &upload))
}

/// The octets of a file, as they come.
#[derive(Default)]
struct Octets {
    /// Of a workbook, all; of others, what is not read yet because too little of it has come.
    whole: Vec<u8>,
    /// A workbook of more octets than it may have.
    is_too_large: bool,
}

impl Octets {
    fn push(&mut self, piece: &[u8]) {
        let max = if self.is_workbook() { WORKBOOK_MAX } else { FILE_MAX };
        if self.whole.len() + piece.len() > max {
            self.is_too_large = true;
        } else {
            self.whole.extend_from_slice(piece);
        }
    }

    fn is_workbook(&self) -> bool {
        self.whole.starts_with(workbook::MAGIC)
    }

    /// Its addresses. `column`: by its name or its number from 1, where somebody says which it is. `is_list`: it is likely to be
    /// one address a line, of which the first may be none.
    fn emails(self, column: Option<String>, is_list: bool) -> Result<Vec<String>, ApiError> {
        if self.is_too_large {
            return Err(too_large());
        }
        let table =
            if self.is_workbook() { workbook::first_sheet(&self.whole, ROWS_MAX)? } else { self.whole };
        let is_list = is_list && column.is_none();
        let octets_max = table.len() as u64 + 1;
        let mut intake = Intake::new(Terms { octets_max, rows_max: EMAILS_MAX as u64, column });
        let mut cells = Vec::new();
        let mut each = |row: DataRow<'_>| {
            cells.push(row.email.to_owned());
            Ok::<_, CsvError>(())
        };
        intake.push(&table, &mut each)?;
        intake.finish(&mut each)?;
        let layout = intake.layout();
        layout.checked()?;
        let text = |cell: Vec<u8>| layout.encoding.decode(&cell).trim().to_owned();
        let mut emails: Vec<String> = cells.into_iter().map(text).filter(|email| !email.is_empty()).collect();
        let first = layout.email.and_then(|column| layout.names.get(column));
        if let Some(first) =
            first.filter(|name| is_list && layout.header.is_some() && !columns::is_name(name))
        {
            emails.insert(0, first.clone());
        }
        match emails.len() {
            0 => Err(no_file("The file has no addresses.")),
            1..=EMAILS_MAX => Ok(emails),
            _ => Err(CsvError::TooManyRows { max: EMAILS_MAX as u64 }.into()),
        }
    }
}

/// What is asked for, beside the file.
struct Asked {
    filename: String,
    column: Option<String>,
    /// An address that was checked.
    callback: Option<String>,
}

impl Asked {
    async fn read(app: &App, form: Form) -> Result<Self, ApiError> {
        let Form { texts, file, wrong } = form;
        let mut fields = Query::of_form(texts, wrong);
        let column = fields.text("email_column").or(fields.text("column")).map(str::to_owned);
        let callback = fields.text("webhook_url").map(str::to_owned);
        if let Some(url) = &callback
            && let Err(error) = app.guard.check(url).await
        {
            fields.fault("webhook_url", "url_unsafe", error.to_string());
        }
        let filename = file.and_then(|file| file.name).unwrap_or_default();
        let lower = filename.to_lowercase();
        if !EXTENSIONS.iter().any(|extension| lower.ends_with(extension)) {
            fields.fault("file", "value_error", "It should be a .txt, .csv or .xlsx file");
        }
        fields.finish()?;
        Ok(Self { filename, column, callback })
    }
}

fn no_file(reason: impl Into<String>) -> ApiError {
    ApiError::field("body", "file", reason)
}

fn too_large() -> ApiError {
    let (file, workbook) = (FILE_MAX >> 20, WORKBOOK_MAX >> 20);
    let text = format!("The file exceeds the maximum of {file} MB, or of {workbook} MB for a workbook.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", text)
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Refused(refusal) => refusal.into(),
            FormError::FileTooLarge => too_large(),
        }
    }
}

impl From<WorkbookError> for ApiError {
    fn from(error: WorkbookError) -> Self {
        no_file(format!("{error}."))
    }
}

/// Which row it is, and what is wrong with it, but not what it says.
impl From<CsvError> for ApiError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::TooManyRows { .. } => {
                no_file(format!("It should have at most {EMAILS_MAX} addresses."))
            }
            CsvError::NoSuchColumn(_) => ApiError::field("body", "email_column", "There is no such column."),
            other => no_file(format!("The file cannot be read: {other}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emails(text: &str, column: Option<&str>, is_list: bool) -> Option<Vec<String>> {
        let mut octets = Octets::default();
        octets.push(text.as_bytes());
        octets.emails(column.map(str::to_owned), is_list).ok()
    }

    #[test]
    fn the_first_line_of_a_list_is_an_address_unless_it_names_the_others() {
        let jane = || "jane@example.com".to_owned();
        let both = || Some(vec!["jane.example.com".to_owned(), jane()]);
        let only_jane = || Some(vec![jane()]);
        assert_eq!(emails("jane.example.com\njane@example.com\n", None, true), both());
        assert_eq!(emails("E-Mail\njane@example.com\n", None, true), only_jane());
        assert_eq!(emails("jane@example.com\n", None, true), only_jane());
        assert_eq!(emails("contact\njane@example.com\n", None, false), only_jane(), "a table has a header");
        assert_eq!(emails("contact\njane@example.com\n", Some("contact"), true), only_jane());
    }

    #[test]
    fn a_list_with_its_first_line_has_no_more_addresses_than_any() {
        let lines = |count: usize| format!("jane.example.com\n{}", "jane@example.com\n".repeat(count - 1));
        assert_eq!(emails(&lines(EMAILS_MAX), None, true).map(|emails| emails.len()), Some(EMAILS_MAX));
        assert_eq!(emails(&lines(EMAILS_MAX + 1), None, true), None);
    }
}
