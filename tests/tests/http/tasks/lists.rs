//! Tasks, from the submission of a list to the last page of its rows.

use std::time::{SystemTime, UNIX_EPOCH};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site},
};
use serde_json::json;

use super::{EMAIL, ended, get, internet, key, key_of, post, posted, submit};
use crate::published::shape::Shape::{self, *};

/// `GET /api/v1/tasks/{id}/jobs`, as the product's page shows it.
const JOBS: Shape = Object(&[
    (
        "jobs",
        List(&Object(&[
            ("id", Uuid),
            ("task_id", Uuid),
            ("email_address", Text),
            ("status", OneOf(&["pending", "processing", "completed", "failed"])),
            ("email", EMAIL),
            ("created_at", Moment),
            ("updated_at", Moment),
        ])),
    ),
    ("count", Whole),
    ("limit", Whole),
    ("offset", Whole),
]);

const CREATED: Shape = Object(&[
    ("id", Uuid),
    ("user_id", Uuid),
    ("webhook_url", OrNull(&Text)),
    ("source", OneOf(&["api_key"])),
    ("created_at", Moment),
    ("email_count", Whole),
    ("domain_count", Whole),
]);

const STATUSES: Shape =
    Object(&[("pending", Whole), ("processing", Whole), ("completed", Whole), ("failed", Whole)]);

const METRICS: Shape = Object(&[
    ("total_email_addresses", Whole),
    ("job_status", STATUSES),
    ("progress", Number),
    ("progress_percent", Whole),
    (
        "verification_status",
        Object(&[
            ("exists", Whole),
            ("not_exists", Whole),
            ("catchall", Whole),
            ("invalid_syntax", Whole),
            ("unknown", Whole),
            ("role_based", Whole),
            ("disposable_domain_emails", Whole),
        ]),
    ),
    ("last_verification_requested_at", Moment),
    ("last_verification_completed_at", OrNull(&Moment)),
]);

const TASK: Shape = Object(&[
    ("id", Uuid),
    ("user_id", Uuid),
    ("webhook_url", OrNull(&Text)),
    ("is_file_backed", Flag),
    ("file", OrNull(&Flag)),
    ("source", OneOf(&["api_key"])),
    ("created_at", Moment),
    ("updated_at", Moment),
    ("started_at", OrNull(&Moment)),
    ("finished_at", OrNull(&Moment)),
    ("metrics", METRICS),
]);

#[test]
fn a_list_is_told_row_by_row_as_the_published_page_shows() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let emails = ["jane@example.com", "ghost@EXAMPLE.com", "info@example.com", "x@everybody.test"];
    let body = json!({ "emails": emails, "webhook_url": null, "unknown": 1 }).to_string();
    let created = post(&served, "/api/v1/tasks", &key, &body);
    assert_eq!(created.status, 201, "{created:?}");
    CREATED.fits(&created.body);
    let created = created.json();
    assert_eq!((&created["email_count"], &created["domain_count"]), (&json!(4), &json!(2)), "{created}");
    let id = created["id"].as_str().unwrap();
    let task = ended(&served, &key, id);

    let page = get(&served, &format!("/api/v1/tasks/{id}/jobs"), &key);
    assert_eq!(page.status, 200, "{page:?}");
    JOBS.fits(&page.body);
    let page = page.json();
    assert_eq!(
        (&page["count"], &page["limit"], &page["offset"]),
        (&json!(4), &json!(10), &json!(0)),
        "{page}"
    );
    let jobs = page["jobs"].as_array().unwrap();
    // The last one first.
    let told: Vec<_> = jobs.iter().map(|job| job["email_address"].as_str().unwrap()).collect();
    assert!(told.iter().eq(emails.iter().rev()), "{told:?}");
    let mut ids: Vec<_> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "{ids:?}");
    ids.dedup();
    assert!(ids.len() == 4 && jobs.iter().all(|job| job["task_id"] == id && job["status"] == "completed"));

    let facts = |job: &serde_json::Value| {
        let email = &job["email"];
        json!([
            email["status"],
            email["is_role_based"],
            email["has_mx_records"],
            email["has_reverse_dns"],
            email["domain_name"],
            email["host_name"],
            email["is_catchall"],
            email["needs_physical_verify"],
        ])
    };
    let expected = [
        json!(["catchall", false, true, false, "everybody.test", "mx.everybody.test", true, true]),
        json!(["exists", true, true, true, "example.com", "mx.example.com", false, false]),
        json!(["not_exists", false, true, true, "example.com", "mx.example.com", false, false]),
        json!(["exists", false, true, true, "example.com", "mx.example.com", false, false]),
    ];
    assert_eq!(jobs.iter().map(facts).collect::<Vec<_>>(), expected, "{page}");

    let status = json!({ "pending": 0, "processing": 0, "completed": 4, "failed": 0 });
    let verdicts = json!({
        "exists": 2, "not_exists": 1, "catchall": 1, "invalid_syntax": 0, "unknown": 0, "role_based": 1,
        "disposable_domain_emails": 0,
    });
    let metrics = &task["metrics"];
    assert_eq!((&metrics["job_status"], &metrics["verification_status"]), (&status, &verdicts), "{task}");
    assert_eq!((&metrics["progress"], &metrics["progress_percent"]), (&json!(1.0), &json!(100)), "{task}");
    TASK.fits(&get(&served, &format!("/api/v1/tasks/{id}"), &key).body);

    let series = get(&served, &format!("/api/v1/tasks/{id}/series"), &key).json();
    assert_eq!(series["series"][0]["verification_status"], verdicts, "{series}");
    assert_eq!(series["series"].as_array().unwrap().len(), 1, "{series}");
}

