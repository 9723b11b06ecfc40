//! The client of Relentless Identity that its makers publish, unchanged, against the service: each of its operations, and
//! each error that it knows.

mod bridge;
mod rust;

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site},
};
use serde_json::{Value, json};

use bridge::Bridge;

/// A job that nobody has.
const NO_JOB: &str = "019b7a3c-5f10-7c2e-9a41-2f6d0c8b1e55";

/// A company, one whose server accepts everybody, and one whose server takes longer than anybody waits.
fn internet() -> Net {
    let zone = "acme.test MX 1 aspmx.l.google.com\n\
                all.test MX 1 mx.all.test\n\
                slow.test MX 10 mx.slow.test";
    let hosts = "[host.\"aspmx.l.google.com\"]\nlike = 'google'\naccepts = ['jane.doe@acme.test']\n\
                 [host.\"mx.all.test\"]\naccepts = ['*@all.test']\n\
                 [host.\"mx.slow.test\"]\ntarpit.rcpt = '10m'";
    Internet::parse(zone, hosts).unwrap().listen().unwrap()
}

/// A token of a new client.
fn token(site: &Site, client: &str) -> String {
    site.print(&["client", "create", client]);
    site.print(&["key", "create", client, "--for", "relentless"])
}

/// So many minutes from now, by the database's clock.
fn deadline(site: &Site, minutes: u32) -> String {
    site.query(&format!(
        "select to_char(now() at time zone 'utc' + interval '{minutes} min', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    ))
}

fn addresses(site: &Site, emails: &[&str]) -> Value {
    json!({ "probe_batch_job_background_request": { "deadline": deadline(site, 10), "emails": emails } })
}

/// Waits until a job has ended, and returns it with its items.
fn ended(bridge: &mut Bridge, job: &Value) -> Value {
    let one = json!({ "job_id": job["id"] });
    let has_ended = || bridge.call("JobsApi.get_job", &one)["told"]["job"]["status"] == "completed";
    assert!(wait_until(LIMIT, has_ended), "{job}");
    bridge.takes("JobsApi.get_job", &one, 200)
}

#[test]
fn the_published_client_understands_every_answer_about_its_account_and_addresses() {
    let net = internet();
    let site = Site::with(net.environment());
    let token = token(&site, "acme");
    let served = site.serve();
    let mut client = Bridge::new(&served, &token);

    let told = client.takes("AccountApi.get_token_status", &json!({}), 200);
    assert_eq!((&told["valid"], &told["token_type"]), (&json!(true), &json!("pat")), "{told}");
    let usage = client.takes("AccountApi.get_usage", &json!({}), 200);
    assert!(usage["window_requests_remaining"].as_i64().is_some_and(|left| left > 0), "{usage}");

    let jane = json!({ "finder_request": { "full_name": "Jane Doe", "email_domain": "https://www.acme.test/about" } });
    let found = client.takes("FinderApi.finder_attempt", &jane, 200);
    let said = (&found["outcome"], &found["state"], &found["address"]);
    assert_eq!(said, (&json!("found"), &json!("deliverable"), &json!("jane.doe@acme.test")), "{found}");
    let nobody = json!({ "finder_request": { "full_name": "Rita Moss", "email_domain": "acme.test" } });
    let told = client.takes("FinderApi.finder_attempt", &nobody, 200);
    assert_eq!((&told["outcome"], &told["address"]), (&json!("not_found"), &Value::Null), "{told}");
    let everybody = json!({ "finder_request": { "full_name": "Jane Doe", "email_domain": "all.test" } });
    let told = client.takes("FinderApi.finder_attempt", &everybody, 200);
    assert_eq!((&told["outcome"], &told["is_catchall"]), (&json!("error"), &json!(true)), "{told}");

    let probe = json!({ "probe_request": { "email": "jane.doe@acme.test" } });
    let told = client.takes("ProbeApi.probe_email", &probe, 200);
    assert_eq!((&told["outcome"], &told["state"]), (&json!("found"), &json!("deliverable")), "{told}");
    assert_eq!(told["identity_providers"][0]["provider"], "google", "{told}");
    let three = ["no address", "jane.doe@acme.test", "nobody.here@acme.test", "jane.doe@acme.test"];
    let batch =
        client.takes("ProbeApi.probe_batch", &json!({ "probe_batch_request": { "emails": three } }), 200);
    let outcomes: Vec<&Value> =
        batch["results"].as_array().unwrap().iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["not_found", "found", "not_found", "found"], "{batch}");
    assert_eq!((&batch["summary"]["total"], &batch["summary"]["found"]), (&json!(4), &json!(2)), "{batch}");

    let page = json!({ "page": 1, "page_size": 25, "request_type": "finder" });
    let history = client.takes("AccountApi.get_request_history", &page, 200);
    assert_eq!((&history["total"], &history["total_pages"]), (&json!(3), &json!(1)), "{history}");
    assert_eq!(history["items"][2]["resolved_address"], "jane.doe@acme.test", "{history}");
    let filter = json!({ "state": "deliverable" });
    let history = client.takes("AccountApi.get_request_history", &filter, 200);
    assert_eq!(history["total"], 4, "{history}");
}

#[test]
fn the_published_client_understands_every_answer_about_its_jobs() {
    let net = internet();
    let site = Site::with(net.environment());
    let token = token(&site, "acme");
    let served = site.serve();
    let mut client = Bridge::new(&served, &token);

    let persons = [("Jane Doe", "acme.test"), ("Rita Moss", "acme.test")]
        .map(|(name, domain)| json!({ "full_name": name, "email_domain": domain }));
    let request =
        json!({ "finder_batch_job_request": { "deadline": deadline(&site, 10), "inputs": persons } });
    let finder = client.takes("JobsApi.schedule_finder_batch", &request, 202);
    assert_eq!(
        (&finder["job_type"], &finder["requested_count"]),
        (&json!("finder_batch"), &json!(2)),
        "{finder}"
    );
    let emails = ["jane.doe@acme.test", "nobody.here@acme.test", "jane.doe@all.test"];
    let probes = client.takes("JobsApi.schedule_probe_batch", &addresses(&site, &emails), 202);

    let detail = ended(&mut client, &finder);
    let addresses: Vec<Option<&str>> =
        detail["items"].as_array().unwrap().iter().map(|item| item["resolved_address"].as_str()).collect();
    assert_eq!(addresses, [Some("jane.doe@acme.test"), None], "{detail}");
    let detail = ended(&mut client, &probes);
    let job = &detail["job"];
    let counts =
        ["success_count", "not_found_count", "error_count", "completed_count"].map(|name| &job[name]);
    assert_eq!(counts, [1, 1, 1, 3].map(Value::from).each_ref(), "{job}");
    let second = json!({ "job_id": probes["id"], "page": 2, "page_size": 2 });
    let page = client.takes("JobsApi.get_job", &second, 200);
    assert_eq!((&page["total_items"], &page["items"][0]["item_index"]), (&json!(3), &json!(2)), "{page}");

    let filter = json!({ "job_type": "probe_batch", "status": "completed", "page": 1, "page_size": 10 });
    let list = client.takes("JobsApi.list_jobs", &filter, 200);
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &probes["id"]), "{list}");
    let all = client.takes("JobsApi.list_jobs", &json!({}), 200);
    assert_eq!(
        (&all["total"], &all["items"][0]["id"]),
        (&json!(2), &probes["id"]),
        "the newest first: {all}"
    );

    let one = json!({ "job_id": probes["id"] });
    let inputs = client.takes("JobsApi.get_job_inputs_text", &one, 200);
    assert_eq!(inputs, json!(emails.map(|email| format!("{email}\n")).concat()));
    let inputs = client.takes("JobsApi.get_job_inputs_text", &json!({ "job_id": finder["id"] }), 200);
    assert_eq!(inputs, "Jane Doe\tacme.test\nRita Moss\tacme.test\n");
    let artifact = client.takes("JobsApi.get_job_results_json", &one, 200);
    assert_eq!(artifact["job"]["id"], probes["id"], "{artifact}");
    assert_eq!(artifact["items"].as_array().unwrap().len(), 3, "{artifact}");
    let text = client.takes("JobsApi.get_job_results_text", &one, 200);
    let first = text.as_str().unwrap().lines().next();
    assert_eq!(first, Some("jane.doe@acme.test\tdeliverable\tfound\tjane.doe@acme.test"), "{text}");

    // Who has it already is not sent it again, which this client takes for an error.
    let tag = served_tag(&served.ask(format!(
        "GET /client/jobs/{}/results.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
        probes["id"].as_str().unwrap()
    )));
    let known = json!({ "job_id": probes["id"], "if_none_match": tag });
    let came = client.call("JobsApi.get_job_results_json", &known);
    assert_eq!((&came["raised"], &came["status"]), (&json!("ApiException"), &json!(304)), "{came:#}");
}

