//! The examples that Email Verifier publishes, sent as they stand there: what is answered has the same status and the same
//! fields, in the same order and of the same types, and where the world is as in the example, the same values.

mod answers;
pub(crate) mod shape;

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        client::{self, Answer},
        served::Served,
    },
};
use serde_json::{Value, json};

use answers::{
    BATCH_ACCEPTED, CSV_ACCEPTED, HEALTH, JOB, JOBS, RESULTS, ROOT, STATS, TEXTS, USAGE, VERIFICATION,
};
use shape::{Json, Shape};

const JANE: &str = r#"{"email": "jane.doe@example.com", "options": {"check_smtp": true, "suggest_typo": true, "include_email": true}}"#;
const BATCH: &str = r#"{"emails": ["jane.doe@example.com", "john@example.org"], "webhook_url": "https://your-app.example.com/webhooks/ev", "retention_days": 7}"#;

/// With the columns of the example, and John, who stands in its results.
const TABLE: &str = "email,first_name,signup_date\n\
                     jane.doe@example.com,Jane,2026-01-05\n\
                     john@example.org,John,2026-02-11\n";

/// A job that nobody has.
const NO_JOB: &str = "f47ac10b-58cc-4372-a567-0e02b2c3d479";

/// The largest file, in octets.
const FILE_MAX: usize = 20 * 1024 * 1024;

/// The mail internet of the examples, and a server that takes longer than any test.
fn internet() -> Net {
    let zone = "example.com MX 1 aspmx.l.google.com\n\
                example.org TXT \"here, but not for mail\"\n\
                slow.test MX 10 mx.slow.test";
    let hosts = "[host.\"aspmx.l.google.com\"]\nlike = 'google'\naccepts = ['jane.doe@example.com']\n\
                 [host.\"mx.slow.test\"]\ntarpit.rcpt = '10m'";
    Internet::parse(zone, hosts).unwrap().listen().unwrap()
}

/// A client with the quota of the examples, and a key of it.
fn key(site: &Site) -> String {
    site.print(&["client", "create", "acme", "--quota", "50000"]);
    site.key_of("acme")
}

/// Fails where an answer is not what the example of this code answers, or anything else stands in it.
fn says(answer: &Answer, status: u16, code: &str) {
    let (_, text) = TEXTS.iter().find(|text| text.0 == code).unwrap();
    let body = format!(r#"{{"detail":{{"error":"{text}","code":"{code}"}}}}"#);
    assert_eq!((answer.status, &*answer.body), (status, &*body));
    assert_eq!(answer.header("content-type"), "application/json");
}

/// What is answered with 2xx, like this.
fn taken(answer: &Answer, status: u16, shape: &Shape) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    shape.fits(&answer.body);
    answer.json()
}

/// The form of the example.
fn form(key: &str, table: &str) -> Vec<u8> {
    let field = |about: &str, said: &str| {
        format!("--of-the-example\r\nContent-Disposition: form-data; name={about}\r\n\r\n{said}\r\n")
    };
    let file = "\"file\"; filename=\"contacts.csv\"\r\nContent-Type: text/csv";
    let body = [&*field(file, table), &*field("\"retention_days\"", "7"), "--of-the-example--\r\n"].concat();
    let form = "Content-Type: multipart/form-data; boundary=of-the-example\r\n";
    client::post("/api/v1/verify/csv", key, form, body.as_bytes())
}

/// Waits until a job has ended. Returns its path.
fn ended(served: &Served, key: &str, accepted: &Value) -> String {
    let path = accepted["check_status_url"].as_str().unwrap().to_owned();
    assert_eq!(path, format!("/api/v1/jobs/{}", accepted["job_id"].as_str().unwrap()));
    let has_ended = || served.fetch(&path, key).json()["status"] == "completed";
    assert!(wait_until(LIMIT, has_ended), "{}", served.said());
    path
}

