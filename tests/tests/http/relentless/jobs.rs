//! Jobs: how they are submitted, how far they are told to be, and what there is to read when they have ended.

use std::time::Duration;

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site, receiver::Receiver, served::Served},
};
use serde_json::{Value, json};

use super::{deadline, ended, get, get_with, internet, key, post, post_json, refuses};

const PROBES: &str = "/client/jobs/probe-batch";

/// The keys of an object in their order, as they stand in a text. None of its strings holds a quote.
fn keys(object: &str) -> Vec<&str> {
    let parts: Vec<&str> = object.split('"').collect();
    let followed = parts.chunks(2).zip(parts.iter().skip(2).step_by(2));
    followed.filter(|(_, next)| next.starts_with(':')).map(|(pair, _)| pair[1]).collect()
}

const JOB: [&str; 36] = [
    "id",
    "job_type",
    "status",
    "deadline_at",
    "estimated_runtime_seconds",
    "scheduled_start_at",
    "callback_url",
    "callback_status",
    "callback_attempts",
    "callback_last_error",
    "requested_count",
    "completed_count",
    "success_count",
    "not_found_count",
    "error_count",
    "reserved_amount_micros",
    "actual_amount_micros",
    "progress_percent",
    "summary",
    "total",
    "found",
    "not_found",
    "errors",
    "unique_domains",
    "providers",
    "metadata",
    "started_at",
    "completed_at",
    "history_expires_at",
    "results_pruned_at",
    "artifact_available",
    "artifact_json_url",
    "artifact_size_bytes",
    "artifact_uploaded_at",
    "created_at",
    "updated_at",
];

#[test]
fn a_job_of_probes_is_told_from_its_beginning_to_its_end() {
    let net = internet();
    let hooks = Receiver::start("127.0.0.1", Duration::ZERO);
    let own = [
        ("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"),
        ("MAILSONDE_WEBHOOKS__HTTP", "true"),
        ("MAILSONDE_RELENTLESS__PRICE_MICROS", "{finder_deliverable=9,finder_undeliverable=2,probe=3}"),
    ];
    let site = Site::among(&net, &own);
    let (acme, other) = (key(&site, "acme"), key(&site, "other"));
    let served = site.serve();
    let until = deadline(&site, 3_600);
    let emails = [
        format!("{MARK}jane@acme.test"),
        format!("{MARK}x@acme.test"),
        format!("{MARK}jane@ACME.test"),
        "no\taddress".to_owned(),
        format!("{MARK}y@all.test"),
    ];
    let body =
        json!({ "deadline": until, "callback_url": hooks.url(), "provider": "google", "emails": emails });
    let accepted = post_json(&served, PROBES, &acme, &body);
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(keys(&accepted.body), JOB);
    let job = accepted.json();
    assert_eq!((&job["status"], &job["job_type"]), (&json!("queued"), &json!("probe_batch")), "{job}");
    assert_eq!((&job["deadline_at"], &job["reserved_amount_micros"]), (&json!(until), &json!(15)), "{job}");
    assert_eq!(
        (&job["callback_url"], &job["callback_status"]),
        (&json!(hooks.url()), &json!("pending")),
        "{job}"
    );
    let path = format!("/client/jobs/{}", job["id"].as_str().unwrap());
    let is_told = || get(&served, &path, &acme).json()["job"]["callback_status"] == "delivered";
    assert!(wait_until(LIMIT, is_told), "{}", served.said());

    let detail = get(&served, &format!("{path}?page=2&page_size=3"), &acme).json();
    let page = ["total_items", "page", "page_size", "total_pages"].map(|name| detail[name].as_i64().unwrap());
    assert_eq!(page, [5, 2, 3, 2], "{detail}");
    let beyond = get(&served, &format!("{path}?page=9"), &acme).json();
    assert_eq!((&beyond["items"], &beyond["total_items"]), (&json!([]), &json!(5)), "{beyond}");
    is_summed_up(&detail["job"]);
    let item = &detail["items"][1];
    assert_eq!((&item["item_index"], &item["status"]), (&json!(4), &json!("error")), "{item}");
    assert_eq!((&item["error_message"], &item["charge_micros"]), (&json!("catch_all"), &json!(0)), "{item}");
    assert_eq!(
        (&item["input"], &item["result"]["is_catchall"]),
        (&json!({ "email": emails[4] }), &json!(true))
    );
    let usage = get(&served, "/client/usage", &acme).json();
    assert_eq!(
        (&usage["window_requests_used"], &usage["billing_value_micros_used"]),
        (&json!(5), &json!(12)),
        "{usage}"
    );
    assert_eq!(usage["window_requests_remaining"], 1_000_000_000 - 5);

    let told: Value = serde_json::from_str(&hooks.told()[0].body).unwrap();
    artifacts_are_whole(&served, &path, (&acme, &other), &told, &detail);
    site.keeps_secrets();
    artifacts_go(&site, &served, &path, &acme);
}

