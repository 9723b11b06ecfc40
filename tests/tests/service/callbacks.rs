//! Addresses of webhooks that lead inside are refused when they are given, by the API as by commands.

use mailsonde_tests::site::Site;
use serde_json::json;

const INSIDE: [&str; 14] = [
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost./",
    "https://user@example.com/",
    "https://example.com:25/",
    "http://example.com/",
    "ftp://example.com/",
    "//example.com/",
    "",
];

#[test]
fn what_leads_inside_is_refused_with_its_field_and_nothing_comes_of_it() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    for url in INSIDE {
        let body = json!({ "emails": ["a@example.com"], "webhook_url": url });
        let refused = served.post("/api/v1/verify/batch", &key, "", body.to_string());
        refused.is_invalid(&json!(["body", "webhook_url"]), "url_unsafe");
    }
    for command in [["client", "set", "acme", "--alert-url"], ["webhook", "test", "acme", "--"]] {
        let run = site.run(&[&command[..], &["https://[::1]/"]].concat());
        assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
    }
    assert_eq!(site.query("select (select count(*) from job) + (select count(*) from webhook)"), "0");
}
