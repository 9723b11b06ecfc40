//! `POST /api/v1/tasks`: a list, verified in the background.

use std::{collections::HashSet, sync::Arc};

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use mailsonde_builtin::syntax::{self, Policy};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::ApiError;
use crate::{
    access::{Access, Facade},
    assembly::{Choice, SMTP_PROBE},
    facade::tasks::{SOURCE, moment},
    http::{
        App, Caller, Fields, Received, Refusal, Room, SOON, Ticket, answer,
        body::{BODY_MAX, said_length},
    },
    jobs::submit::{Request, Source, new_id, submit},
    metrics::Limit,
};

/// Addresses of one task: the product's own limit.
pub(super) const EMAILS_MAX: usize = 10_000;

/// Octets of a body: as many addresses of the greatest length (320), with quotes and commas.
const LIST_MAX: usize = 4 * 1024 * 1024;

/// What is held of a body while it is read, for each of its octets: the octets, values, and texts.
const HELD: usize = 3;

/// Elements of a list that are named where they are no addresses.
const NAMED_MAX: usize = 10;

/// A task that begins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskCreated {
    id: Uuid,
    user_id: Uuid,
    webhook_url: Option<String>,
    /// `api_key`.
    source: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    email_count: usize,
    /// Different domains among them.
    domain_count: usize,
}

/// Submits up to 10,000 addresses, which are verified in the background. Where one of them cannot be an address, none is.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    tag = "Tasks",
    request_body = super::openapi::TaskRequest,
    responses(
        (status = 201, body = TaskCreated, description = "The task that was made of them"),
        (status = 402, body = super::openapi::TasksErrorBody, description = "`INSUFFICIENT_CREDITS`"),
    ),
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let _room = room(&app, &access, said_length(&body.headers))?;
    let List { emails, callback } = List::read(&app, body).await?;
    let id = new_id();
    let created = TaskCreated {
        id,
        user_id: access.client,
        webhook_url: callback.clone(),
        source: SOURCE,
        created_at: moment(made_at(id)),
        email_count: emails.len(),
        domain_count: domains(&emails),
    };
    let answered = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::CREATED, &created));
    let answer_kept = answered.transpose()?;
    let request = Request { callback, inputs: emails, answer: answer_kept, ..new_task(&app, id, &access)? };
    submit(&app.store, &app.jobs, &app.site, request).await?;
    Ok(answer(StatusCode::CREATED, &created))
}

/// Room for a long list. `length`: of its body, where that is said.
fn room(app: &App, access: &Access, length: Option<usize>) -> Result<Option<Room>, ApiError> {
    let length = length.unwrap_or(LIST_MAX);
    if length <= BODY_MAX {
        return Ok(None);
    }
    let room = app.uploads.take(access.client, length.min(LIST_MAX) * HELD);
    room.map(Some).ok_or_else(|| {
        app.metrics.met(Limit::Uploads);
        Refusal::Unavailable(SOON).into()
    })
}

/// When a job of this id was made, by this process's clock: the answer is written before its job is.
fn made_at(id: Uuid) -> Timestamp {
    let made_at = id.get_timestamp().and_then(|made_at| {
        let (seconds, nanos) = made_at.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    });
    made_at.unwrap_or_else(Timestamp::now)
}

/// A task of which nothing is known yet but whose it is.
pub(super) fn new_task(app: &App, id: Uuid, access: &Access) -> Result<Request, ApiError> {
    let (pipeline, choice) = (&app.tasks.pipeline, Choice::default());
    Ok(Request {
        id,
        client: access.client,
        facade: Facade::Tasks.word(),
        source: Source::LIST,
        pipeline: pipeline.name().to_owned(),
        asks: pipeline.of(choice)?.has(SMTP_PROBE),
        skips: pipeline.skips(choice)?,
        window: None,
        deadline: None,
        retention: Some(app.tasks.config.retention),
        callback: None,
        is_billed: true,
        inputs: Vec::new(),
        sheet: None,
        answer: None,
        terms: None,
    })
}

/// What is asked for.
struct List {
    emails: Vec<String>,
    /// An address that was checked.
    callback: Option<String>,
}

impl List {
    async fn read(app: &App, body: Received) -> Result<Self, ApiError> {
        let body = body.json_within(LIST_MAX).await?;
        let mut fields = Fields::of_body(&body)?;
        let emails = fields.texts("emails").unwrap_or_default();
        if body["emails"].as_array().is_some_and(Vec::is_empty) {
            fields.fault("emails", "too_short", "List should have at least 1 item after validation, not 0");
        }
        if emails.len() > EMAILS_MAX {
            let msg = format!("List should have at most {EMAILS_MAX} items, not {}", emails.len());
            fields.fault("emails", "too_long", msg);
        } else {
            let hopeless = emails.iter().enumerate().filter(|(_, email)| !may_be_address(email));
            for (index, _) in hopeless.take(NAMED_MAX) {
                fields.fault(&format!("emails.{index}"), "value_error", "Input should be an email address");
            }
        }
        let callback = callback(app, &mut fields).await;
        fields.finish()?;
        let emails = emails.into_iter().map(|email| email.trim().to_owned()).collect();
        Ok(Self { emails, callback })
    }
}

/// Where the end of a task is told, if it is.
async fn callback(app: &App, fields: &mut Fields<'_>) -> Option<String> {
    let url = fields.text_if_any("webhook_url").filter(|url| !url.is_empty())?;
    if let Err(error) = app.guard.check(url).await {
        fields.fault("webhook_url", "url_unsafe", error.to_string());
    }
    Some(url.to_owned())
}

/// Some grammar takes it. What ours does not is an address with the status `invalid_syntax`.
fn may_be_address(email: &str) -> bool {
    [Policy::Rfc5322, Policy::Rfc5321].iter().any(|policy| syntax::parse(email.trim(), *policy).is_ok())
}

/// How many different domains there are.
fn domains(emails: &[String]) -> usize {
    let domain = |email: &String| email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    emails.iter().filter_map(domain).collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_grammar_takes_may_be_an_address() {
        for good in ["jane@example.com", " jane@example.com ", "\"j d\"@example.com", "jane@[192.0.2.1]"] {
            assert!(may_be_address(good), "{good}");
        }
        for bad in
            ["", "jane", "@example.com", "jane@", "jane@example.com>\r\nRCPT TO:<x@y.example>", "a b@c.de"]
        {
            assert!(!may_be_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn domains_are_counted_once_in_any_case() {
        let emails = ["a@one.example", "b@ONE.example", "c@two.example"].map(str::to_owned);
        assert_eq!(domains(&emails), 2);
    }

    #[test]
    fn the_longest_list_fits_into_a_body() {
        let longest = EMAILS_MAX * (320 + "\"\",".len()) + "{\"emails\":[]}".len();
        assert!(longest < LIST_MAX, "{longest}");
    }
}
