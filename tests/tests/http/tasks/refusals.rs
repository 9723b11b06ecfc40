//! What is wrong with a request, in the words of this product.

use mailsonde_tests::site::Site;
use serde_json::{Value, json};

use super::{get, key, post, refuses, submit};

#[test]
fn what_is_wrong_with_a_page_is_told_by_the_name_of_the_parameter() {
    let site = Site::new(&[]);
    let key = key(&site, "acme");
    let served = site.serve_only();
    let id = submit(&served, &key, &["jane@example.com"]);
    for path in ["/api/v1/tasks".to_owned(), format!("/api/v1/tasks/{id}/jobs")] {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("limit=9223372036854775808", "limit"),
            ("offset=-1", "offset"),
            ("offset=1.5", "offset"),
        ] {
            let refused = get(&served, &format!("{path}?{query}"), &key);
            refuses(&refused, 400, "VALIDATION_ERROR");
            let details = &refused.json()["error"]["details"];
            assert_eq!(details[0]["field"], field, "{path} {query}: {details}");
            assert!(details[0]["reason"].is_string(), "{details}");
        }
        assert_eq!(get(&served, &format!("{path}?limit=100&offset=9223372036854775807"), &key).status, 200);
    }
    let refused = get(&served, "/api/v1/tasks?limit=0&offset=-1&is_file_backed=perhaps&user_id=7", &key);
    assert_eq!(refused.json()["error"]["details"].as_array().unwrap().len(), 4, "{refused:?}");
    // As it is published: no other order of keys.
    let refused = get(&served, "/api/v1/tasks?limit=0", &key);
    let body = r#"{"error":{"code":"VALIDATION_ERROR","message":"The request is not valid.","details":[{"field":"limit","reason":"Input should be greater than or equal to 1"}]}}"#;
    assert_eq!(refused.body, body);
    for id in ["7", "%00", "..%2f", "550e8400e29b41d4a716446655440000", &"a".repeat(4_000)] {
        for below in ["", "/jobs", "/series"] {
            refuses(&get(&served, &format!("/api/v1/tasks/{id}{below}"), &key), 400, "VALIDATION_ERROR");
        }
    }
    for below in ["", "/jobs", "/series"] {
        let path = format!("/api/v1/tasks/550E8400-e29b-41d4-a716-446655440000{below}");
        refuses(&get(&served, &path, &key), 404, "NOT_FOUND");
    }
    refuses(&get(&served, "/api/v1/tasks//jobs", &key), 404, "NOT_FOUND");
    let refused = get(&served, "/api/v1/tasks/batch/uploads/7", &key);
    assert_eq!(refused.json()["error"]["details"][0]["field"], "upload_id", "{refused:?}");
    for bad in [
        "from=2025-01-01T00:00:00Z",
        "to=2025-01-01T00:00:00Z",
        "from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z",
        "from=2025-01-01T00:00:00Z&to=2025-12-01T00:00:00Z",
        "from=x&to=y",
    ] {
        refuses(&get(&served, &format!("/api/v1/tasks/{id}/series?{bad}"), &key), 400, "VALIDATION_ERROR");
    }
}

#[test]
fn a_list_that_cannot_be_verified_is_refused_as_a_whole() {
    let site = Site::new(&[]);
    let key = key(&site, "acme");
    let served = site.serve_only();
    let fields = |body: &Value| -> Vec<String> {
        let refused = post(&served, "/api/v1/tasks", &key, &body.to_string());
        refuses(&refused, 400, "VALIDATION_ERROR");
        let details = refused.json()["error"]["details"].as_array().unwrap().clone();
        details.iter().map(|detail| detail["field"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(fields(&json!({})), ["emails"]);
    assert_eq!(fields(&json!({ "emails": [] })), ["emails"]);
    assert_eq!(fields(&json!({ "emails": ["a@example.com", 7, "nonsense"] })), ["emails.1", "emails.1"]);
    assert_eq!(fields(&json!({ "emails": ["a@example.com", "nonsense"] })), ["emails.1"]);
    assert_eq!(fields(&json!({ "emails": vec!["nonsense"; 30] })).len(), 10);
    let many: Vec<String> = (0..10_001).map(|n| format!("a{n}@example.com")).collect();
    assert_eq!(fields(&json!({ "emails": many })), ["emails"]);
    for url in ["http://a.example/x", "https://127.0.0.1/", "nonsense"] {
        assert_eq!(
            fields(&json!({ "emails": ["a@example.com"], "webhook_url": url })),
            ["webhook_url"],
            "{url}"
        );
    }
    refuses(&post(&served, "/api/v1/tasks", &key, "{"), 400, "VALIDATION_ERROR");
    refuses(&post(&served, "/api/v1/tasks", &key, &"[".repeat(10_000)), 400, "VALIDATION_ERROR");
    assert_eq!(get(&served, "/api/v1/tasks", &key).json()["count"], 0);
    let most: Vec<String> = (0..10_000).map(|n| format!("{}{n}@example.com", "a".repeat(50))).collect();
    let taken = post(&served, "/api/v1/tasks", &key, &json!({ "emails": most }).to_string());
    assert_eq!((taken.status, &taken.json()["email_count"]), (201, &json!(10_000)));
}

#[test]
fn who_has_no_key_of_this_product_hears_it() {
    let site = Site::new(&[]);
    let ev = site.key("acme");
    let served = site.serve_only();
    for path in ["/api/v1/tasks", "/api/v1/credits/balance", "/api/v1/metrics/verifications"] {
        refuses(&served.get(path), 401, "UNAUTHORIZED");
        refuses(&get(&served, path, "sk_live_nonsense"), 401, "UNAUTHORIZED");
        refuses(&get(&served, path, &ev), 401, "UNAUTHORIZED");
        // A key of this product's clients is not shown so.
        refuses(&served.fetch(path, &ev), 401, "UNAUTHORIZED");
    }
    refuses(&served.get("/api/v1/tasks/a/b/c"), 404, "NOT_FOUND");
    refuses(&post(&served, "/api/v1/credits/balance", "x", "{}"), 405, "METHOD_NOT_ALLOWED");
}
