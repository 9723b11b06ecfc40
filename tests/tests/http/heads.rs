//! Heads of requests: whose they are, how long they may be, and what is not sent again to whoever has it.

use mailsonde_tests::site::{Site, client::Answer, served::Served};

fn with(served: &Served, path: &str, headers: &str) -> Answer {
    served.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn what_is_too_long_is_refused_in_the_words_of_its_facade() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let path = |octets: usize| format!("/api/v1/jobs?x={}", "a".repeat(octets - "/api/v1/jobs?x=".len()));
    assert_eq!(served.fetch(&path(8 * 1024), &key).status, 200);
    let refused = served.fetch(&path(8 * 1024 + 1), &key);
    refused.is(414, "URI_TOO_LONG");
    let long = format!("X-Long: {}\r\n", "a".repeat(16 * 1024));
    let many = |count: usize| "X-Many: 1\r\n".repeat(count);
    assert_eq!(with(&served, "/healthz", &many(78)).status, 200);
    for headers in [&long, &many(79), &many(98)] {
        let refused = with(&served, "/api/v1/jobs", headers);
        refused.is(431, "HEADERS_TOO_LARGE");
        for name in ["x-request-id", "x-ratelimit-limit", "ratelimit", "cache-control"] {
            assert!(!refused.header(name).is_empty(), "{name}: {refused:?}");
        }
        assert_eq!(refused.header("connection"), "close", "{refused:?}");
        let problem = with(&served, "/healthz", headers);
        assert_eq!((problem.status, problem.header("content-type")), (431, "application/problem+json"));
        let tasks = with(&served, "/api/v1/tasks", headers);
        assert_eq!(tasks.json()["error"]["code"], "HEADERS_TOO_LARGE");
    }
    // Of still more, nobody reads as far as to whom they are.
    let unread = with(&served, "/healthz", &many(99));
    assert_eq!((unread.status, &*unread.body), (431, ""));
}

#[test]
fn of_the_path_that_two_products_have_keys_of_tasks_decide() {
    let site = Site::new(&[]);
    let served = site.serve_only();
    let ask = |headers: &str| {
        served.ask(format!(
            "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n{headers}\r\n{{}}"
        ))
    };
    for headers in ["Authorization: Bearer sk_live_x\r\n", "X-API-Key: sk_live_x\r\n"] {
        let tasks = ask(headers);
        assert_eq!(
            (tasks.status, &tasks.json()["error"]["code"]),
            (401, &"UNAUTHORIZED".into()),
            "{tasks:?}"
        );
    }
    for headers in ["", "Authorization: Bearer ev_live_x\r\n", "X-API-Key: x\r\n"] {
        ask(headers).is(401, "MISSING_API_KEY");
    }
    ask("Api-Key: sk_live_x\r\nX-API-Key: sk_live_x\r\n").is(401, "INVALID_API_KEY");
}

#[test]
fn a_document_that_a_client_has_is_not_sent_again() {
    let site = Site::new(&[]);
    let served = site.start(&[]);
    let first = served.get("/openapi.json");
    assert_eq!((first.status, first.header("cache-control")), (200, "no-cache"));
    assert_eq!(first.json()["openapi"], "3.1.0");
    let tag = first.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let again = with(&served, "/openapi.json", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", tag), "{again:?}");
    assert_eq!(with(&served, "/openapi.json", "If-None-Match: \"other\"\r\n").body, first.body);
}