/// Five probes, of which two found somebody, two found nobody, and one is an error; told at the first try.
fn is_summed_up(job: &Value) {
    let counts = ["requested_count", "completed_count", "success_count", "not_found_count", "error_count"];
    assert_eq!(counts.map(|name| job[name].as_i64().unwrap()), [5, 5, 2, 2, 1], "{job}");
    assert_eq!(
        (&job["reserved_amount_micros"], &job["actual_amount_micros"]),
        (&json!(0), &json!(12)),
        "{job}"
    );
    let summary = json!({ "total": 5, "found": 2, "not_found": 2, "errors": 1, "unique_domains": 2, "providers": { "google": 3 } });
    assert_eq!((&job["summary"], &job["progress_percent"]), (&summary, &json!(100.0)), "{job}");
    assert_eq!((&job["callback_attempts"], &job["callback_last_error"]), (&json!(1), &Value::Null));
}

/// Reads all that there is of a job: what was told of its end is what stands in its artifact.
fn artifacts_are_whole(
    served: &Served,
    path: &str,
    (acme, other): (&str, &str),
    told: &Value,
    detail: &Value,
) {
    let job = &detail["job"];
    let artifact = get(served, &format!("{path}/results.json"), acme);
    assert_eq!((&told["type"], &told["data"]["job"]), (&json!("job.completed"), &artifact.json()["job"]));
    assert_eq!(job["artifact_size_bytes"], artifact.body.len());
    assert_eq!(artifact.json()["items"].as_array().unwrap()[3..], *detail["items"].as_array().unwrap());
    assert_eq!(artifact.header("content-type"), "application/json");
    let text = get(served, &format!("{path}/results.txt"), acme);
    let lines: Vec<&str> = text.body.lines().collect();
    assert_eq!(lines[0], format!("{MARK}jane@acme.test\tdeliverable\tfound\t{MARK}jane@acme.test"));
    assert_eq!(lines[3], "no\\u0009address\tundeliverable\tnot_found\t");
    assert_eq!((lines.len(), text.body.ends_with('\n')), (5, true));
    let inputs = get(served, &format!("{path}/inputs.txt"), acme);
    assert_eq!(inputs.body.lines().last(), Some(&*format!("{MARK}y@all.test")));
    let disposition = inputs.header("content-disposition");
    assert!(disposition.starts_with("attachment") && disposition.contains("inputs.txt"), "{inputs:?}");
    for artifact in ["inputs.txt", "results.json", "results.txt"] {
        let path = format!("{path}/{artifact}");
        let whole = get(served, &path, acme);
        for header in [
            format!("If-None-Match: {}\r\n", whole.header("etag")),
            format!("If-Modified-Since: {}\r\n", whole.header("last-modified")),
        ] {
            let known = get_with(served, &path, acme, &header);
            assert_eq!((known.status, &*known.body), (304, ""), "{header}{known:?}");
            assert_eq!(known.header("etag"), whole.header("etag"));
        }
        assert_eq!(get_with(served, &path, acme, "If-None-Match: \"other\"\r\n").status, 200);
        refuses(&get(served, &path, other), 404, "job_not_found");
    }
    refuses(&get(served, path, other), 404, "job_not_found");
    assert_eq!(get(served, "/client/jobs", other).json()["total"], 0);
}