#[test]
fn an_address_is_answered_as_in_the_example() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site);
    let served = site.serve();
    let verified = taken(&served.post("/api/v1/verify", &key, "", JANE), 200, &VERIFICATION);
    let values = [
        ("/email", json!("jane.doe@example.com")),
        ("/category", json!("deliverable")),
        ("/sub_category", Value::Null),
        ("/reason", Value::Null),
        ("/confidence_score", json!(0.98)),
        ("/details/syntax", json!({ "is_valid": true, "is_ascii": true, "error": null })),
        ("/details/domain/name", json!("example.com")),
        ("/details/domain/exists", json!(true)),
        ("/details/domain/has_mx", json!(true)),
        ("/details/domain/mx_records", json!(["aspmx.l.google.com"])),
        ("/details/domain/is_catch_all", json!(false)),
        ("/details/domain/provider", json!("Google Workspace")),
        ("/details/domain/domain_trust", Value::Null),
        (
            "/details/mailbox",
            json!({ "is_role_based": false, "role_type": null, "is_alias": false, "alias_type": null }),
        ),
        ("/details/random_pattern/is_random", json!(false)),
        ("/details/random_pattern/signals", json!([])),
        ("/details/random_pattern/signal_details", json!([])),
        ("/suggestion", Value::Null),
    ];
    for (place, value) in values {
        assert_eq!(verified.pointer(place), Some(&value), "{place} of {verified}");
    }
    let usage = taken(&served.fetch("/api/v1/usage", &key), 200, &USAGE);
    assert_eq!((&usage["billable_units"], &usage["monthly_quota"]), (&json!(1), &json!(50_000)), "{usage}");
    assert_eq!((&usage["usage_ratio"], &usage["hard_cap"]), (&json!(0.0), &json!(false)), "{usage}");
    assert_eq!(usage["billing_note"], "manual_postpaid: soft cap, never blocks");
}

#[test]
fn a_batch_and_its_job_are_answered_as_in_the_examples() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site);
    let served = site.serve();
    let accepted = taken(&served.post("/api/v1/verify/batch", &key, "", BATCH), 202, &BATCH_ACCEPTED);
    assert_eq!(accepted["total_emails"], 2);
    let path = ended(&served, &key, &accepted);

    let list = taken(&served.fetch("/api/v1/jobs", &key), 200, &JOBS);
    let page = (&list["total"], &list["limit"], &list["offset"]);
    assert_eq!(page, (&json!(1), &json!(20), &json!(0)), "{list}");
    assert_eq!(list["items"][0]["original_filename"], Value::Null);

    let job = taken(&served.fetch(&path, &key), 200, &JOB);
    let stats = &job["stats"];
    assert_eq!((&stats["deliverable"], &stats["undeliverable"]), (&json!(1), &json!(1)), "{job}");
    assert_eq!(job["source_type"], "batch");
    assert_eq!(job["webhook_url"], "https://your-app.example.com/webhooks/ev");
    assert_eq!((&job["webhook_sent"], &job["error_message"]), (&json!(false), &Value::Null), "{job}");
    assert_eq!(job["download_url"], format!("{path}/download"));
    assert!(job["result_file_expires_at"].is_string() && job["completed_at"].is_string(), "{job}");

    let results = taken(&served.fetch(&format!("{path}/results"), &key), 200, &RESULTS);
    let page = (&results["total"], &results["offset"], &results["limit"], &results["include_email"]);
    assert_eq!(page, (&json!(2), &json!(0), &json!(100), &json!(false)), "{results}");
    assert_eq!(results["category_filter"], Value::Null);
    rows_are_those_of_the_example(&results, [json!({}), json!({})]);
}

/// Jane's and John's, who are not named.
fn rows_are_those_of_the_example(results: &Value, extra: [Value; 2]) {
    let rows = [(1, "deliverable", Value::Null, 0.98), (2, "undeliverable", json!("no_mx_record"), 0.99)];
    let expected = rows.into_iter().zip(extra).map(|((number, category, why, score), extra)| {
        json!({
            "row_number": number, "email": null, "category": category, "sub_category": why, "reason": why,
            "confidence_score": score, "extra_columns": extra,
        })
    });
    assert_eq!(results["results"], expected.collect::<Value>(), "{results}");
}

