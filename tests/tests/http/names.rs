//! Names of the service at which one product alone is served.

use mailsonde_tests::site::{Site, served::Served};

/// What a request of this line is answered when it comes to this name: the status, and what tells the shapes apart.
fn at(served: &Served, request: &str, host: &str, headers: &str) -> (u16, &'static str) {
    let answer =
        served.ask(format!("{request} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let shape = if answer.header("content-type").starts_with("application/problem") {
        "ours"
    } else if body["error"].is_object() {
        "tasks"
    } else if body["detail"]["code"].is_string() {
        "email-verifier"
    } else if body["detail"].is_string() || body["error"].is_string() {
        "relentless"
    } else {
        "none"
    };
    (answer.status, shape)
}

#[test]
fn at_a_products_name_there_is_nothing_else_but_what_is_ours() {
    let site = Site::new(&[
        ("MAILSONDE_HTTP__HOSTS__RELENTLESS", "api.example.org"),
        ("MAILSONDE_HTTP__HOSTS__TASKS", "tasks.example.org"),
        ("MAILSONDE_HTTP__HOSTS__EMAIL_VERIFIER", "verify.example.org"),
    ]);
    let served = site.serve();
    // Paths of others are none there, in the words of the product.
    assert_eq!(at(&served, "GET /api/v1/usage", "api.example.org", ""), (404, "relentless"));
    assert_eq!(at(&served, "GET /client/token", "verify.example.org", ""), (404, "email-verifier"));
    assert_eq!(at(&served, "GET /client/token", "tasks.example.org:8080", ""), (404, "tasks"));
    assert_eq!(at(&served, "GET /", "API.example.org.", ""), (404, "relentless"));
    // Whose key is shown decides nothing there.
    let key = "Api-Key: ev_live_x\r\n";
    let verify = "POST /api/v1/verify";
    assert_eq!(at(&served, verify, "tasks.example.org", key).1, "tasks");
    let bearer = "Authorization: Bearer sk_live_x\r\n";
    assert_eq!(at(&served, verify, "verify.example.org", bearer), (401, "email-verifier"));
    assert_eq!(at(&served, verify, "127.0.0.1", bearer).1, "tasks");
    // An address is nobody's name.
    assert_eq!(at(&served, "GET /api/v1/usage", &served.address.to_string(), ""), (401, "email-verifier"));
    for ours in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/llms.txt", "/api/reference"] {
        assert_eq!(at(&served, &format!("GET {ours}"), "api.example.org", "").0, 200, "{ours}");
    }
    assert_eq!(at(&served, "GET /docs/other", "api.example.org", ""), (404, "ours"));
}

#[test]
fn a_name_that_cannot_be_meant_stops_the_start() {
    for (variable, value, why) in [
        ("MAILSONDE_HTTP__HOSTS__TASKS", "https://tasks.example.org", "a host name, without a port"),
        ("MAILSONDE_HTTP__HOSTS__TASK", "tasks.example.org", "tasks"),
    ] {
        let site = Site::bare([(variable.to_owned(), value.to_owned())]);
        let run = site.run(&["serve"]);
        assert!(!run.status.success() && run.stderr.contains(why), "{value}: {}", run.stderr);
    }
}
