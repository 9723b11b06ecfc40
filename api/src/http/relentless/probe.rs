//! `POST /client/probe` and `POST /client/probe/batch`: addresses that are known, asked about while their client waits.

use std::{collections::HashSet, sync::Arc};

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use mailsonde_engine::Verdict;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::ApiError,
    openapi::{ErrorResponse, ProbeBatchRequest, ProbeRequest},
    request::{Answered, BATCH_MAX, ONE_MAX, keep, run, until},
    usage::admit,
};
use crate::{
    facade::relentless::{
        kept::{Input, Kept},
        result::IdentityResult,
        words::{Outcome, RequestType},
    },
    http::{App, Arrived, Caller, Fields, Received, Refusal, Ticket, answer},
};

/// Addresses of one batch: the product's own limit.
const EMAILS_MAX: usize = 100;

/// Octets of an address: as many as one of RFC 5321 can have, and then some are no address.
const EMAIL_OCTETS_MAX: usize = 320;

/// What to do instead, where there is no room.
const INSTEAD: &str = "Schedule the work with POST /client/jobs/probe-batch.";

/// Results of a batch, in the order of its addresses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientBatchIdentityResponse)]
pub(super) struct BatchIdentity {
    results: Vec<IdentityResult>,
    summary: BatchSummary,
}

/// What came of a batch.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct BatchSummary {
    #[schema(minimum = 0)]
    total: usize,
    #[schema(minimum = 0)]
    found: usize,
    #[schema(minimum = 0)]
    not_found: usize,
    #[schema(minimum = 0)]
    errors: usize,
    /// Domains of addresses that are some.
    #[schema(minimum = 0)]
    unique_domains: usize,
}

/// Whether there is such a mailbox.
#[utoipa::path(
    post,
    path = "/client/probe",
    tag = "Probe",
    request_body = ProbeRequest,
    responses(
        (status = 200, body = IdentityResult, description = "What is known of the mailbox"),
        (status = 429, body = ErrorResponse, description = "`service_busy`, `rate_limited`"),
    ),
)]
pub(super) async fn probe(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Extension(arrived): Extension<Arrived>,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let email = email(&body.json().await?)?;
    admit(&app, &access, 1, app.relentless.config.price_micros.probe).await?;
    let Some(_admitted) = app.relentless.capacity.admit(1) else {
        return Err(ApiError::service_busy(INSTEAD));
    };
    let verdicts = run(&app, &app.verify, &access, &[&email], until(&arrived, ONE_MAX)).await?;
    let verdict = verdicts.first().ok_or(Refusal::Internal)?;
    let result =
        IdentityResult::of(verdict, app.relentless.config.catchall_policy, Some(arrived.id.as_str()));
    let kept = vec![Kept { input: Input::of_email(&email), result: result.clone() }];
    keep(&app, Answered { access: &access, arrived, asked: RequestType::Probe, kept, ticket, body: &result })
        .await?;
    Ok(answer(StatusCode::OK, &result))
}

/// Whether there are such mailboxes. One that stands there twice is asked about once.
#[utoipa::path(
    post,
    path = "/client/probe/batch",
    tag = "Probe",
    request_body = ProbeBatchRequest,
    responses(
        (status = 200, body = BatchIdentity, description = "What is known of the mailboxes, in their order"),
        (status = 429, body = ErrorResponse, description = "`service_busy`, `rate_limited`"),
    ),
)]
pub(super) async fn probe_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Extension(arrived): Extension<Arrived>,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let emails = emails(&body.json().await?)?;
    admit(&app, &access, emails.len(), app.relentless.config.price_micros.probe).await?;
    let Some(_admitted) = app.relentless.capacity.admit(emails.len()) else {
        return Err(ApiError::service_busy(INSTEAD));
    };
    let inputs: Vec<&str> = emails.iter().map(String::as_str).collect();
    // Whoever stands there twice is asked about once: the prober sees to that.
    let verdicts = run(&app, &app.verify, &access, &inputs, until(&arrived, BATCH_MAX)).await?;
    let policy = app.relentless.config.catchall_policy;
    let kept = |verdict: &Verdict| Kept {
        input: Input::of_email(&verdict.input),
        result: IdentityResult::of(verdict, policy, Some(arrived.id.as_str())),
    };
    let kept: Vec<Kept> = verdicts.iter().map(kept).collect();
    let domains = verdicts.iter().filter_map(|verdict| Some(verdict.address.as_ref()?.domain()));
    let batch = BatchIdentity::of(&kept, domains);
    keep(&app, Answered { access: &access, arrived, asked: RequestType::Probe, kept, ticket, body: &batch })
        .await?;
    Ok(answer(StatusCode::OK, &batch))
}

/// The address of a body.
fn email(body: &Value) -> Result<String, Refusal> {
    let mut fields = Fields::of_body(body)?;
    let email = fields.text("email").map(str::trim).unwrap_or_default();
    if body["email"].is_string()
        && let Some((kind, msg)) = wrong_email(email)
    {
        fields.fault("email", kind, msg);
    }
    fields.finish()?;
    Ok(email.to_owned())
}

fn emails(body: &Value) -> Result<Vec<String>, Refusal> {
    let mut fields = Fields::of_body(body)?;
    let emails = read_emails(&mut fields, EMAILS_MAX);
    fields.finish()?;
    Ok(emails)
}

/// The field `emails`: between one and so many addresses.
pub(super) fn read_emails(fields: &mut Fields<'_>, max: usize) -> Vec<String> {
    if !fields.has_items("emails", max) {
        return Vec::new();
    }
    let texts = fields.texts("emails").unwrap_or_default();
    let emails: Vec<String> = texts.into_iter().map(|text| text.trim().to_owned()).collect();
    for (index, email) in emails.iter().enumerate() {
        if let Some((kind, msg)) = wrong_email(email) {
            fields.fault_at("emails", index, kind, msg);
        }
    }
    emails
}

/// What is wrong with a text that cannot even be meant as an address. What is none is told by its result.
fn wrong_email(email: &str) -> Option<(&'static str, String)> {
    if email.is_empty() {
        return Some(("string_too_short", "String should have at least 1 character".to_owned()));
    }
    (email.len() > EMAIL_OCTETS_MAX)
        .then(|| ("string_too_long", format!("String should have at most {EMAIL_OCTETS_MAX} octets")))
}

impl BatchIdentity {
    /// `domains`: those of the addresses that are some.
    fn of<'a>(kept: &[Kept], domains: impl Iterator<Item = &'a str>) -> Self {
        let results: Vec<IdentityResult> = kept.iter().map(|kept| kept.result.clone()).collect();
        let of = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
        let summary = BatchSummary {
            total: results.len(),
            found: of(Outcome::Found),
            not_found: of(Outcome::NotFound),
            errors: of(Outcome::Error),
            unique_domains: domains.collect::<HashSet<_>>().len(),
        };
        Self { results, summary }
    }
}
