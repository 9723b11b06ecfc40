//! The Email Verifier facade from end to end: what its clients send and what they get.

use std::time::{SystemTime, UNIX_EPOCH};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site, served::Served},
};
use serde_json::{Value, json};

/// The keys of the Verification object and of those in it, in their order.
const VERIFICATION: [&str; 36] = [
    "email",
    "category",
    "sub_category",
    "reason",
    "confidence_score",
    "details",
    "syntax",
    "is_valid",
    "is_ascii",
    "error",
    "domain",
    "name",
    "exists",
    "has_mx",
    "mx_records",
    "is_disposable",
    "is_free_provider",
    "is_catch_all",
    "provider",
    "domain_trust",
    "mailbox",
    "is_role_based",
    "role_type",
    "is_alias",
    "alias_type",
    "random_pattern",
    "is_random",
    "confidence",
    "signals",
    "entropy",
    "signal_details",
    "suggestion",
    "metadata",
    "verification_id",
    "verified_at",
    "processing_time_ms",
];

/// The keys of a JSON text as they stand in it. No string of it holds a quote.
fn keys(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text.split('"').collect();
    // Every other part is a string, and a key where a colon follows.
    parts
        .chunks(2)
        .zip(parts.iter().skip(2).step_by(2))
        .filter(|(_, next)| next.starts_with(':'))
        .map(|(pair, _)| pair[1])
        .collect()
}

/// Submits a batch and waits until it has ended. Returns its id.
fn batch(served: &Served, key: &str, body: &Value) -> String {
    let id = served.submit(key, body);
    let path = format!("/api/v1/jobs/{id}");
    let is_done = || served.fetch(&path, key).json()["status"] == "completed";
    assert!(wait_until(LIMIT, is_done), "{}", served.said());
    id
}

