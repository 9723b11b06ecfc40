//! Keys, probes and the history of requests.

use mailsonde_tests::site::{MARK, Site};
use serde_json::{Value, json};

use super::{get, internet, key, post, post_json, refuses};

/// What came of each address.
fn outcomes(batch: &Value) -> Vec<String> {
    let word = |result: &Value, name: &str| result[name].as_str().unwrap().to_owned();
    let of = |result| format!("{} {}", word(result, "state"), word(result, "outcome"));
    batch["results"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_key_says_whose_it_is_and_what_for() {
    let site = Site::new(&[]);
    let whole = key(&site, "acme");
    let narrow =
        site.print(&["key", "create", "acme", "--for", "relentless", "--scopes", "jobs", "--expires", "30d"]);
    let served = site.serve();
    let told = get(&served, "/client/token", &whole).json();
    assert_eq!((&told["valid"], &told["token_type"]), (&json!(true), &json!("pat")), "{told}");
    assert_eq!(told["scopes"], json!(["identity", "jobs", "account"]));
    assert_eq!((&told["expires_at"], &told["expires_in_seconds"]), (&Value::Null, &Value::Null));
    let other = get(&served, "/client/token", &narrow).json();
    assert_eq!((&other["user_id"], &other["scopes"]), (&told["user_id"], &json!(["jobs"])), "{other}");
    let left = other["expires_in_seconds"].as_i64().unwrap();
    assert!((30 * 86_400 - 600..=30 * 86_400).contains(&left) && other["expires_at"].is_string(), "{other}");
    let refused = post_json(&served, "/client/probe", &narrow, &json!({ "email": "a@acme.test" }));
    refuses(&refused, 403, "forbidden");
    let refused = get(&served, "/client/token", "relid_pat_nobodys");
    refuses(&refused, 401, "unauthorized");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(get(&served, "/client/nothing", &whole).body, r#"{"detail":"Not Found"}"#);
}

#[test]
fn a_probe_is_answered_and_remembered() {
    let net = internet();
    let site = Site::with(net.environment());
    let (acme, other) = (key(&site, "acme"), key(&site, "other"));
    let served = site.serve();
    let jane = format!("{MARK}jane@ACME.test");
    let headers = "X-Request-ID: call-7\r\n";
    let answer = post(&served, "/client/probe", &acme, headers, &json!({ "email": jane }).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = format!(
        r#"{{"state":"deliverable","outcome":"found","address":"{MARK}jane@acme.test","is_alias":false,"alias":null,"is_catchall":false,"identity_providers":[{{"provider":"google","hostname":"aspmx.l.google.com"}}],"mx_hosts":["aspmx.l.google.com"],"request_id":"call-7"}}"#
    );
    assert_eq!(answer.body, expected);
    let nobody = format!("{MARK}nobody@acme.test");
    let told = post_json(&served, "/client/probe", &acme, &json!({ "email": nobody })).json();
    assert_eq!((&told["outcome"], &told["address"]), (&json!("not_found"), &Value::Null), "{told}");
    let told =
        post_json(&served, "/client/probe", &acme, &json!({ "email": format!("{MARK}x@all.test") })).json();
    assert_eq!((&told["state"], &told["outcome"]), (&json!("undeliverable"), &json!("error")), "{told}");
    assert_eq!((&told["is_catchall"], &told["address"]), (&json!(true), &Value::Null), "{told}");

    let history = get(&served, "/client/history?page_size=2", &acme).json();
    let page = ["total", "page", "page_size", "total_pages"].map(|name| history[name].as_i64().unwrap());
    assert_eq!(page, [3, 1, 2, 2], "{history}");
    let newest = &history["items"][0];
    assert_eq!((&newest["outcome"], &newest["is_catchall"]), (&json!("error"), &json!(true)), "{newest}");
    let last = get(&served, "/client/history?page_size=2&page=2", &acme).json();
    let oldest = &last["items"][0];
    assert_eq!((&oldest["input_email"], &oldest["input_label"]), (&json!(jane), &json!(jane)), "{oldest}");
    assert_eq!(oldest["resolved_address"], format!("{MARK}jane@acme.test"));
    assert_eq!(
        (&oldest["provider"], &oldest["request_id"]),
        (&json!("google"), &json!("call-7")),
        "{oldest}"
    );
    assert_eq!((&oldest["request_type"], &oldest["input_name"]), (&json!("probe"), &Value::Null), "{oldest}");
    let total = |query: &str, key: &str| {
        get(&served, &format!("/client/history{query}"), key).json()["total"].clone()
    };
    assert_eq!(total("?state=deliverable", &acme), 1);
    assert_eq!(total("?request_type=finder", &acme), 0);
    assert_eq!(total("?page=9", &acme), 3);
    assert_eq!(total("", &other), 0);
    for wrong in ["?page=0", "?page_size=26", "?state=unknown", "?request_type=job"] {
        assert_eq!(get(&served, &format!("/client/history{wrong}"), &acme).status, 422, "{wrong}");
    }

    site.keeps_secrets();
    site.print(&["forget", &format!("{MARK}jane@acme.test")]);
    assert_eq!(total("", &acme), 2);
    assert_eq!(site.query("select count(*) from request"), "3", "what was counted stays");
}

#[test]
fn a_batch_has_a_result_for_each_place_and_asks_about_nobody_twice() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let emails =
        ["jane.doe@acme.test", "no address", "nobody@nowhere.test", "jane.doe@ACME.test", "x@all.test"];
    let batch = post_json(&served, "/client/probe/batch", &key, &json!({ "emails": emails })).json();
    let expected = [
        "deliverable found",
        "undeliverable not_found",
        "undeliverable not_found",
        "deliverable found",
        "undeliverable error",
    ];
    assert_eq!(outcomes(&batch), expected, "{batch}");
    let summary = json!({ "total": 5, "found": 2, "not_found": 2, "errors": 1, "unique_domains": 3 });
    assert_eq!(batch["summary"], summary);
    let asked = net.internet().counts().total.recipients;
    assert_eq!(asked.get("jane.doe@acme.test"), Some(&1), "{asked:?}");
    assert_eq!(get(&served, "/client/history", &key).json()["total"], 5, "one for each");
    for (body, place, kind) in [
        (json!({}), json!(["body", "emails"]), "missing"),
        (json!({ "emails": [] }), json!(["body", "emails"]), "too_short"),
        (json!({ "emails": vec!["a@acme.test"; 101] }), json!(["body", "emails"]), "too_long"),
        (json!({ "emails": ["a@acme.test", 7] }), json!(["body", "emails", 1]), "string_type"),
        (json!({ "emails": ["a@acme.test", " "] }), json!(["body", "emails", 1]), "string_too_short"),
        (json!({ "emails": ["a".repeat(321)] }), json!(["body", "emails", 0]), "string_too_long"),
    ] {
        post_json(&served, "/client/probe/batch", &key, &body).is_invalid(&place, kind);
    }
    for (body, kind) in
        [(r#"{"email":null}"#, "string_type"), ("{}", "missing"), (r#"{"email":""}"#, "string_too_short")]
    {
        post(&served, "/client/probe", &key, "", body).is_invalid(&json!(["body", "email"]), kind);
    }
    let told = post(&served, "/client/probe", &key, "", r#"{"email":"a"#);
    assert_eq!((told.status, &told.json()["detail"][0]["type"]), (422, &json!("json_invalid")));
}

#[test]
fn whoever_finds_no_room_is_told_to_submit_a_job() {
    let net = internet();
    let site = Site::among(&net, &[("MAILSONDE_RELENTLESS__SYNC_CAPACITY", "1")]);
    let key = key(&site, "acme");
    let served = site.serve();
    let mut waiting = served.connect();
    let body = json!({ "email": "a@slow.test" }).to_string();
    let head = format!("POST /client/probe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n");
    assert!(waiting.write(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()));
    let is_taken = || served.get("/metrics").body.contains("mailsonde_http_sync_addresses 1");
    assert!(mailsonde_tests::real::daemon::wait_until(mailsonde_tests::site::LIMIT, is_taken));
    let refused = post_json(&served, "/client/probe", &key, &json!({ "email": "b@acme.test" }));
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"), "{refused:?}");
    let detail = r#"{"detail":{"error":"service_busy","message":"Synchronous verification is temporarily at capacity. Retry shortly or use a background job instead.","details":{"suggestion":"Schedule the work with POST /client/jobs/probe-batch."}},"#;
    assert!(refused.body.starts_with(detail), "{refused:?}");
    let counted = served.get("/metrics").body;
    assert!(counted.contains("mailsonde_http_limits_met_total{limit=\"sync_addresses\"} 1"), "{counted}");
    // Whoever is gone leaves his room.
    drop(waiting);
    let is_free = || served.get("/metrics").body.contains("mailsonde_http_sync_addresses 0");
    assert!(mailsonde_tests::real::daemon::wait_until(mailsonde_tests::site::LIMIT, is_free));
    let told =
        post_json(&served, "/client/probe/batch", &key, &json!({ "emails": ["b@acme.test", "c@acme.test"] }));
    assert_eq!(told.status, 200, "a batch may be larger than the room: {told:?}");
}

#[test]
fn a_probe_that_is_sent_again_is_one_request() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let body = json!({ "email": "jane.doe@acme.test" }).to_string();
    let answers = [1, 2].map(|_| post(&served, "/client/probe", &key, "Idempotency-Key: once\r\n", &body));
    assert_eq!(answers[0].body, answers[1].body);
    assert_eq!(answers[1].header("idempotent-replayed"), "true");
    assert_eq!(get(&served, "/client/history", &key).json()["total"], 1);
}
