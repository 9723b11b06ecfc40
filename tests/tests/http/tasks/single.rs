//! One address, answered at once.

use mailsonde_tests::site::Site;
use serde_json::json;

use super::{EMAIL, get, internet, key, post, refuses};

#[test]
fn an_address_is_answered_at_once_and_what_is_unknown_costs_nothing() {
    let net = internet();
    let site = Site::among(&net, &[("MAILSONDE_SMTP__REPLY_TIMEOUT", "1m")]);
    site.print(&["client", "create", "acme", "--quota", "10"]);
    let key = super::key_of(&site, "acme");
    let served = site.serve();
    let ask = |email: &str| post(&served, "/api/v1/verify", &key, &json!({ "email": email }).to_string());
    for (email, status, costs) in [
        ("jane@example.com", "exists", 1),
        ("ghost@example.com", "not_exists", 2),
        ("x@everybody.test", "catchall", 3),
        ("not an address", "invalid_syntax", 4),
    ] {
        let answer = ask(email);
        assert_eq!(answer.status, 200, "{answer:?}");
        EMAIL.fits(&answer.body);
        let told = answer.json();
        assert_eq!((&told["email"], &told["status"]), (&json!(email), &json!(status)), "{told}");
        assert_eq!(told["has_reverse_dns"], email.ends_with("@example.com"), "{told}");
        let balance = get(&served, "/api/v1/credits/balance", &key).json();
        assert_eq!(balance["balance"], 10 - costs, "{balance}");
    }
    let late = ask("x@silent.test");
    assert_eq!(late.status, 408, "{late:?}");
    EMAIL.fits(&late.body);
    let told = late.json();
    assert_eq!((&told["status"], &told["unknown_reason"]), (&json!("unknown"), &json!("timeout")), "{told}");
    assert_eq!(get(&served, "/api/v1/credits/balance", &key).json()["balance"], 6);
    refuses(&post(&served, "/api/v1/verify", &key, r#"{"email":7}"#), 400, "VALIDATION_ERROR");
}

#[test]
fn the_other_product_keeps_its_path() {
    let site = Site::new(&[]);
    let key = key(&site, "acme");
    let other = site.key_of("acme");
    let served = site.serve();
    let body = r#"{"email":"not an address"}"#;
    assert_eq!(served.post("/api/v1/verify", &other, "", body).json()["category"], "invalid_syntax");
    assert_eq!(post(&served, "/api/v1/verify", &key, body).json()["status"], "invalid_syntax");
    // Whoever shows the key of one product as that of the other is told so by the one that he asks.
    served.post("/api/v1/verify", &key, "", body).is(401, "INVALID_API_KEY");
    post(&served, "/api/v1/verify", &other, body).is(401, "MISSING_API_KEY");
}
