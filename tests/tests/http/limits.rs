//! Too many requests of a key, and too many wrong keys from an address.

use mailsonde_tests::site::{LIMIT, Site};

const BODY: &str = r#"{"email":"nobody@example.invalid"}"#;

#[test]
fn a_key_has_a_burst_and_then_waits() {
    let site = Site::new(&[("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "6"), ("MAILSONDE_HTTP__BURST", "3")]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    for left in ["2", "1", "0"] {
        let answer = served.post("/api/v1/verify", &key, "", BODY);
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, left), "{answer:?}");
    }
    // It comes before what is wrong with the body.
    let limited = served.post("/api/v1/verify", &key, "", "{");
    limited.is(429, "RATE_LIMIT_EXCEEDED");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{limited:?}");
    assert_eq!(limited.header("x-ratelimit-limit"), "3");
    assert_eq!(served.post("/api/v1/verify", &other, "", BODY).status, 200, "each key has its own");
    let metrics = served.get("/metrics").body;
    assert!(metrics.contains("mailsonde_http_limits_met_total{limit=\"key_rate\"} 1"), "{metrics}");
}

#[test]
fn an_address_with_wrong_keys_is_not_listened_to() {
    let site = Site::new(&[
        ("MAILSONDE_HTTP__FAILURES_PER_MINUTE", "5"),
        ("MAILSONDE_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ]);
    let key = site.key("acme");
    let served = site.serve();
    let from = |address: &str| format!("X-Forwarded-For: 203.0.113.9, {address}\r\n");
    for _ in 0..5 {
        served.post("/api/v1/verify", "ev_live_nobody", &from("192.0.2.1"), BODY).is(401, "INVALID_API_KEY");
    }
    let limited = served.post("/api/v1/verify", "ev_live_nobody", &from("192.0.2.1"), BODY);
    limited.is(429, "RATE_LIMIT_EXCEEDED");
    assert!(!limited.header("retry-after").is_empty());
    assert!(limited.header("ratelimit-policy").starts_with("\"address\""), "{limited:?}");
    // Who guesses right then, does not hear of it.
    served.post("/api/v1/verify", &key, &from("192.0.2.1"), BODY).is(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(served.post("/api/v1/verify", &key, &from("192.0.2.2"), BODY).status, 200);
    served.signal("TERM");
    assert!(served.ended(LIMIT).success());
}

#[test]
fn an_address_with_keys_that_are_good_no_more_is_not_listened_to() {
    let site = Site::new(&[
        ("MAILSONDE_HTTP__FAILURES_PER_MINUTE", "2"),
        ("MAILSONDE_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ]);
    let (revoked, expired, inactive) = (site.key("revoked"), site.key("expired"), site.key("inactive"));
    assert!(site.run_with(&["key", "revoke", "-"], &revoked).status.success());
    let of = "client in (select id from client where name = 'expired')";
    site.query(&format!("update api_key set expires_at = now() - interval '1 second' where {of}"));
    site.print(&["client", "deactivate", "inactive"]);
    let served = site.serve();
    for (key, address, status, code) in [
        (&revoked, "192.0.2.1", 401, "KEY_REVOKED"),
        (&expired, "192.0.2.2", 401, "KEY_EXPIRED"),
        (&inactive, "192.0.2.3", 403, "CLIENT_INACTIVE"),
    ] {
        let from = format!("X-Forwarded-For: {address}\r\n");
        for _ in 0..2 {
            served.post("/api/v1/verify", key, &from, BODY).is(status, code);
        }
        let limited = served.post("/api/v1/verify", key, &from, BODY);
        limited.is(429, "RATE_LIMIT_EXCEEDED");
        assert!(!limited.header("retry-after").is_empty(), "{limited:?}");
    }
}