#[test]
fn a_table_and_its_file_are_answered_as_in_the_examples() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site);
    let served = site.serve();
    let accepted = taken(&served.ask(form(&key, TABLE)), 202, &CSV_ACCEPTED);
    let values = [
        ("total_emails", json!(2)),
        ("detected_delimiter", json!(",")),
        ("detected_encoding", json!("utf-8")),
        ("email_column_name", json!("email")),
        ("has_header", json!(true)),
        ("extra_column_names", json!(["first_name", "signup_date"])),
    ];
    for (name, value) in values {
        assert_eq!(accepted[name], value, "{name} of {accepted}");
    }
    let path = ended(&served, &key, &accepted);
    let job = taken(&served.fetch(&path, &key), 200, &JOB);
    assert_eq!((&job["source_type"], &job["original_filename"]), (&json!("csv"), &json!("contacts.csv")));
    let results = served.fetch(&format!("{path}/results"), &key);
    let extra = [
        json!({ "first_name": "Jane", "signup_date": "2026-01-05" }),
        json!({ "first_name": "John", "signup_date": "2026-02-11" }),
    ];
    rows_are_those_of_the_example(&taken(&results, 200, &RESULTS), extra);
    assert!(results.body.contains(r#""extra_columns":{"first_name":"Jane","signup_date":""#), "{results:?}");

    let file = served.fetch(job["download_url"].as_str().unwrap(), &key);
    assert_eq!(file.status, 200, "{file:?}");
    assert!(file.header("content-type").starts_with("text/csv"), "{file:?}");
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines.len(), 3, "{file:?}");
    for (line, own) in lines.iter().zip(TABLE.lines()) {
        assert!(line.starts_with(&format!("{own},")), "{line}");
    }
    assert!(
        lines[1].contains(",deliverable,") && lines[2].contains(",undeliverable,no_mx_record,"),
        "{file:?}"
    );
}

#[test]
fn who_has_no_key_or_one_for_other_things_hears_it_in_the_words_of_the_examples() {
    let site = Site::new(&[("MAILSONDE_HTTP__FAILURES_PER_MINUTE", "1000")]);
    site.print(&["client", "create", "acme"]);
    let other = site.print(&["key", "create", "acme", "--for", "email-verifier", "--scopes", "stats"]);
    let served = site.serve();
    let job = format!("/api/v1/jobs/{NO_JOB}");
    for request in [
        "POST /api/v1/verify".to_owned(),
        "POST /api/v1/verify/batch".to_owned(),
        "POST /api/v1/verify/csv".to_owned(),
        "GET /api/v1/jobs".to_owned(),
        format!("GET {job}"),
        format!("GET {job}/results"),
        format!("GET {job}/download"),
        "GET /api/v1/usage".to_owned(),
    ] {
        let with = |header: &str| {
            served.ask(format!("{request} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n"))
        };
        says(&with(""), 401, "MISSING_API_KEY");
        says(&with(&format!("Api-Key: {other}\r\n")), 403, "INSUFFICIENT_SCOPE");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_in_the_words_of_the_examples() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site);
    let served = site.serve();
    let many: Vec<String> = (0..1_001).map(|number| format!("jane.doe{number}@example.com")).collect();
    let many = json!({ "emails": many }).to_string();
    says(&served.post("/api/v1/verify/batch", &key, "", many), 400, "BATCH_TOO_LARGE");
    says(&served.ask(form(&key, "first_name,signup_date\nJane,2026-01-05\n")), 400, "CSV_PARSE_ERROR");
    says(&served.ask(form(&key, &"jane.doe@example.com\n".repeat(FILE_MAX / 20))), 413, "FILE_TOO_LARGE");
    says(&served.fetch("/api/v1/jobs?status=running", &key), 400, "INVALID_STATUS_FILTER");
    for below in ["", "/results", "/download"] {
        says(&served.fetch(&format!("/api/v1/jobs/7{below}"), &key), 400, "INVALID_JOB_ID");
        says(&served.fetch(&format!("/api/v1/jobs/{NO_JOB}{below}"), &key), 404, "JOB_NOT_FOUND");
    }

    let going_on = served.submit(&key, &json!({ "emails": ["jane.doe@slow.test"] }));
    let path = format!("/api/v1/jobs/{going_on}");
    let is_worked_at = || served.fetch(&path, &key).json()["status"] == "processing";
    assert!(wait_until(LIMIT, is_worked_at), "{}", served.said());
    says(&served.fetch(&format!("{path}/download"), &key), 409, "JOB_NOT_COMPLETED");

    let accepted = served.post("/api/v1/verify/batch", &key, "", BATCH).json();
    let path = ended(&served, &key, &accepted);
    site.query("update job set expires_at = now() - interval '1 second' where ended_at is not null");
    says(&served.fetch(&format!("{path}/download"), &key), 410, "RESULT_FILE_EXPIRED");
}