fn served_tag(answer: &mailsonde_tests::site::client::Answer) -> String {
    assert!(answer.header("etag").starts_with('"'), "{answer:?}");
    answer.header("etag").to_owned()
}

/// What a refusal says in both of its ways.
fn says(body: &Value, key: &str) {
    assert_eq!((&body["error"], &body["detail"]["error"]), (&json!(key), &json!(key)), "{body}");
}

#[test]
fn the_published_client_raises_its_exceptions_for_what_is_refused() {
    let net = internet();
    let site = Site::with(net.environment());
    let token = token(&site, "acme");
    let narrow = site.print(&["key", "create", "acme", "--for", "relentless", "--scopes", "account"]);
    let served = site.serve();
    let mut client = Bridge::new(&served, "relid_pat_nobodys");
    let usage = "AccountApi.get_usage";
    says(&client.raises(usage, &json!({}), "UnauthorizedException", 401), "unauthorized");
    client.show(&narrow);
    client.takes(usage, &json!({}), 200);
    let probe = json!({ "probe_request": { "email": "jane.doe@acme.test" } });
    says(&client.raises("ProbeApi.probe_email", &probe, "ForbiddenException", 403), "forbidden");
    client.show(&token);
    for operation in ["get_job", "get_job_inputs_text", "get_job_results_json", "get_job_results_text"] {
        let body = client.raises(
            &format!("JobsApi.{operation}"),
            &json!({ "job_id": NO_JOB }),
            "NotFoundException",
            404,
        );
        says(&body, "job_not_found");
    }

    // What is wrong with fields comes as the client's own type.
    let unprocessable = "UnprocessableEntityException";
    let submit = "JobsApi.schedule_probe_batch";
    let mut request = addresses(&site, &["jane.doe@acme.test"]);
    request["probe_batch_job_background_request"]["deadline"] = json!("2020-01-01T00:00:00Z");
    let came = client.call(submit, &request);
    assert_eq!((&came["raised"], &came["status"]), (&json!(unprocessable), &json!(422)), "{came:#}");
    assert_eq!(came["data"]["detail"][0]["type"], "deadline_too_tight", "{came:#}");
    request["probe_batch_job_background_request"].as_object_mut().unwrap().remove("deadline");
    let came = client.call(submit, &request);
    assert_eq!(
        (&came["raised"], &came["data"]["detail"][0]["type"]),
        (&json!(unprocessable), &json!("missing"))
    );
    let body = client.raises(
        "ProbeApi.probe_email",
        &json!({ "probe_request": { "email": "" } }),
        unprocessable,
        422,
    );
    assert_eq!(body["detail"][0]["loc"], json!(["body", "email"]), "{body}");

    let going_on = client.takes(submit, &addresses(&site, &["jane.doe@slow.test"]), 202);
    let one = json!({ "job_id": going_on["id"] });
    for operation in ["JobsApi.get_job_results_json", "JobsApi.get_job_results_text"] {
        says(&client.raises(operation, &one, "ConflictException", 409), "job_not_finished");
    }

    let job = client.takes(submit, &addresses(&site, &["jane.doe@acme.test"]), 202);
    ended(&mut client, &job);
    let one = json!({ "job_id": job["id"] });
    site.query("update job set expires_at = now() - interval '1 second' where ended_at is not null");
    let pruned = |operation: &str, client: &mut Bridge| client.call(operation, &one)["status"] == 410;
    for operation in ["get_job_inputs_text", "get_job_results_json", "get_job_results_text"] {
        let operation = format!("JobsApi.{operation}");
        assert!(wait_until(LIMIT, || pruned(&operation, &mut client)), "{}", served.said());
        says(&client.raises(&operation, &one, "ApiException", 410), "payload_expired");
    }
    let detail = client.takes("JobsApi.get_job", &one, 200);
    assert_eq!((&detail["results_expired"], &detail["items"]), (&json!(true), &json!([])), "{detail}");
}

