//! What the published examples of Email Verifier answer: the names of fields, their order and types; and the texts that are
//! fixed. Where an example shows one value of several, all that the documentation names are taken.

use super::shape::Shape::{self, *};

/// Texts of refusals, by their codes.
pub(super) const TEXTS: [(&str, &str); 12] = [
    ("MISSING_API_KEY", "API key required. Provide it via the 'Api-Key' header."),
    ("INSUFFICIENT_SCOPE", "This API key lacks the required scope 'verify'."),
    ("QUOTA_EXCEEDED", "Monthly quota exhausted."),
    ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded"),
    ("BATCH_TOO_LARGE", "Max 1000 emails per batch."),
    ("CSV_PARSE_ERROR", "Could not detect a valid email column."),
    ("FILE_TOO_LARGE", "CSV file exceeds the maximum size of 20 MB."),
    (
        "INVALID_STATUS_FILTER",
        "Invalid status. Must be one of: ['cancelled', 'completed', 'failed', 'pending', 'processing']",
    ),
    ("INVALID_JOB_ID", "Invalid job_id format (expected UUID)."),
    ("JOB_NOT_FOUND", "Job not found."),
    ("JOB_NOT_COMPLETED", "Job is not completed yet (status: processing)."),
    ("RESULT_FILE_EXPIRED", "Result file has expired and is no longer available."),
];

const CATEGORY: Shape = OneOf(&[
    "deliverable",
    "undeliverable",
    "risky",
    "disposable",
    "unknown",
    "duplicate",
    "invalid_syntax",
    "random_pattern",
    "high_risk",
    "accept_all",
]);

const STATUS: Shape = OneOf(&["pending", "processing", "completed", "failed", "cancelled"]);

const SOURCE: Shape = OneOf(&["batch", "csv"]);

/// `POST /api/v1/verify`
pub(super) const VERIFICATION: Shape = Object(&[
    ("email", OrNull(&Text)),
    ("category", CATEGORY),
    ("sub_category", OrNull(&Text)),
    ("reason", OrNull(&Text)),
    ("confidence_score", Number),
    (
        "details",
        Object(&[
            ("syntax", Object(&[("is_valid", Flag), ("is_ascii", Flag), ("error", OrNull(&Text))])),
            ("domain", DOMAIN),
            (
                "mailbox",
                Object(&[
                    ("is_role_based", Flag),
                    ("role_type", OrNull(&Text)),
                    ("is_alias", Flag),
                    ("alias_type", OrNull(&Text)),
                ]),
            ),
            ("random_pattern", RANDOM_PATTERN),
        ]),
    ),
    ("suggestion", OrNull(&Text)),
    (
        "metadata",
        Object(&[("verification_id", Uuid), ("verified_at", Moment), ("processing_time_ms", Whole)]),
    ),
]);

const DOMAIN: Shape = Object(&[
    ("name", Text),
    ("exists", Flag),
    ("has_mx", Flag),
    ("mx_records", List(&Text)),
    ("is_disposable", Flag),
    ("is_free_provider", Flag),
    ("is_catch_all", Flag),
    ("provider", OrNull(&Text)),
    ("domain_trust", OrNull(&DOMAIN_TRUST)),
]);

/// Shown as null; what stands there where it is asked for is of our making.
const DOMAIN_TRUST: Shape = Object(&[
    ("score", Number),
    ("has_spf", OrNull(&Flag)),
    ("has_dmarc", OrNull(&Flag)),
    ("dmarc_policy", OrNull(&Text)),
    ("has_mta_sts", OrNull(&Flag)),
    ("has_tls_rpt", OrNull(&Flag)),
    ("has_dnssec", OrNull(&Flag)),
    ("has_caa", OrNull(&Flag)),
    ("is_parked", OrNull(&Flag)),
    ("tld_risk", OrNull(&Text)),
    ("blocklists", List(&Text)),
    ("reasons", List(&Text)),
]);

const RANDOM_PATTERN: Shape = Object(&[
    ("is_random", Flag),
    ("confidence", Number),
    ("signals", List(&Text)),
    ("entropy", Number),
    (
        "signal_details",
        List(&Object(&[("signal", Text), ("value", Number), ("threshold", Number), ("weight", Number)])),
    ),
]);

/// `POST /api/v1/verify/batch`
pub(super) const BATCH_ACCEPTED: Shape = Object(&[
    ("job_id", Uuid),
    ("status", OneOf(&["pending"])),
    ("total_emails", Whole),
    ("estimated_time_seconds", Whole),
    ("check_status_url", Text),
]);