#[test]
fn who_asks_too_often_or_has_used_all_credits_hears_it_in_the_words_of_the_examples() {
    let site = Site::new(&[("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "1"), ("MAILSONDE_HTTP__BURST", "2")]);
    site.print(&["client", "create", "capped", "--quota", "1", "--hard-cap"]);
    let key = site.key_of("capped");
    let served = site.serve();
    let known = r#"{"email": "jane.doe@mailinator.com"}"#;
    assert_eq!(served.post("/api/v1/verify", &key, "", known).status, 200);
    let refused = served.post("/api/v1/verify", &key, "", JANE);
    let (_, text) = TEXTS.iter().find(|text| text.0 == "QUOTA_EXCEEDED").unwrap();
    let body = format!(
        r#"{{"detail":{{"error":"{text}","code":"QUOTA_EXCEEDED","used":1,"monthly_quota":1,"remaining":0}}}}"#
    );
    assert_eq!((refused.status, &*refused.body), (402, &*body));
    for limited in [
        served.post("/api/v1/verify", &key, "", JANE),
        served.post("/api/v1/verify/batch", &key, "", BATCH),
        served.ask(form(&key, TABLE)),
    ] {
        says(&limited, 429, "RATE_LIMIT_EXCEEDED");
        assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{limited:?}");
    }
}

/// The fields of a schema: its own, or those of all that it is made of.
fn properties<'a>(schemas: &'a Json, schema: &'a Json) -> Vec<&'a str> {
    let (kind, made_of) = &schema.fields()[0];
    match made_of {
        Json::List(parts) if kind == "allOf" => {
            parts.iter().flat_map(|part| properties(schemas, part)).collect()
        }
        Json::Text(path) if kind == "$ref" => {
            properties(schemas, schemas.below(&[path.rsplit('/').next().unwrap()]))
        }
        _ => schema.below(&["properties"]).fields().iter().map(|(name, _)| &**name).collect(),
    }
}

#[test]
fn the_document_of_the_product_has_the_fields_in_the_order_of_the_examples() {
    let site = Site::bare([]);
    let document = site.print(&["openapi", "--facade", "email-verifier"]);
    let document: Json = serde_json::from_str(&document).unwrap();
    for (schema, shape) in [
        ("Verification", &VERIFICATION),
        ("BatchAccepted", &BATCH_ACCEPTED),
        ("CsvAccepted", &CSV_ACCEPTED),
        ("JobStatus", &JOB),
        ("Results", &RESULTS),
        ("Usage", &USAGE),
    ] {
        let schemas = document.below(&["components", "schemas"]);
        let told = properties(schemas, schemas.below(&[schema]));
        assert!(shape.names_are(told.iter().copied()), "{schema}: {told:?}");
    }
    // What the product's documentation lists, and nothing of others.
    assert_eq!(document.below(&["paths"]).fields().len(), 14);
}

#[test]
fn what_is_documented_without_an_example_is_answered_too() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    // These two without a key.
    taken(&served.get("/api/v1/"), 200, &ROOT);
    taken(&served.get("/api/v1/health"), 200, &HEALTH);
    for (name, shape) in &STATS {
        taken(&served.fetch(&format!("/api/v1/stats/{name}"), &key), 200, shape);
    }
}