#[test]
fn a_row_that_is_not_known_yet_has_no_email() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve_only();
    let id = submit(&served, &key, &["jane@example.com"]);
    let path = format!("/api/v1/tasks/{id}/jobs");
    let page = get(&served, &path, &key).json();
    let job = &page["jobs"][0];
    assert_eq!((&job["status"], job.get("email")), (&json!("pending"), None), "{page}");
    let task = get(&served, &format!("/api/v1/tasks/{id}"), &key).json();
    assert_eq!(task["metrics"]["job_status"]["pending"], 1, "{task}");
    let worker = site.serve();
    let is_known = || get(&served, &path, &key).json()["jobs"][0].get("email").is_some();
    assert!(wait_until(LIMIT, is_known), "{}", worker.said());
}

#[test]
fn pages_have_each_row_once_and_equal_addresses_each_an_answer() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let emails = ["jane@example.com"; 25];
    let id = submit(&served, &key, &emails);
    ended(&served, &key, &id);
    let mut seen = Vec::new();
    for offset in [0, 10, 20, 30] {
        let page = get(&served, &format!("/api/v1/tasks/{id}/jobs?limit=10&offset={offset}"), &key).json();
        assert_eq!(page["count"], 25, "{page}");
        for job in page["jobs"].as_array().unwrap() {
            assert_eq!(job["email"]["status"], "exists", "{job}");
            seen.push(job["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
    // The server was asked once.
    let asked = net.internet().counts().total.commands_of(mailsonde_lab::Verb::Rcpt);
    assert!(asked <= 3, "asked {asked} times");
}

#[test]
fn lists_of_tasks_are_filtered_and_are_the_clients_own() {
    let net = internet();
    let site = Site::with(net.environment());
    let (key, other) = (key(&site, "acme"), key(&site, "other"));
    let served = site.serve();
    let ids: Vec<String> = (0..3).map(|_| submit(&served, &key, &["jane@example.com"])).collect();
    let list = get(&served, "/api/v1/tasks?limit=2", &key).json();
    assert_eq!((&list["count"], &list["limit"], &list["source"]), (&json!(3), &json!(2), &json!("api_key")));
    let told: Vec<_> = list["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
    assert_eq!(told, [&ids[2], &ids[1]], "the newest first");
    assert!(list["tasks"][0].get("started_at").is_none(), "{list}");
    for (filter, count) in [
        ("is_file_backed=true", 0),
        ("is_file_backed=false", 3),
        ("created_after=2020-01-01T00:00:00Z", 3),
        ("created_before=2020-01-01T00:00:00Z", 0),
        ("created_after=2020-01-01T00:00:00%2B02:00&offset=7", 3),
    ] {
        let list = get(&served, &format!("/api/v1/tasks?{filter}"), &key).json();
        assert_eq!(list["count"], count, "{filter}: {list}");
    }
    assert_eq!(get(&served, "/api/v1/tasks", &other).json()["count"], 0);
    for path in ["", "/jobs", "/series"] {
        let path = format!("/api/v1/tasks/{}{path}", ids[0]);
        super::refuses(&get(&served, &path, &other), 404, "NOT_FOUND");
    }
    let mine = get(&served, &format!("/api/v1/tasks/{}", ids[0]), &key).json();
    let user = mine["user_id"].as_str().unwrap();
    let foreign = format!("/api/v1/tasks?user_id={user}");
    super::refuses(&get(&served, &foreign, &other), 403, "FORBIDDEN");
    let admin = site.print(&["key", "create", "other", "--for", "tasks", "--scopes", "verify,admin"]);
    assert_eq!(get(&served, &foreign, &admin).json()["count"], 3);
    assert_eq!(get(&served, &format!("/api/v1/tasks/{}", ids[0]), &admin).status, 200);
}

#[test]
fn what_has_expired_has_no_rows_any_more() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let id = submit(&served, &key, &[&format!("{MARK}jane@example.com")]);
    ended(&served, &key, &id);
    site.query("update job set expires_at = now() - interval '1 second' where ended_at is not null");
    let page = get(&served, &format!("/api/v1/tasks/{id}/jobs"), &key).json();
    assert_eq!((&page["jobs"], &page["count"]), (&json!([]), &json!(0)), "{page}");
    assert_eq!(get(&served, &format!("/api/v1/tasks/{id}"), &key).status, 200);
    site.keeps_secrets();
}

#[test]
fn a_list_that_is_sent_again_with_its_idempotency_key_is_one_task() {
    let site = Site::new(&[]);
    let key = key(&site, "acme");
    let served = site.serve();
    let nonce = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let header = format!("Idempotency-Key: list-{nonce}\r\n");
    let body = json!({ "emails": ["jane@example.com"] }).to_string();
    let ids: Vec<_> = (0..3)
        .map(|_| served.ask(posted("/api/v1/tasks", &key, &header, &body)).json()["id"].clone())
        .collect();
    assert!(ids.iter().all(|id| id.is_string() && *id == ids[0]), "{ids:?}");
    assert_eq!(get(&served, "/api/v1/tasks", &key).json()["count"], 1);
    // The other header that is taken.
    let key = key_of(&site, "acme");
    let request =
        format!("GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
    assert_eq!(served.ask(request).json()["count"], 1);
}
