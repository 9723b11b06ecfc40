//! What every answer has, and the order in which things are refused.

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        client::{Answer, head},
        served::Served,
    },
};
use serde_json::json;

/// Those of every answer, whatever it is.
fn has_its_headers(answer: &Answer) {
    for name in [
        "x-request-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-policy",
        "ratelimit",
    ] {
        assert!(!answer.header(name).is_empty(), "{name}: {answer:?}");
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    let reset: i64 = answer.header("x-ratelimit-reset").parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((reset - i64::try_from(now).unwrap()).abs() < 120, "{reset}");
    for name in ["x-ratelimit-limit", "x-ratelimit-remaining"] {
        answer.header(name).parse::<u32>().unwrap();
    }
}

fn verify(served: &Served, headers: &str) -> Answer {
    let body = br#"{"email":"nobody@example.invalid"}"#;
    served.ask(
        [
            format!(
                "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
            body,
        ]
        .concat(),
    )
}

#[test]
fn every_answer_has_its_headers_and_the_shape_of_its_facade() {
    let site = Site::new(&[("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "600"), ("MAILSONDE_HTTP__BURST", "100")]);
    let key = site.key("acme");
    let served = site.serve();
    let fine = served.post(
        "/api/v1/verify",
        &key,
        "X-Request-ID: trace-7\r\n",
        r#"{"email":"nobody@example.invalid"}"#,
    );
    assert_eq!(fine.status, 200, "{fine:?}");
    assert_eq!(fine.header("x-request-id"), "trace-7");
    assert_eq!((fine.header("x-ratelimit-limit"), fine.header("x-ratelimit-remaining")), ("100", "99"));
    assert_eq!(fine.header("ratelimit-policy"), "\"key\";q=100;w=10");
    has_its_headers(&fine);

    let health = served.get("/healthz");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
    has_its_headers(&health);

    let problem = served.get("/nowhere");
    assert_eq!((problem.status, problem.header("content-type")), (404, "application/problem+json"));
    assert_eq!(problem.json()["status"], 404);
    has_its_headers(&problem);

    let nowhere = served.get("/api/v1/nowhere");
    nowhere.is(404, "NOT_FOUND");
    has_its_headers(&nowhere);

    let other_method = served.get("/api/v1/verify");
    other_method.is(405, "METHOD_NOT_ALLOWED");
    assert_eq!(other_method.header("allow"), "POST");
    has_its_headers(&other_method);

    let relentless = served.get("/client/nowhere");
    assert_eq!((relentless.status, relentless.json()), (404, json!({ "detail": "Not Found" })));
    has_its_headers(&relentless);
    let unknown = served.get("/client/token");
    assert_eq!((unknown.status, &unknown.json()["error"]), (401, &json!("unauthorized")));
    has_its_headers(&unknown);
    for (path, code) in [("/api/v1/tasks/7/nowhere", "NOT_FOUND"), ("/api/v1/tasks/7/jobs", "UNAUTHORIZED")] {
        let tasks = served.get(path);
        assert_eq!(tasks.json()["error"]["code"], code);
        has_its_headers(&tasks);
    }

    // What nobody may see: a key, an address.
    let said = served.said();
    assert!(!said.contains(&key) && !said.contains("nobody@"), "{said}");
}

#[test]
fn the_key_comes_before_what_is_wrong_with_the_request() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    for (headers, code) in [
        (String::new(), "MISSING_API_KEY"),
        ("Api-Key:\r\n".into(), "MISSING_API_KEY"),
        (format!("Authorization: Bearer {key}\r\n"), "MISSING_API_KEY"),
        ("Api-Key: ev_live_nobody\r\n".into(), "INVALID_API_KEY"),
        ("Api-Key: \u{e9}\r\n".into(), "INVALID_API_KEY"),
        (format!("Api-Key: {}\r\n", "a".repeat(8 * 1024)), "INVALID_API_KEY"),
    ] {
        let refused = verify(&served, &headers);
        refused.is(401, code);
        has_its_headers(&refused);
    }
    // Nothing of a body is read for whom there is no key.
    let unread =
        served.ask(head("/api/v1/verify", "ev_live_nobody", "Content-Type: text/plain\r\n", 1 << 30));
    unread.is(401, "INVALID_API_KEY");

    let revoke = site.run(&["key", "list", "--format", "json"]);
    let keys: serde_json::Value = serde_json::from_str(&revoke.stdout).unwrap();
    let id = keys[0]["id"].as_str().unwrap().to_owned();
    assert!(site.run(&["client", "deactivate", "acme"]).status.success());
    let is_refused = |status, code: &str| {
        let is_so = wait_until(LIMIT, || verify(&served, &format!("Api-Key: {key}\r\n")).status == status);
        assert!(is_so, "{code}");
        verify(&served, &format!("Api-Key: {key}\r\n")).is(status, code);
    };
    is_refused(403, "CLIENT_INACTIVE");
    assert!(site.run(&["key", "revoke", &id]).status.success());
    is_refused(401, "KEY_REVOKED");
}