#[test]
fn the_published_client_hears_that_there_is_no_room() {
    let net = internet();
    let site = Site::among(&net, &[("MAILSONDE_RELENTLESS__SYNC_CAPACITY", "1")]);
    let token = token(&site, "acme");
    let served = site.serve();
    let mut first = Bridge::new(&served, &token);
    let mut second = Bridge::new(&served, &token);
    first.begin("ProbeApi.probe_email", &json!({ "probe_request": { "email": "jane.doe@slow.test" } }));
    let is_there = || served.get("/metrics").body.contains("mailsonde_http_sync_addresses 1\n");
    assert!(wait_until(LIMIT, is_there), "{}", served.said());
    let probe = json!({ "probe_request": { "email": "jane.doe@acme.test" } });
    let came = second.call("ProbeApi.probe_email", &probe);
    assert_eq!(came["status"], 429, "{came:#}");
    let body: Value = serde_json::from_str(came["body"].as_str().unwrap()).unwrap();
    assert_eq!(came["raised"], "ApiException", "{came:#}");
    says(&body, "service_busy");
    let suggestion = &body["detail"]["details"]["suggestion"];
    assert_eq!(*suggestion, json!("Schedule the work with POST /client/jobs/probe-batch."), "{body}");
    // What cannot be answered at once is taken as a job.
    second.takes("JobsApi.schedule_probe_batch", &addresses(&site, &["jane.doe@acme.test"]), 202);
    assert_eq!(first.end()["told"]["outcome"], "error", "nobody has answered in time");
}

