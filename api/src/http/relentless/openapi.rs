//! The `OpenAPI` document of this facade: its endpoints say what they are where they stand, and what they read is here, since
//! bodies are read field by field. Tags and the names of operations and schemas are those of the product's own document,
//! so that clients made from this one have the names that are published.

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, Response, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{artifacts, attempt, history, jobs, probe, schedule, token, usage};
use crate::facade::relentless::{item::JobItem, job::Job};

/// The name of what is described.
const TITLE: &str = "Relentless Identity API";

/// The scheme by which a key is shown.
const BEARER: &str = "bearerAuth";

/// What every endpoint may refuse.
const REFUSALS: &[(&str, &str)] = &[
    ("401", "`unauthorized`"),
    ("402", "`usage_exhausted`: only where the operator bills"),
    ("403", "`forbidden`"),
    ("422", "Fields that are wrong"),
    ("429", "`rate_limited`"),
    ("500", "`internal_error`"),
    ("503", "`unavailable`"),
];

/// What those may refuse besides that read a body.
const BODY_REFUSALS: &[(&str, &str)] = &[
    ("408", "`request_timeout`"),
    ("409", "`idempotency_in_progress`"),
    ("413", "`body_too_large`"),
    ("415", "`unsupported_media_type`"),
];

/// What operations are called: for programs, by the names that the product gives them, and for people.
const NAMES: &[(&str, &str, &str)] = &[
    ("/client/token", "get_token_status", "The key"),
    ("/client/usage", "get_usage", "Usage"),
    ("/client/history", "get_request_history", "Past requests"),
    ("/client/attempt", "finder_attempt", "Find a person"),
    ("/client/probe", "probe_email", "Probe an address"),
    ("/client/probe/batch", "probe_batch", "Probe addresses"),
    ("/client/jobs", "list_jobs", "List jobs"),
    ("/client/jobs/finder", "schedule_finder_batch", "Submit people"),
    ("/client/jobs/probe-batch", "schedule_probe_batch", "Submit addresses"),
    ("/client/jobs/{job_id}", "get_job", "Get a job"),
    ("/client/jobs/{job_id}/cancel", "cancel_job", "Cancel a job"),
    ("/client/jobs/{job_id}/inputs.txt", "get_job_inputs_text", "A job's inputs"),
    ("/client/jobs/{job_id}/results.json", "get_job_results_json", "A job's artifact"),
    ("/client/jobs/{job_id}/results.txt", "get_job_results_text", "A job's results"),
];

/// The document, but for what all endpoints have in common.
#[derive(OpenApi)]
#[openapi(
    info(
        title = TITLE,
        description = "Finds people's addresses and whether they work, without sending mail. **Branch on `outcome` \
                       first**: of an `error`, `state` says nothing.",
    ),
    paths(
        token::token,
        history::history,
        attempt::attempt,
        attempt::schedule_finder_batch,
        probe::probe,
        probe::probe_batch,
        usage::usage,
        jobs::list_jobs,
        schedule::schedule_probe_batch,
        jobs::get_job,
        jobs::cancel_job,
        artifacts::inputs,
        artifacts::results_json,
        artifacts::results_text,
    ),
    components(schemas(ErrorResponse, HttpValidationError, StatusWord)),
    modifiers(&InCommon),
    tags((name = "Account"), (name = "Finder"), (name = "Probe"), (name = "Jobs")),
)]
struct Relentless;

struct InCommon;

impl Modify for InCommon {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("`relid_pat_…`, by `mailsonde key create`."))
            .build();
        let components = document.components.get_or_insert_default();
        // Clients know it by two names.
        if let Some(result) = components.schemas.get("ClientIdentityResponse").cloned() {
            components.schemas.insert("ClientFinderResponse".to_owned(), result);
        }
        components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
        for (path, methods) in &mut document.paths.paths {
            let names = NAMES.iter().find(|names| names.0 == path.as_str());
            for operation in [&mut methods.get, &mut methods.post].into_iter().flatten() {
                if let Some((_, id, summary)) = names {
                    name(operation, id, summary);
                }
                operation.security = Some(vec![SecurityRequirement::new(BEARER, [""; 0])]);
                let of_body = if operation.request_body.is_some() { BODY_REFUSALS } else { &[] };
                for (status, description) in REFUSALS.iter().chain(of_body) {
                    // An endpoint may have said more of it.
                    let known = &mut operation.responses.responses;
                    known.entry((*status).to_owned()).or_insert_with(|| refusal(status, description).into());
                }
            }
        }
    }
}

