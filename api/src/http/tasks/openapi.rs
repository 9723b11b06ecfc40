//! The `OpenAPI` document of this facade: its endpoints say what they are where they stand, and what they read is here.

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, Response, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::{create, credits, download, jobs, list, series, upload, verify};

/// The name of what is described.
const TITLE: &str = "Tasks API";

/// The schemes by which a key is shown.
const BEARER: &str = "TasksBearer";
const KEY: &str = "TasksKey";

/// What every endpoint may refuse.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "`VALIDATION_ERROR`"),
    ("401", "`UNAUTHORIZED`"),
    ("403", "`FORBIDDEN`"),
    ("429", "`RATE_LIMITED`"),
    ("500", "`INTERNAL_ERROR`"),
    ("503", "`SERVICE_UNAVAILABLE`"),
];

/// What those may refuse besides that read a body.
const BODY_REFUSALS: &[(&str, &str)] = &[
    ("408", "`TIMEOUT`"),
    ("409", "`IDEMPOTENCY_IN_PROGRESS`"),
    ("413", "`BODY_TOO_LARGE`"),
    ("415", "`UNSUPPORTED_MEDIA_TYPE`"),
];

/// What operations are called: for programs, and for people.
const NAMES: &[(&str, &str, &str, &str)] = &[
    ("/api/v1/credits/balance", "get", "get_credit_balance", "Credits that are left"),
    ("/api/v1/credits/transactions", "get", "list_credit_transactions", "What changed them"),
    ("/api/v1/metrics/verifications", "get", "get_verification_metrics", "All verifications"),
    ("/api/v1/tasks", "get", "list_tasks", "List tasks"),
    ("/api/v1/tasks", "post", "create_task", "Submit a list"),
    ("/api/v1/tasks/batch/upload", "post", "upload_emails", "Submit a file"),
    ("/api/v1/tasks/batch/uploads/{upload_id}", "get", "get_upload", "Get a file's task"),
    ("/api/v1/tasks/{id}", "get", "get_task", "Get a task"),
    ("/api/v1/tasks/{id}/download", "get", "download_task", "A task's results as a file"),
    ("/api/v1/tasks/{id}/jobs", "get", "list_task_jobs", "A task's jobs"),
    ("/api/v1/tasks/{id}/series", "get", "get_task_series", "A task's days"),
    ("/api/v1/verify", "post", "verify_email", "Verify an address"),
];

/// The document, but for what all endpoints have in common.
#[derive(OpenApi)]
#[openapi(
    info(
        title = TITLE,
        description = "Verifies lists of email addresses, without sending mail. Branch on `error.code`.",
    ),
    paths(
        create::create,
        list::list,
        list::task,
        jobs::jobs,
        download::download,
        upload::upload,
        upload::uploaded,
        series::series,
        series::verifications,
        credits::balance,
        credits::transactions,
        verify::verify,
    ),
    components(schemas(TasksErrorBody)),
    modifiers(&InCommon),
    tags((name = "Verification"), (name = "Tasks"), (name = "Metrics"), (name = "Credits")),
)]
struct Tasks;

struct InCommon;

impl Modify for InCommon {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let key = ApiKeyValue::with_description("X-API-Key", "`sk_live_…`, by `mailsonde key create`.");
        components.add_security_scheme(KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
        components.add_security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        for (path, methods) in &mut document.paths.paths {
            for (method, operation) in [("get", &mut methods.get), ("post", &mut methods.post)] {
                if let Some(operation) = operation {
                    let names = NAMES.iter().find(|names| (names.0, names.1) == (path.as_str(), method));
                    complete(operation, names.map(|(_, _, id, summary)| (*id, *summary)));
                }
            }
        }
    }
}

/// Gives an operation its names, what it may refuse, and who may use it. What it said of itself in short now stands above
/// what it said at length.
fn complete(operation: &mut Operation, names: Option<(&str, &str)>) {
    if let Some((id, summary)) = names {
        operation.operation_id = Some(id.to_owned());
        let said = operation.summary.replace(summary.to_owned());
        let said: Vec<String> = said.into_iter().chain(operation.description.take()).collect();
        operation.description = (!said.is_empty()).then(|| said.join("\n\n"));
    }
    let keys = [BEARER, KEY].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    operation.security = Some(keys.into());
    let of_body = if operation.request_body.is_some() { BODY_REFUSALS } else { &[] };
    for (status, description) in REFUSALS.iter().chain(of_body) {
        let response = refusal(description);
        // An endpoint may have said more of it.
        operation.responses.responses.entry((*status).to_owned()).or_insert(response.into());
    }
}

fn refusal(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("TasksErrorBody"))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// The document.
pub(in crate::http) fn document() -> Document {
    let mut document = Tasks::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}

/// Addresses to be verified in the background.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct TaskRequest {
    /// Up to 10,000.
    #[schema(min_items = 1, max_items = 10000)]
    emails: Vec<String>,
    /// Where the end of the task is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://")]
    webhook_url: Option<String>,
}

/// A file of addresses to be verified in the background.
#[derive(ToSchema)]
#[schema(as = TaskUploadRequest)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct UploadRequest {
    /// `.txt`, `.csv` or `.xlsx`; up to 10,000 addresses.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// The column of addresses, by its name or its number from 1; found out, where nothing is said.
    email_column: Option<String>,
    /// The same.
    column: Option<String>,
    /// Where the end of the task is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://")]
    webhook_url: Option<String>,
}

/// An address to be verified at once.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct TaskVerifyRequest {
    email: String,
}

/// An error.
#[derive(Serialize, ToSchema)]
pub(super) struct TasksErrorBody {
    error: TasksError,
}

#[derive(Serialize, ToSchema)]
struct TasksError {
    /// For programs.
    #[schema(example = "VALIDATION_ERROR")]
    code: String,
    /// For people.
    message: String,
    /// Fields that are wrong.
    #[schema(nullable = false)]
    details: Option<Vec<TasksWrongField>>,
}

#[derive(Serialize, ToSchema)]
struct TasksWrongField {
    field: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_endpoint_has_a_name_wants_a_key_and_says_what_it_refuses() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut told = 0;
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(NAMES.iter().any(|names| (names.0, names.1) == (path, method)), "{method} {path}");
                assert_eq!(operation["security"], json!([{ BEARER: [] }, { KEY: [] }]), "{path}");
                for (status, _) in REFUSALS {
                    assert!(operation["responses"].get(status).is_some(), "{path} {status}");
                }
                told += 1;
            }
        }
        assert_eq!(told, NAMES.len());
    }
}
