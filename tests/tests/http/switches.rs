//! What the options of requests switch: each stage of the pipeline that has one, for single addresses and for jobs.

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, served::Served},
};
use serde_json::{Value, json};

/// A domain of which something can be told.
fn internet() -> Net {
    let zone = "known.test MX 10 mx.known.test\n\
                known.test TXT \"v=spf1 -all\"\n\
                _dmarc.known.test TXT \"v=DMARC1; p=reject\"";
    Internet::parse(zone, "[host.\"mx.known.test\"]\naccepts = ['jane@known.test']")
        .unwrap()
        .listen()
        .unwrap()
}

fn verified(served: &Served, key: &str, email: &str, options: &Value) -> Value {
    let answer =
        served.post("/api/v1/verify", key, "", json!({ "email": email, "options": options }).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn each_option_switches_its_stage() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = site.key("ada");
    let served = site.serve();
    let verified = |email: &str, options: Value| verified(&served, &key, email, &options);
    let asked = || net.internet().counts().total.connections;

    let quiet = verified("jane@known.test", json!({ "check_smtp": false }));
    assert_eq!(
        (&quiet["category"], &quiet["reason"]),
        (&json!("unknown"), &json!("no_smtp_check")),
        "{quiet}"
    );
    assert_eq!(asked(), 0);
    let usual = verified("jane@known.test", json!({}));
    assert!(asked() > 0 && usual["category"] == "deliverable", "{usual}");
    assert_eq!(usual["details"]["domain"]["domain_trust"], Value::Null);

    let drawn = "xk7qz9vj2wpt4bnm@known.test";
    let pattern = |options| verified(drawn, options)["details"]["random_pattern"].clone();
    assert_eq!(pattern(json!({}))["is_random"], true);
    let untold = pattern(json!({ "check_random": false }));
    assert_eq!((&untold["is_random"], &untold["signals"]), (&json!(false), &json!([])), "{untold}");

    let suggestion = |options| verified("jane.doe@gmial.com", options)["suggestion"].clone();
    assert_eq!(suggestion(json!({})), "jane.doe@gmail.com");
    assert_eq!(suggestion(json!({ "suggest_typo": false })), Value::Null);

    let trusted = verified("jane@known.test", json!({ "check_domain_trust": true }));
    let trust = &trusted["details"]["domain"]["domain_trust"];
    for (name, value) in [
        ("has_spf", json!(true)),
        ("has_dmarc", json!(true)),
        ("dmarc_policy", json!("reject")),
        ("has_mta_sts", json!(false)),
        ("has_tls_rpt", json!(false)),
        ("is_parked", json!(false)),
        ("blocklists", json!([])),
    ] {
        assert_eq!(trust[name], value, "{name} of {trust}");
    }
    assert!(trust["score"].as_f64().is_some_and(|score| score > 0.75), "{trust}");
    assert_eq!(trusted["category"], usual["category"], "trust changes no category");
}

#[test]
fn a_job_asks_nobody_where_it_is_not_to() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = site.key("ada");
    let served = site.serve();
    for (asks, category) in [(false, "unknown"), (true, "deliverable")] {
        let body = json!({ "emails": ["jane@known.test"], "options": { "check_smtp": asks } });
        let path = format!("/api/v1/jobs/{}", served.submit(&key, &body));
        let is_done = || served.fetch(&path, &key).json()["status"] == "completed";
        assert!(wait_until(LIMIT, is_done), "{}", served.said());
        assert_eq!(net.internet().counts().total.connections > 0, asks);
        let results = served.fetch(&format!("{path}/results"), &key).json();
        assert_eq!(results["results"][0]["category"], category, "{results}");
    }
}