#[test]
fn one_address_is_answered_at_once_and_billed_if_somebody_knows() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let answer = served.post("/api/v1/verify", &key, "", r#"{"email":"not an address"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    assert_eq!(keys(&answer.body), VERIFICATION);
    assert_eq!(told["category"], "invalid_syntax");
    let quiet = r#"{"email":"jane.doe@gmail.com","options":{"check_smtp":false,"include_email":false}}"#;
    let quiet = served.post("/api/v1/verify", &key, "", quiet).json();
    assert_eq!((&quiet["category"], &quiet["email"]), (&json!("unknown"), &Value::Null), "{quiet}");
    // What nobody knows, and what is empty, costs nothing.
    assert_eq!(
        served.post("/api/v1/verify", &key, "", r#"{"email":""}"#).json()["category"],
        "invalid_syntax"
    );
    let usage = served.fetch("/api/v1/usage", &key).json();
    assert_eq!(usage["billable_units"], 1, "{usage}");
    assert_eq!(usage["billing_note"], "manual_postpaid: soft cap, never blocks");
}

#[test]
fn a_batch_has_a_verdict_for_each_of_its_rows_and_its_owner_alone_sees_it() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    let emails =
        [format!("{MARK}a@mailinator.com"), format!("{MARK}a@MAILINATOR.com"), "nonsense".to_owned()];
    let id = batch(&served, &key, &json!({ "emails": emails, "retention_days": 7.0 }));
    let job = served.fetch(&format!("/api/v1/jobs/{id}"), &key).json();
    let stats = &job["stats"];
    assert_eq!((&stats["total"], &stats["processed"]), (&json!(3), &json!(3)), "{job}");
    assert_eq!(
        (&stats["disposable"], &stats["duplicate"], &stats["invalid_syntax"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(job["source_type"], "batch");

    let results =
        served.fetch(&format!("/api/v1/jobs/{id}/results?include_email=true&limit=2&offset=1"), &key);
    let results = results.json();
    assert_eq!(
        (&results["total"], &results["results"][0]["row_number"]),
        (&json!(3), &json!(2)),
        "{results}"
    );
    assert_eq!(results["results"][0]["email"], emails[1]);
    assert_eq!(results["results"][0]["category"], "duplicate");
    let some = served.fetch(&format!("/api/v1/jobs/{id}/results?category=disposable"), &key).json();
    assert_eq!((&some["total"], &some["results"][0]["email"]), (&json!(1), &Value::Null), "{some}");

    let list = served.fetch("/api/v1/jobs?status=completed", &key).json();
    assert_eq!((&list["total"], &list["items"][0]["job_id"]), (&json!(1), &json!(id)), "{list}");
    assert_eq!(served.fetch("/api/v1/jobs?status=pending", &key).json()["total"], 0);
    assert_eq!(served.fetch("/api/v1/jobs?offset=7", &key).json()["total"], 1);

    for path in [format!("/api/v1/jobs/{id}"), format!("/api/v1/jobs/{id}/results")] {
        served.fetch(&path, &other).is(404, "JOB_NOT_FOUND");
    }
    assert_eq!(served.fetch("/api/v1/jobs", &other).json()["total"], 0);
    // The duplicate costs nothing.
    assert_eq!(served.fetch("/api/v1/usage", &key).json()["billable_units"], 2);
    assert_eq!(served.fetch("/api/v1/usage", &other).json()["billable_units"], 0);
    assert!(!served.said().contains(MARK), "{}", served.said());
    assert!(!site.postgres.dump().unwrap().contains(MARK));
}

#[test]
fn what_is_wrong_with_a_request_is_told_by_its_code() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let many: Vec<String> = (0..1_001).map(|n| format!("a{n}@example.com")).collect();
    for (body, status, code) in [
        (json!({ "emails": many, "retention_days": 99 }), 400, "BATCH_TOO_LARGE"),
        (json!({ "emails": ["a@example.com"], "retention_days": 0 }), 400, "INVALID_RETENTION_DAYS"),
        (json!({ "emails": ["a@example.com"], "retention_days": 31 }), 400, "INVALID_RETENTION_DAYS"),
    ] {
        served.post("/api/v1/verify/batch", &key, "", body.to_string()).is(status, code);
    }
    for (body, place) in [
        (json!({ "emails": [] }), json!(["body", "emails"])),
        (json!({ "emails": ["a@example.com", 7] }), json!(["body", "emails", 1])),
        (json!({ "emails": ["a@example.com"], "retention_days": 1.5 }), json!(["body", "retention_days"])),
        (
            json!({ "emails": ["a@example.com"], "webhook_url": "http://a.example/x" }),
            json!(["body", "webhook_url"]),
        ),
        (
            json!({ "emails": ["a@example.com"], "webhook_url": "https://127.0.0.1/" }),
            json!(["body", "webhook_url"]),
        ),
        (
            json!({ "emails": ["a@example.com"], "options": { "check_smtp": "no" } }),
            json!(["body", "options", "check_smtp"]),
        ),
    ] {
        let refused = served.post("/api/v1/verify/batch", &key, "", body.to_string());
        assert_eq!((refused.status, &refused.json()["detail"][0]["loc"]), (422, &place), "{refused:?}");
    }
    for (path, status, code) in [
        ("/api/v1/jobs?status=running", 400, "INVALID_STATUS_FILTER"),
        ("/api/v1/jobs?created_after=yesterday", 400, "INVALID_DATE_FORMAT"),
        ("/api/v1/jobs?created_after=-009000-01-01T00:00:00Z", 400, "INVALID_DATE_FORMAT"),
        ("/api/v1/jobs?created_before=0000-01-01", 400, "INVALID_DATE_FORMAT"),
        ("/api/v1/jobs/7", 400, "INVALID_JOB_ID"),
        ("/api/v1/jobs/%ff", 400, "INVALID_JOB_ID"),
        ("/api/v1/jobs/%00", 400, "INVALID_JOB_ID"),
        ("/api/v1/jobs/..%2f", 400, "INVALID_JOB_ID"),
        ("/api/v1/jobs/%ff/results", 400, "INVALID_JOB_ID"),
        ("/api/v1/jobs/f47ac10b-58cc-4372-a567-0e02b2c3d479", 404, "JOB_NOT_FOUND"),
        ("/api/v1/nothing", 404, "NOT_FOUND"),
        ("/api/v1/verify", 405, "METHOD_NOT_ALLOWED"),
    ] {
        served.fetch(path, &key).is(status, code);
    }
    for path in [
        "/api/v1/jobs?limit=1001",
        "/api/v1/jobs?limit=0",
        "/api/v1/jobs/f47ac10b-58cc-4372-a567-0e02b2c3d479/results?limit=0",
        "/api/v1/jobs?offset=-1",
        "/api/v1/usage?period=June",
    ] {
        assert_eq!(served.fetch(path, &key).status, 422, "{path}");
    }
    for date in ["2026-06-10%2012:00:00", "2026-06-10T12:00:00+02:00", "0001-01-01", "9999-12-30"] {
        let path = format!("/api/v1/jobs?created_after={date}&created_before={date}");
        assert_eq!(served.fetch(&path, &key).status, 200, "{path}");
    }
}

#[test]
fn a_hard_cap_is_kept_by_requests_and_batches() {
    let site = Site::new(&[]);
    let made = site.run(&["client", "create", "capped", "--quota", "3", "--hard-cap"]);
    assert!(made.status.success(), "{}", made.stderr);
    let made = site.run(&["key", "create", "capped", "--for", "email-verifier"]);
    let key = made.stdout.trim().to_owned();
    let served = site.serve();
    let four =
        json!({ "emails": ["a@mailinator.com", "b@mailinator.com", "c@mailinator.com", "d@mailinator.com"] });
    let refused = served.post("/api/v1/verify/batch", &key, "", four.to_string());
    refused.is(402, "QUOTA_EXCEEDED");
    assert_eq!(refused.json()["detail"]["remaining"], 3);
    batch(&served, &key, &json!({ "emails": ["a@mailinator.com", "b@mailinator.com"] }));
    let one = r#"{"email":"c@mailinator.com"}"#;
    assert_eq!(served.post("/api/v1/verify", &key, "", one).status, 200);
    let refused = served.post("/api/v1/verify", &key, "", one);
    refused.is(402, "QUOTA_EXCEEDED");
    let detail = &refused.json()["detail"];
    assert_eq!(
        (&detail["used"], &detail["monthly_quota"], &detail["remaining"]),
        (&json!(3), &json!(3), &json!(0))
    );
    let usage = served.fetch("/api/v1/usage", &key).json();
    assert_eq!(
        (&usage["billable_units"], &usage["usage_ratio"], &usage["over_quota"]),
        (&json!(3), &json!(1.0), &json!(false))
    );
}

#[test]
fn a_batch_that_is_sent_again_with_its_idempotency_key_is_one_job() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let nonce = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let header = format!("Idempotency-Key: batch-{nonce}\r\n");
    let body = json!({ "emails": ["a@mailinator.com"] }).to_string();
    let ids: Vec<Value> = (0..3)
        .map(|_| served.post("/api/v1/verify/batch", &key, &header, &body).json()["job_id"].clone())
        .collect();
    assert!(ids.iter().all(|id| id.is_string() && *id == ids[0]), "{ids:?}");
    assert_eq!(served.fetch("/api/v1/jobs", &key).json()["total"], 1);
}