/// `POST /api/v1/verify/csv`
pub(super) const CSV_ACCEPTED: Shape = Object(&[
    ("job_id", Uuid),
    ("status", OneOf(&["pending"])),
    ("total_emails", Whole),
    ("estimated_time_seconds", Whole),
    ("check_status_url", Text),
    ("detected_delimiter", OneOf(&[",", ";", "\t", "|"])),
    ("detected_encoding", OneOf(&["utf-8", "utf-8-sig", "cp1252", "latin-1"])),
    ("email_column_name", Text),
    ("has_header", Flag),
    ("extra_column_names", List(&Text)),
]);

/// `GET /api/v1/jobs`
pub(super) const JOBS: Shape = Object(&[
    (
        "items",
        List(&Object(&[
            ("job_id", Uuid),
            ("status", STATUS),
            ("source_type", SOURCE),
            ("original_filename", OrNull(&Text)),
            ("total_count", Whole),
            ("processed_count", Whole),
            ("created_at", Moment),
            ("started_at", OrNull(&Moment)),
            ("completed_at", OrNull(&Moment)),
        ])),
    ),
    ("total", Whole),
    ("limit", Whole),
    ("offset", Whole),
]);

/// `GET /api/v1/jobs/{job_id}`
pub(super) const JOB: Shape = Object(&[
    ("job_id", Uuid),
    ("status", STATUS),
    ("source_type", SOURCE),
    ("total_count", Whole),
    ("processed_count", Whole),
    (
        "stats",
        Object(&[
            ("total", Whole),
            ("processed", Whole),
            ("deliverable", Whole),
            ("undeliverable", Whole),
            ("risky", Whole),
            ("disposable", Whole),
            ("unknown", Whole),
            ("duplicate", Whole),
            ("invalid_syntax", Whole),
            ("random_pattern", Whole),
            ("high_risk", Whole),
            ("accept_all", Whole),
        ]),
    ),
    ("created_at", Moment),
    ("started_at", OrNull(&Moment)),
    ("completed_at", OrNull(&Moment)),
    ("webhook_url", OrNull(&Text)),
    ("webhook_sent", Flag),
    ("result_file_expires_at", OrNull(&Moment)),
    ("error_message", OrNull(&Text)),
    ("original_filename", OrNull(&Text)),
    ("download_url", OrNull(&Text)),
]);

/// `GET /api/v1/jobs/{job_id}/results`
pub(super) const RESULTS: Shape = Object(&[
    ("job_id", Uuid),
    ("total", Whole),
    ("offset", Whole),
    ("limit", Whole),
    ("category_filter", OrNull(&CATEGORY)),
    ("include_email", Flag),
    (
        "results",
        List(&Object(&[
            ("row_number", Whole),
            ("email", OrNull(&Text)),
            ("category", CATEGORY),
            ("sub_category", OrNull(&Text)),
            ("reason", OrNull(&Text)),
            ("confidence_score", Number),
            ("extra_columns", Named(&Text)),
        ])),
    ),
]);

/// `GET /api/v1/usage`
pub(super) const USAGE: Shape = Object(&[
    ("client_id", Uuid),
    ("period_month", Month),
    ("billable_units", Whole),
    ("monthly_quota", OrNull(&Whole)),
    ("usage_ratio", OrNull(&Number)),
    ("over_quota", Flag),
    ("hard_cap", Flag),
    ("billing_note", Text),
]);

/// `GET /api/v1/` and `GET /api/v1/health`, of which the documentation says that they answer something
pub(super) const ROOT: Shape = Object(&[("name", Text), ("version", Text), ("docs", Text)]);
pub(super) const HEALTH: Shape = Object(&[("status", Text), ("version", Text)]);

/// The same of `GET /api/v1/stats/…`
pub(super) const STATS: [(&str, Shape); 4] = [
    (
        "disposable",
        Object(&[
            ("total_domains", Whole),
            ("curated", Whole),
            ("broad", Whole),
            ("updated_at", OrNull(&Text)),
        ]),
    ),
    ("free-providers", Object(&[("total_domains", Whole), ("updated_at", OrNull(&Text))])),
    (
        "internal-cache",
        Object(&[("hard_bounces", Whole), ("high_risk", Whole), ("hits", Whole), ("misses", Whole)]),
    ),
    (
        "verification-history",
        Object(&[
            ("total", Whole),
            ("undeliverable", Whole),
            ("disposable", Whole),
            ("high_risk", Whole),
            ("oldest_at", OrNull(&Text)),
            ("retention_years", Whole),
        ]),
    ),
];
