//! The `OpenAPI` document of this facade: its endpoints say what they are where they stand, and what they read is here, since
//! bodies are read field by field, so that a client hears of all that is wrong with one.

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, Response, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};

use super::{about, batch, csv, download, jobs, results, stats, usage, verify};

/// The name of what is described.
pub(super) const TITLE: &str = "Email Verifier API";

/// The scheme by which a key is shown.
const KEY: &str = "ApiKey";

/// What every endpoint may refuse: what is with the key, how often it is used, what is wrong with the request, and us.
const REFUSALS: &[(&str, &str)] = &[
    ("401", "`MISSING_API_KEY`, `INVALID_API_KEY`, `KEY_REVOKED`, `KEY_EXPIRED`"),
    ("403", "`INSUFFICIENT_SCOPE`, `CLIENT_INACTIVE`"),
    ("422", "Fields that are wrong"),
    ("429", "`RATE_LIMIT_EXCEEDED`"),
    ("500", "`INTERNAL_ERROR`"),
    ("503", "`SERVICE_UNAVAILABLE`"),
];

/// What operations are called: for programs, by the names that the product gives them, and for people. What the endpoints
/// say of themselves is told below.
const NAMES: &[(&str, &str, &str)] = &[
    ("/api/v1/", "root", "Which service this is"),
    ("/api/v1/health", "health_check", "Health"),
    ("/api/v1/jobs", "list_jobs", "List jobs"),
    ("/api/v1/jobs/{job_id}", "get_job_status", "Get a job"),
    ("/api/v1/jobs/{job_id}/download", "download_job_result", "A job's table"),
    ("/api/v1/jobs/{job_id}/results", "get_job_results", "A job's verdicts"),
    ("/api/v1/stats/disposable", "disposable_stats", "Disposable domains"),
    ("/api/v1/stats/free-providers", "free_provider_stats", "Free providers"),
    ("/api/v1/stats/internal-cache", "internal_cache_stats", "Remembered mailboxes"),
    ("/api/v1/stats/verification-history", "verification_history_stats", "Remembered verdicts"),
    ("/api/v1/usage", "read_usage", "A month's credits"),
    ("/api/v1/verify", "verify_single_email", "Verify an address"),
    ("/api/v1/verify/batch", "verify_batch_emails", "Submit a batch"),
    ("/api/v1/verify/csv", "verify_csv_upload", "Submit a table"),
];

/// What is answered without a key, and the service may refuse all the same.
const OPEN: &[&str] = &["/api/v1/", "/api/v1/health"];
const OPEN_REFUSALS: &[&str] = &["500", "503"];

/// What those may refuse besides that read a body.
const BODY_REFUSALS: &[(&str, &str)] = &[
    ("408", "`REQUEST_TIMEOUT`"),
    ("409", "`IDEMPOTENCY_IN_PROGRESS`"),
    ("413", "`BODY_TOO_LARGE`"),
    ("415", "`UNSUPPORTED_MEDIA_TYPE`"),
];

/// The document, but for what all endpoints have in common.
#[derive(OpenApi)]
#[openapi(
    info(
        title = TITLE,
        description = "Finds out whether email addresses work, without sending mail. Branch on `detail.code`.",
    ),
    paths(
        verify::verify,
        batch::verify_batch,
        csv::verify_csv,
        jobs::list,
        jobs::status,
        results::results,
        download::download,
        usage::usage,
        stats::disposable,
        stats::free_providers,
        stats::internal_cache,
        stats::verification_history,
        about::health,
        about::root,
    ),
    components(schemas(CategoryWord, ErrorBody, InvalidBody, StatusWord)),
    modifiers(&InCommon),
    tags((name = "Verification"), (name = "Jobs"), (name = "Usage"), (name = "Statistics"), (name = "Service")),
)]
struct EmailVerifier;

struct InCommon;