/// Gives an operation its names. What it said of itself in short now stands above what it said at length.
fn name(operation: &mut Operation, id: &str, summary: &str) {
    operation.operation_id = Some(id.to_owned());
    let said = operation.summary.replace(summary.to_owned());
    let said: Vec<String> = said.into_iter().chain(operation.description.take()).collect();
    operation.description = (!said.is_empty()).then(|| said.join("\n\n"));
}

fn refusal(status: &str, description: &str) -> Response {
    let body = if status == "422" { "HTTPValidationError" } else { "ErrorResponse" };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// The document.
pub(in crate::http) fn document() -> Document {
    let mut document = Relentless::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}

/// An address to be asked about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct ProbeRequest {
    /// The address.
    #[schema(min_length = 1, max_length = 320)]
    email: String,
}

/// Addresses to be asked about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct ProbeBatchRequest {
    /// Up to 100.
    #[schema(inline, min_items = 1, max_items = 100)]
    emails: Vec<ProbeAddress>,
}

/// One of several addresses.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 320)]
#[expect(dead_code, reason = "describes what is read field by field")]
struct ProbeAddress(String);

/// Somebody to be found.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct FinderRequest {
    /// With at least one letter.
    #[schema(min_length = 1, max_length = 200, example = "Jane Doe")]
    full_name: String,
    /// The company's domain, or the address of its web site.
    #[schema(min_length = 1, example = "acme.com")]
    email_domain: String,
}

/// People to be found in the background.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct FinderBatchJobRequest {
    /// When it must be done: RFC 3339, within 30 days; without an offset, in UTC.
    #[schema(format = DateTime)]
    deadline: String,
    /// Where the end of the job is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://", max_length = 2048)]
    callback_url: Option<String>,
    /// Up to 10,000.
    #[schema(min_items = 1, max_items = 10000)]
    inputs: Vec<FinderBatchJobRequestInputsInner>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
struct FinderBatchJobRequestInputsInner {
    #[schema(min_length = 1, max_length = 200, example = "Jane Doe")]
    full_name: String,
    #[schema(min_length = 1, example = "acme.com")]
    email_domain: String,
}

/// Addresses to be asked about in the background.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct ProbeBatchJobBackgroundRequest {
    /// When it must be done: RFC 3339, within 30 days; without an offset, in UTC.
    #[schema(format = DateTime)]
    deadline: String,
    /// Where the end of the job is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://", max_length = 2048)]
    callback_url: Option<String>,
    /// Up to 10,000.
    #[schema(inline, min_items = 1, max_items = 10000)]
    emails: Vec<ProbeAddress>,
    /// Heard, and not heeded.
    #[schema(max_length = 64)]
    provider: Option<String>,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobStatusFilter)]
#[expect(dead_code, reason = "describes words that are read as such")]
pub(super) enum StatusWord {
    Queued,
    Processing,
    Running,
    Completed,
    Failed,
    Canceled,
}

/// A job that has ended, with all of its items.
#[derive(ToSchema)]
#[schema(as = JobArtifact)]
#[expect(dead_code, reason = "describes what is written item by item")]
pub(super) struct Artifact {
    job: Job,
    items: Vec<JobItem>,
}

/// An error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    detail: ErrorDetail,
    /// For programs.
    #[schema(example = "rate_limited")]
    error: String,
    /// For people.
    message: String,
    #[schema(minimum = 0)]
    retry_after_seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErrorResponseDetail)]
struct ErrorDetail {
    /// For programs.
    error: String,
    /// For people.
    message: String,
    details: ErrorDetails,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErrorResponseDetails)]
struct ErrorDetails {
    /// What to do instead: where a `service_busy` is the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

/// Fields that are wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
pub(super) struct HttpValidationError {
    detail: Vec<ValidationError>,
}

#[derive(Serialize, ToSchema)]
struct ValidationError {
    /// Where it stands: names, and numbers from 0.
    loc: Vec<serde_json::Value>,
    msg: String,
    r#type: String,
    /// What there is to say besides.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written() -> Value {
        serde_json::to_value(document()).unwrap()
    }

    #[test]
    fn every_endpoint_wants_a_key_and_says_what_it_refuses() {
        let document = written();
        assert_eq!(document["openapi"], json!("3.1.0"));
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert!(NAMES.iter().any(|names| names.0 == path), "{path} has no names");
            for operation in methods.as_object().unwrap().values() {
                assert_eq!(operation["security"], json!([{ BEARER: [] }]), "{path}");
                for (status, _) in REFUSALS {
                    assert!(operation["responses"].get(status).is_some(), "{path} {status}");
                }
            }
        }
    }
}