#[test]
fn the_published_client_hears_that_it_asks_too_often() {
    let site = Site::new(&[("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "1"), ("MAILSONDE_HTTP__BURST", "1")]);
    let token = token(&site, "acme");
    let served = site.serve();
    let mut client = Bridge::new(&served, &token);
    let probe = json!({ "probe_request": { "email": "no address" } });
    client.takes("ProbeApi.probe_email", &probe, 200);
    says(&client.raises("ProbeApi.probe_email", &probe, "ApiException", 429), "rate_limited");
}

#[test]
fn the_published_client_hears_that_all_is_used_up_and_of_our_faults() {
    let net = internet();
    let own = [
        ("MAILSONDE_RELENTLESS__BILLING", "true"),
        // A month is counted.
        ("MAILSONDE_RELENTLESS__HISTORY_DAYS", "31"),
        ("MAILSONDE_RELENTLESS__FREE_WINDOW_LIMIT", "1"),
        ("MAILSONDE_RELENTLESS__FREE_WEEKLY_LIMIT", "1"),
    ];
    let site = Site::among(&net, &own);
    let token = token(&site, "acme");
    let served = site.serve();
    let mut client = Bridge::new(&served, &token);
    let probe = json!({ "probe_request": { "email": "jane.doe@acme.test" } });
    client.takes("ProbeApi.probe_email", &probe, 200);
    says(&client.raises("ProbeApi.probe_email", &probe, "ApiException", 402), "usage_exhausted");
    // Somebody has spoilt what is written down of it.
    site.query("update request set sealed = sealed || 'x'::bytea");
    let body = client.raises("AccountApi.get_request_history", &json!({}), "ServiceException", 500);
    says(&body, "internal_error");
}