impl Modify for InCommon {
    fn modify(&self, document: &mut Document) {
        let key = ApiKeyValue::with_description("Api-Key", "`ev_live_…`, by `mailsonde key create`.");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
        for (path, methods) in &mut document.paths.paths {
            let is_open = OPEN.contains(&path.as_str());
            let names = NAMES.iter().find(|names| names.0 == path.as_str());
            for operation in [&mut methods.get, &mut methods.post].into_iter().flatten() {
                if let Some((_, id, summary)) = names {
                    name(operation, id, summary);
                }
                operation.security = (!is_open).then(|| vec![SecurityRequirement::new(KEY, [""; 0])]);
                let of_body = if operation.request_body.is_some() { BODY_REFUSALS } else { &[] };
                let refusals = REFUSALS.iter().chain(of_body);
                for (status, description) in
                    refusals.filter(|refusal| !is_open || OPEN_REFUSALS.contains(&refusal.0))
                {
                    let response = refusal(status, description);
                    // An endpoint may have said more of it.
                    operation.responses.responses.entry((*status).to_owned()).or_insert(response.into());
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
    let body = if status == "422" { "InvalidBody" } else { "ErrorBody" };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// The document.
pub(in crate::http) fn document() -> Document {
    let mut document = EmailVerifier::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}

/// An address to be verified at once.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct VerifyRequest {
    /// The address.
    email: String,
    options: Option<OptionsObject>,
}

/// Addresses to be verified in the background.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct BatchRequest {
    /// Up to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    emails: Vec<String>,
    options: Option<OptionsObject>,
    /// Where the end of the job is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://")]
    webhook_url: Option<String>,
    /// Days for which results are kept; 1 where nothing is said.
    #[schema(minimum = 1, maximum = 30)]
    retention_days: Option<i64>,
}

/// A table whose addresses are to be verified in the background.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct CsvRequest {
    /// UTF-8, code page 1252 or Latin-1; up to 20 MiB and 100,000 rows.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// Where the end of the job is told: HTTPS, at a public address.
    #[schema(format = "uri", pattern = "^https://")]
    webhook_url: Option<String>,
    /// Days for which results are kept; 1 where nothing is said.
    #[schema(minimum = 1, maximum = 30)]
    retention_days: Option<i64>,
    /// Ask mail servers (default: true).
    check_smtp: Option<bool>,
    /// Suggest a corrected domain (default: true).
    suggest_typo: Option<bool>,
    /// Look for random local parts (default: true).
    check_random: Option<bool>,
    /// Look up the standing of the domain (default: false).
    check_domain_trust: Option<bool>,
}

/// What is done, and told.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub(super) struct OptionsObject {
    /// Ask mail servers (default: true).
    check_smtp: Option<bool>,
    /// Suggest a corrected domain (default: true).
    suggest_typo: Option<bool>,
    /// Look for random local parts (default: true).
    check_random: Option<bool>,
    /// Look up the standing of the domain (default: false).
    check_domain_trust: Option<bool>,
    /// Repeat the address in the answer (default: true).
    include_email: Option<bool>,
}

/// An error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody {
    detail: ErrorDetail,
}

#[derive(Serialize, ToSchema)]
struct ErrorDetail {
    /// For people.
    error: String,
    /// For programs.
    #[schema(example = "RATE_LIMIT_EXCEEDED")]
    code: String,
}

/// A month's credits are used up, or too few are left.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotaBody {
    detail: QuotaDetail,
}

#[derive(Serialize, ToSchema)]
struct QuotaDetail {
    /// For people.
    error: String,
    /// For programs.
    #[schema(example = "QUOTA_EXCEEDED")]
    code: String,
    /// Credits that are used, or held for what is under way.
    used: i64,
    monthly_quota: i64,
    /// Credits that are left.
    #[schema(minimum = 0)]
    remaining: i64,
}

/// Fields that are wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct InvalidBody {
    detail: Vec<InvalidField>,
}

#[derive(Serialize, ToSchema)]
struct InvalidField {
    /// Where it stands: names, and numbers from 0.
    loc: Vec<serde_json::Value>,
    msg: String,
    r#type: String,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes words that are read as such")]
pub(super) enum StatusWord {
    Pending,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

/// What an address is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of the engine")]
pub(super) enum CategoryWord {
    Deliverable,
    Undeliverable,
    Risky,
    Disposable,
    Unknown,
    Duplicate,
    InvalidSyntax,
    RandomPattern,
    HighRisk,
    AcceptAll,
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::Category;
    use serde_json::{Value, json};

    use super::*;

    fn written() -> Value {
        serde_json::to_value(document()).unwrap()
    }

    #[test]
    fn every_category_has_its_word() {
        let mut words: Vec<&str> = Category::ALL.iter().map(|category| category.word()).collect();
        let document = written();
        let told = document["components"]["schemas"]["CategoryWord"]["enum"].as_array().unwrap();
        let mut told: Vec<&str> = told.iter().map(|word| word.as_str().unwrap()).collect();
        words.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, words);
    }

    #[test]
    fn every_endpoint_wants_a_key_and_says_what_it_refuses() {
        let document = written();
        assert_eq!(document["openapi"], json!("3.1.0"));
        let paths = document["paths"].as_object().unwrap();
        for (path, methods) in paths {
            assert!(NAMES.iter().any(|names| names.0 == path), "{path} has no names");
            if OPEN.contains(&path.as_str()) {
                let operation = &methods["get"];
                assert!(operation.get("security").is_none(), "{path}");
                let told: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
                assert_eq!(told, ["200", "500", "503"], "{path}");
                continue;
            }
            for operation in methods.as_object().unwrap().values() {
                assert_eq!(operation["security"], json!([{ KEY: [] }]), "{path}");
                for status in ["401", "403", "422", "429", "500", "503"] {
                    assert!(operation["responses"].get(status).is_some(), "{path} {status}");
                }
            }
        }
    }
}