/// Whoever is forgotten is in no artifact any more, and no tag is good for it. When all is deleted, it is known that there was
/// a job.
fn artifacts_go(site: &Site, served: &Served, path: &str, acme: &str) {
    let artifact = get(served, &format!("{path}/results.json"), acme);
    let tag = artifact.header("etag");
    site.print(&["forget", &format!("{MARK}jane@acme.test")]);
    let after = get_with(served, &format!("{path}/results.json"), acme, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((after.status, after.body.contains("zyxw.jane")), (200, false), "{after:?}");
    site.query("update job set pruned_at = now(); delete from chunk; delete from part");
    let detail = get(served, path, acme).json();
    assert_eq!(
        (&detail["results_expired"], &detail["items"], &detail["total_pages"]),
        (&json!(true), &json!([]), &json!(0))
    );
    assert_eq!(
        (&detail["job"]["artifact_available"], &detail["job"]["success_count"]),
        (&json!(false), &json!(2))
    );
    refuses(&get(served, &format!("{path}/results.txt"), acme), 410, "payload_expired");
    refuses(&get(served, &format!("{path}/inputs.txt"), acme), 410, "payload_expired");
}

#[test]
fn what_is_wrong_with_a_job_is_told_field_by_field() {
    let site = Site::new(&[("MAILSONDE_RELENTLESS__JOBS_MAX", "3")]);
    let key = key(&site, "acme");
    let served = site.serve();
    let (soon, later) = (deadline(&site, 5), deadline(&site, 3_600));
    for (body, place, kind) in [
        (json!({ "emails": ["a@acme.test"] }), json!(["body", "deadline"]), "missing"),
        (
            json!({ "deadline": "soon", "emails": ["a@acme.test"] }),
            json!(["body", "deadline"]),
            "datetime_parsing",
        ),
        (json!({ "deadline": 7, "emails": ["a@acme.test"] }), json!(["body", "deadline"]), "string_type"),
        (
            json!({ "deadline": soon, "emails": ["a@acme.test"] }),
            json!(["body", "deadline"]),
            "deadline_too_tight",
        ),
        (
            json!({ "deadline": "2001-01-01T00:00:00Z", "emails": ["a@acme.test"] }),
            json!(["body", "deadline"]),
            "deadline_too_tight",
        ),
        (
            json!({ "deadline": "9999-12-30T00:00:00Z", "emails": ["a@acme.test"] }),
            json!(["body", "deadline"]),
            "deadline_too_far",
        ),
        (json!({ "deadline": later, "emails": [] }), json!(["body", "emails"]), "too_short"),
        (
            json!({ "deadline": later, "emails": vec!["a@acme.test"; 4] }),
            json!(["body", "emails"]),
            "too_long",
        ),
        (
            json!({ "deadline": later, "emails": ["a@acme.test", 7] }),
            json!(["body", "emails", 1]),
            "string_type",
        ),
        (
            json!({ "deadline": later, "emails": ["a@acme.test"], "callback_url": "https://127.0.0.1/" }),
            json!(["body", "callback_url"]),
            "url_unsafe",
        ),
        (
            json!({ "deadline": later, "emails": ["a@acme.test"], "provider": "a".repeat(65) }),
            json!(["body", "provider"]),
            "string_too_long",
        ),
    ] {
        post_json(&served, PROBES, &key, &body).is_invalid(&place, kind);
    }
    let refused =
        post_json(&served, PROBES, &key, &json!({ "deadline": soon, "emails": ["a@acme.test"] })).json();
    let ctx = &refused["detail"][0]["ctx"];
    // Of one form, the later one is the greater text.
    let earliest = ctx["earliest_deadline_at"].as_str().unwrap();
    assert!(earliest > &*deadline(&site, 20) && ctx["estimated_runtime_seconds"] == 1, "{refused}");
    let person = |name: &str, domain: &str| json!({ "full_name": name, "email_domain": domain });
    let body = json!({ "deadline": later, "inputs": [person("Jane Doe", "acme.test"), person("7", "acme")] });
    let refused = post_json(&served, "/client/jobs/finder", &key, &body);
    refused.is_invalid(&json!(["body", "inputs", 1, "full_name"]), "value_error");
    assert_eq!(get(&served, "/client/jobs", &key).json()["total"], 0, "nothing was submitted");
    for path in ["/client/jobs/7", "/client/jobs/%00", "/client/jobs/f47ac10b-58cc-4372-a567-0e02b2c3d479"] {
        refuses(&get(&served, path, &key), 404, "job_not_found");
    }
    for wrong in ["?status=pending", "?job_type=probe", "?page_size=101", "?page=x"] {
        assert_eq!(get(&served, &format!("/client/jobs{wrong}"), &key).status, 422, "{wrong}");
    }
}

#[test]
fn a_job_without_a_deadline_is_taken_where_the_operator_allows_it() {
    let site = Site::new(&[("MAILSONDE_RELENTLESS__DEADLINE", "optional")]);
    let key = key(&site, "acme");
    let served = site.serve_only();
    let body = json!({ "emails": ["a@acme.test"] }).to_string();
    let jobs = [1, 2].map(|_| post(&served, PROBES, &key, "Idempotency-Key: once\r\n", &body));
    assert_eq!((jobs[0].status, &jobs[0].body), (202, &jobs[1].body));
    let job = jobs[0].json();
    let times = format!("select {}::timestamptz - {}::timestamptz", &job["deadline_at"], &job["created_at"]);
    assert_eq!(site.query(&times.replace('"', "'")), "1 day", "{job}");
    let list = |query: &str| get(&served, &format!("/client/jobs{query}"), &key).json();
    assert_eq!(list("?status=queued&job_type=probe_batch")["total"], 1);
    for none in ["?status=running", "?status=failed", "?job_type=finder_batch"] {
        assert_eq!(list(none)["total"], 0, "{none}");
    }
    let job = &list("")["items"][0];
    assert_eq!(
        (&job["summary"]["providers"], &job["artifact_available"]),
        (&json!({}), &json!(false)),
        "{job}"
    );
    let path = format!("/client/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(get(&served, &path, &key).json()["items"][0]["status"], "queued");
    refuses(&get(&served, &format!("{path}/results.json"), &key), 409, "job_not_finished");
    assert_eq!(get(&served, &format!("{path}/inputs.txt"), &key).body, "a@acme.test\n");
    for _ in 0..2 {
        let canceled = post(&served, &format!("{path}/cancel"), &key, "", "");
        assert_eq!((canceled.status, &canceled.json()["status"]), (200, &json!("canceled")), "{canceled:?}");
    }
    let item = &get(&served, &path, &key).json()["items"][0];
    assert_eq!((&item["status"], &item["error_message"]), (&json!("canceled"), &json!("canceled")), "{item}");
    let artifact = get(&served, &format!("{path}/results.json"), &key);
    assert_eq!(get(&served, &path, &key).json()["job"]["artifact_size_bytes"], artifact.body.len());
}

#[test]
fn people_are_found_at_once_and_in_the_background() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let person = |name: &str, domain: &str| json!({ "full_name": name, "email_domain": domain });
    let attempt = |name, domain| post_json(&served, "/client/attempt", &key, &person(name, domain)).json();
    let found = attempt("Jane Doe", "https://www.acme.test/about");
    assert_eq!(
        (&found["outcome"], &found["address"]),
        (&json!("found"), &json!("jane.doe@acme.test")),
        "{found}"
    );
    assert_eq!(found["identity_providers"][0]["provider"], "google");
    let nobody = attempt("John Smith", "acme.test");
    assert_eq!((&nobody["outcome"], &nobody["address"]), (&json!("not_found"), &Value::Null), "{nobody}");
    let anybody = attempt("Jane Doe", "all.test");
    assert_eq!(
        (&anybody["state"], &anybody["outcome"]),
        (&json!("undeliverable"), &json!("error")),
        "{anybody}"
    );
    assert_eq!((&anybody["is_catchall"], &anybody["address"]), (&json!(true), &Value::Null), "{anybody}");
    let history = get(&served, "/client/history?request_type=finder&state=deliverable", &key).json();
    let item = &history["items"][0];
    assert_eq!(
        (&item["input_name"], &item["input_domain"]),
        (&json!("Jane Doe"), &json!("https://www.acme.test/about"))
    );
    assert_eq!(
        (&item["resolved_address"], &item["input_email"]),
        (&json!("jane.doe@acme.test"), &Value::Null)
    );
    let wrong = post_json(&served, "/client/attempt", &key, &person("Jane Doe", "localhost"));
    wrong.is_invalid(&json!(["body", "email_domain"]), "value_error");

    let inputs = [
        person("Jane Doe", "https://www.acme.test/about"),
        person("John Smith", "acme.test"),
        person("Jane Doe", "all.test"),
    ];
    let body = json!({ "deadline": deadline(&site, 3_600), "inputs": inputs });
    let path = ended(&served, &key, "/client/jobs/finder", &body);
    let detail = get(&served, &path, &key).json();
    let job = &detail["job"];
    assert_eq!((&job["job_type"], &job["summary"]["found"]), (&json!("finder_batch"), &json!(1)), "{job}");
    assert_eq!((&job["not_found_count"], &job["error_count"]), (&json!(1), &json!(1)), "{job}");
    let item = &detail["items"][0];
    assert_eq!(
        (&item["input"], &item["resolved_address"]),
        (&inputs[0], &json!("jane.doe@acme.test")),
        "{item}"
    );
    assert_eq!(
        (&item["request_type"], &item["result_outcome"]),
        (&json!("finder"), &json!("found")),
        "{item}"
    );
    let text = get(&served, &format!("{path}/results.txt"), &key).body;
    assert_eq!(
        text.lines().next(),
        Some("Jane Doe\thttps://www.acme.test/about\tdeliverable\tfound\tjane.doe@acme.test")
    );
    let inputs = get(&served, &format!("{path}/inputs.txt"), &key).body;
    assert_eq!(inputs, "Jane Doe\thttps://www.acme.test/about\nJohn Smith\tacme.test\nJane Doe\tall.test\n");
    let artifact = get(&served, &format!("{path}/results.json"), &key);
    assert_eq!(job["artifact_size_bytes"], artifact.body.len());
}

#[test]
fn whoever_has_used_up_what_he_may_is_told_so() {
    let net = internet();
    let own = [
        ("MAILSONDE_RELENTLESS__BILLING", "true"),
        ("MAILSONDE_RELENTLESS__FREE_WINDOW_LIMIT", "3"),
        ("MAILSONDE_RELENTLESS__HISTORY_DAYS", "31"),
    ];
    let site = Site::among(&net, &own);
    let key = key(&site, "acme");
    let served = site.serve();
    let batch = json!({ "emails": ["jane.doe@acme.test", "b@acme.test"] });
    assert_eq!(post_json(&served, "/client/probe/batch", &key, &batch).status, 200);
    refuses(&post_json(&served, "/client/probe/batch", &key, &batch), 402, "usage_exhausted");
    let job = json!({ "deadline": deadline(&site, 3_600), "emails": ["a@acme.test", "b@acme.test"] });
    refuses(&post_json(&served, PROBES, &key, &job), 402, "usage_exhausted");
    let job = json!({ "deadline": deadline(&site, 3_600), "emails": ["a@acme.test"] });
    ended(&served, &key, PROBES, &job);
    refuses(
        &post_json(&served, "/client/probe", &key, &json!({ "email": "a@acme.test" })),
        402,
        "usage_exhausted",
    );
    let usage = get(&served, "/client/usage", &key).json();
    let told = ["free_window_limit", "window_requests_used", "window_requests_remaining"];
    assert_eq!(told.map(|name| usage[name].as_i64().unwrap()), [3, 3, 0], "{usage}");
    assert_eq!((&usage["billing_mode"], &usage["billing_status"]), (&json!("metered"), &json!("exhausted")));
}
